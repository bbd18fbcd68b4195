//! Texts without which a pattern cannot match: what an index or a filter may look for before the pattern
//! itself runs. Conservative: a text that matches always contains them.

use memchr::memmem;

use crate::regex::ast::{Ast, Literal, Repeat};

/// More alternatives than this are not worth looking for one by one.
const MAX_ALTERNATIVES: usize = 64;

/// A text to look for.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Needle {
    /// Lower case where case does not matter.
    pub bytes: Box<[u8]>,
    pub ignore_ascii_case: bool,
}

/// At least one of the needles occurs. Never empty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AnyOf(pub Vec<Needle>);

/// All of the parts hold. Without parts nothing is known.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Required(pub Vec<AnyOf>);

impl Needle {
    pub fn exact(bytes: impl Into<Box<[u8]>>) -> Self {
        Self { bytes: bytes.into(), ignore_ascii_case: false }
    }

    pub fn is_in(&self, text: &[u8]) -> bool {
        if !self.ignore_ascii_case {
            return memmem::find(text, &self.bytes).is_some();
        }
        text.windows(self.bytes.len().max(1)).any(|window| window.eq_ignore_ascii_case(&self.bytes))
    }
}

impl Required {
    /// What a plain search for any of these texts needs.
    pub fn any_of(texts: &[&[u8]]) -> Self {
        if texts.is_empty() || texts.iter().any(|text| text.is_empty()) {
            return Self::default();
        }
        Self(vec![AnyOf(texts.iter().map(|text| Needle::exact(*text)).collect())])
    }

    /// False only where the pattern cannot match.
    pub fn may_match(&self, text: &[u8]) -> bool {
        self.0.iter().all(|any| any.0.iter().any(|needle| needle.is_in(text)))
    }

    /// What holds if at least one of several conditions does: of every one its best part. If one has none,
    /// nothing is known.
    pub(crate) fn either(conditions: impl IntoIterator<Item = Self>) -> Self {
        let mut needles = Vec::new();
        for condition in conditions {
            let Some(best) = condition.0.into_iter().max_by_key(shortest) else {
                return Self::default();
            };
            needles.extend(best.0);
        }
        needles.sort_unstable();
        needles.dedup();
        let is_useful = (1..=MAX_ALTERNATIVES).contains(&needles.len());
        if is_useful { Self(vec![AnyOf(needles)]) } else { Self::default() }
    }

    pub(super) fn of(ast: &Ast) -> Self {
        match ast {
            Ast::Literal(literal) => Self(of_literal(literal)),
            Ast::Capture(body) => Self::of(body),
            Ast::Repeat(repeat) => of_repeat(repeat),
            Ast::Concat(parts) => Self(parts.iter().flat_map(|part| Self::of(part).0).collect()),
            Ast::Alternate(branches) => Self::either(branches.iter().map(Self::of)),
            Ast::Empty | Ast::Dot { .. } | Ast::Class(_) | Ast::Assertion(_) => Self::default(),
        }
    }
}

/// U+FFFD also matches a byte that is not UTF-8, so that it cannot be looked for. Without regard to case,
/// only letters of which no form lies outside ASCII can: `k` and `s` have such forms.
fn of_literal(literal: &Literal) -> Vec<AnyOf> {
    let is_certain = |c: char| {
        if !literal.fold {
            return c != char::REPLACEMENT_CHARACTER;
        }
        c.is_ascii() && !matches!(c, 'k' | 'K' | 's' | 'S')
    };
    let parts = literal.text.split(|c: char| !is_certain(c)).filter(|part| !part.is_empty());
    parts.map(|part| AnyOf(vec![needle(part, literal.fold)])).collect()
}

fn needle(text: &str, fold: bool) -> Needle {
    if !fold || !text.contains(|c: char| c.is_ascii_alphabetic()) {
        return Needle::exact(text.as_bytes());
    }
    Needle { bytes: text.to_ascii_lowercase().into_bytes().into(), ignore_ascii_case: true }
}

fn of_repeat(repeat: &Repeat) -> Required {
    if repeat.min == 0 { Required::default() } else { Required::of(&repeat.body) }
}

/// A set is as good as its shortest needle.
fn shortest(any: &AnyOf) -> usize {
    any.0.iter().map(|needle| needle.bytes.len()).min().unwrap_or(0)
}
