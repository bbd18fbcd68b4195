//! Patterns that need no automaton: a few literals, perhaps with `.*` around them.

use crate::regex::ast::{Ast, Literal};

/// Beyond this an automaton does better.
const MAX_LITERALS: usize = 64;

/// `.*` or nothing, one of the literals, `.*` or nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Shape {
    pub(super) literals: Vec<Vec<u8>>,
    pub(super) open_start: bool,
    pub(super) open_end: bool,
    /// Whether what the open ends stand for may contain newlines.
    pub(super) newlines: bool,
}

impl Shape {
    fn closed(literals: Vec<Vec<u8>>) -> Self {
        Self { literals, open_start: false, open_end: false, newlines: true }
    }

    /// `None`: the pattern is of no such kind.
    pub(super) fn of(ast: &Ast) -> Option<Self> {
        match ast.bare() {
            Ast::Empty => Some(Self::closed(vec![Vec::new()])),
            Ast::Literal(literal) => of_literal(literal),
            Ast::Alternate(branches) => of_branches(branches),
            Ast::Concat(parts) => of_parts(parts),
            other => {
                let newlines = other.dot_star()?;
                Some(Self { literals: vec![Vec::new()], open_start: true, open_end: true, newlines })
            }
        }
    }
}

/// A literal U+FFFD also matches bytes that are not UTF-8.
fn of_literal(literal: &Literal) -> Option<Shape> {
    if literal.fold || literal.text.contains(char::REPLACEMENT_CHARACTER) {
        return None;
    }
    Some(Shape::closed(vec![literal.text.as_bytes().to_vec()]))
}

fn of_branches(branches: &[Ast]) -> Option<Shape> {
    let (first, rest) = branches.split_first()?;
    let mut shape = Shape::of(first)?;
    for branch in rest {
        let mut next = Shape::of(branch)?;
        let alike = (next.open_start, next.open_end) == (shape.open_start, shape.open_end);
        let is_open = shape.open_start || shape.open_end;
        if !alike || (is_open && next.newlines != shape.newlines) {
            return None;
        }
        shape.literals.append(&mut next.literals);
    }
    (shape.literals.len() <= MAX_LITERALS).then_some(shape)
}

/// Literals and alternatives of literals one after the other, with open ends only at the ends.
fn of_parts(parts: &[Ast]) -> Option<Shape> {
    let mut parts = parts;
    let mut shape = Shape::closed(vec![Vec::new()]);
    let mut seen_newlines = None;
    if let Some((first, rest)) = parts.split_first()
        && let Some(newlines) = first.dot_star()
    {
        shape.open_start = true;
        seen_newlines = Some(newlines);
        parts = rest;
    }
    if let Some((last, rest)) = parts.split_last()
        && let Some(newlines) = last.dot_star()
    {
        shape.open_end = true;
        if seen_newlines.is_some_and(|seen| seen != newlines) {
            return None;
        }
        seen_newlines = Some(newlines);
        parts = rest;
    }
    for part in parts {
        let next = Shape::of(part)?;
        if next.open_start || next.open_end || shape.literals.len() * next.literals.len() > MAX_LITERALS {
            return None;
        }
        shape.literals = products(&shape.literals, &next.literals);
    }
    shape.newlines = seen_newlines.unwrap_or(true);
    Some(shape)
}

fn products(heads: &[Vec<u8>], tails: &[Vec<u8>]) -> Vec<Vec<u8>> {
    let mut all = Vec::with_capacity(heads.len() * tails.len());
    for head in heads {
        for tail in tails {
            all.push([head.as_slice(), tail].concat());
        }
    }
    all
}
