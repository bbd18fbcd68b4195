//! What can be said of a pattern without compiling it. A query may hold thousands of patterns, and most are
//! only looked at.

use crate::regex::RegexError;
use crate::regex::ast::{Assertion, Ast, ClassItem};
use crate::regex::parse::parse;
use crate::regex::required::{AnyOf, Required};

/// Whether it is a pattern at all.
pub(crate) fn check(pattern: &str) -> Result<(), RegexError> {
    parse(pattern, false).map(|_| ())
}

/// By group number; the whole match has no name.
pub(crate) fn group_names(pattern: &str) -> Result<Vec<Option<Box<str>>>, RegexError> {
    Ok(parse(pattern, false)?.names)
}

/// What every text contains in which it matches somewhere.
pub(crate) fn required(pattern: &str) -> Result<Required, RegexError> {
    Ok(Required::of(&parse(pattern, false)?.ast))
}

/// As `required`, and whether every text that contains it matches.
pub(crate) fn required_whole(pattern: &str) -> Result<(Required, bool), RegexError> {
    let ast = parse(pattern, false)?.ast;
    let required = Required::of(&ast);
    let is_whole = match ast.bare() {
        Ast::Alternate(branches) => branches.iter().all(is_one_needle) && !required.0.is_empty(),
        ast => is_one_needle(ast),
    };
    Ok((required, is_whole))
}

/// A literal that is its own needle, as a whole.
fn is_one_needle(ast: &Ast) -> bool {
    let Ast::Literal(literal) = ast.bare() else { return false };
    match Required::of(ast).0.as_slice() {
        [AnyOf(any)] => any.iter().map(|needle| needle.bytes.len()).sum::<usize>() == literal.text.len(),
        _ => false,
    }
}

/// Whether the empty text matches as a whole.
pub(crate) fn matches_empty(pattern: &str) -> Result<bool, RegexError> {
    Ok(takes_empty(&parse(pattern, false)?.ast))
}

/// How large the compiled pattern is, very roughly: one for a byte of a literal. Zero if it is no pattern.
pub(crate) fn weight(pattern: &str) -> u64 {
    parse(pattern, false).map_or(0, |pattern| weigh(&pattern.ast))
}

/// A property of characters takes hundreds of states, the complement of a class the ranges of UTF-8.
const PROPERTY_WEIGHT: u64 = 300;
const CLASS_WEIGHT: u64 = 10;

fn weigh(ast: &Ast) -> u64 {
    match ast {
        Ast::Empty | Ast::Assertion(_) => 1,
        Ast::Literal(literal) => (literal.text.len() as u64).saturating_mul(if literal.fold { 2 } else { 1 }),
        Ast::Dot { .. } => CLASS_WEIGHT,
        Ast::Class(class) => {
            let has_property = class.items.iter().any(|item| matches!(item, ClassItem::Property { .. }));
            let items = (class.items.len() as u64).saturating_mul(2);
            items.saturating_add(if has_property { PROPERTY_WEIGHT } else { CLASS_WEIGHT })
        }
        Ast::Capture(body) => weigh(body).saturating_add(2),
        Ast::Concat(parts) | Ast::Alternate(parts) => parts.iter().map(weigh).fold(1, u64::saturating_add),
        Ast::Repeat(repeat) => {
            let copies = repeat.max.unwrap_or(repeat.min).max(1);
            weigh(&repeat.body).saturating_mul(u64::from(copies)).saturating_add(1)
        }
    }
}

fn takes_empty(ast: &Ast) -> bool {
    match ast {
        Ast::Empty => true,
        Ast::Literal(literal) => literal.text.is_empty(),
        Ast::Dot { .. } | Ast::Class(_) => false,
        Ast::Assertion(assertion) => !matches!(assertion, Assertion::WordBoundary),
        Ast::Capture(body) => takes_empty(body),
        Ast::Concat(parts) => parts.iter().all(takes_empty),
        Ast::Alternate(branches) => branches.iter().any(takes_empty),
        Ast::Repeat(repeat) => repeat.min == 0 || takes_empty(&repeat.body),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_matches_nothing() {
        for (pattern, empty) in [
            ("", true),
            (".*", true),
            (".+", false),
            ("x|", true),
            ("x|y", false),
            ("(?i)x", false),
            ("^$", true),
            (r"\b", false),
            (r"\B", true),
            ("a{0,3}", true),
            ("a{1,3}", false),
            ("(a*)(b?)", true),
            ("[a-z]", false),
        ] {
            assert_eq!(matches_empty(pattern), Ok(empty), "{pattern}");
        }
    }
}
