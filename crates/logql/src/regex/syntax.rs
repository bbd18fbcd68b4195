//! What can be said of a pattern without compiling it. A query may hold thousands of patterns, and most are
//! only looked at.

use crate::regex::RegexError;
use crate::regex::ast::{Assertion, Ast};
use crate::regex::parse::parse;
use crate::regex::required::Required;

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

/// Whether the empty text matches as a whole.
pub(crate) fn matches_empty(pattern: &str) -> Result<bool, RegexError> {
    Ok(takes_empty(&parse(pattern, false)?.ast))
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
