//! Names, reserved words, and words that are functions only where something is called.

use std::sync::LazyLock;

use regex_syntax::hir::{Class, HirKind};

use super::{Keyword, TokenKind};
use crate::ast::{Conversion, RangeOp, VectorOp};

pub(super) fn starts_name(c: char) -> bool {
    c == '_' || if c.is_ascii() { c.is_ascii_alphabetic() } else { LETTERS.contains(c) }
}

pub(super) fn name_len(text: &str) -> usize {
    let continues =
        |c: char| starts_name(c) || if c.is_ascii() { c.is_ascii_digit() } else { DIGITS.contains(c) };
    text.find(|c| !continues(c)).unwrap_or(text.len())
}

/// Reserved words, in any case.
pub(super) fn keyword(name: &str) -> Option<TokenKind<'static>> {
    let keyword = Keyword::ALL.into_iter().find(|k| k.as_str().eq_ignore_ascii_case(name))?;
    Some(TokenKind::Keyword(keyword))
}

/// Function words, in any case. They are names unless [`is_called`].
pub(super) fn function(name: &str) -> Option<TokenKind<'static>> {
    let is = |word: &str| word.eq_ignore_ascii_case(name);
    if let Some(op) = RangeOp::ALL.into_iter().find(|op| is(op.as_str())) {
        return Some(TokenKind::RangeOp(op));
    }
    if let Some(op) = VectorOp::ALL.into_iter().find(|op| is(op.as_str())) {
        return Some(TokenKind::VectorOp(op));
    }
    for conversion in [Conversion::Bytes, Conversion::Duration, Conversion::DurationSeconds] {
        if conversion.as_str().is_some_and(is) {
            return Some(TokenKind::Conversion(conversion));
        }
    }
    match name {
        _ if is("label_replace") => Some(TokenKind::LabelReplace),
        _ if is("vector") => Some(TokenKind::Vector),
        _ if is("ip") => Some(TokenKind::Ip),
        _ => None,
    }
}

/// Whether what follows a function word makes it one: `(`, `by (` or `without (`.
pub(super) fn is_called(rest: &str) -> bool {
    let rest = rest.trim_start();
    if rest.starts_with('(') {
        return true;
    }
    for clause in ["by", "without"] {
        if rest.get(..clause.len()).is_some_and(|head| head.eq_ignore_ascii_case(clause)) {
            return rest[clause.len()..].trim_start().starts_with('(');
        }
    }
    false
}

/// Go's names are made of letters and decimal digits of all scripts.
static LETTERS: LazyLock<CharSet> = LazyLock::new(|| CharSet::of(r"\p{L}"));
static DIGITS: LazyLock<CharSet> = LazyLock::new(|| CharSet::of(r"\p{Nd}"));

/// Inclusive ranges, ascending.
struct CharSet(Vec<(char, char)>);

impl CharSet {
    #[expect(clippy::expect_used, reason = "the two classes above are written here and parse")]
    fn of(class: &str) -> Self {
        let hir = regex_syntax::parse(class).expect("a Unicode class");
        let mut ranges = Vec::new();
        if let HirKind::Class(Class::Unicode(class)) = hir.kind() {
            ranges.extend(class.iter().map(|range| (range.start(), range.end())));
        }
        Self(ranges)
    }

    fn contains(&self, c: char) -> bool {
        let after = self.0.partition_point(|(start, _)| *start <= c);
        after > 0 && c <= self.0[after - 1].1
    }
}
