//! What the checks need to know of regexes and templates, as plain functions, so that there is one place
//! where the language meets the engines that run them.

use larch_types::MatchOp;
use regex_syntax::ast::parse::ParserBuilder;
use regex_syntax::ast::{AssertionKind, Ast, ErrorKind, GroupKind, RepetitionKind, RepetitionRange};

/// As deep as RE2's own limit. Only the syntax is looked at: a query may hold thousands of regexes, and
/// nothing is built from them before the query runs.
const MAX_REGEX_NESTING: u32 = 1000;

/// Whether a regex is one, in the words of Go's error if not.
pub(crate) fn check_regex(pattern: &str) -> Result<(), String> {
    parse(pattern).map(|_| ())
}

/// Whether a matcher holds for a label that is absent.
pub(crate) fn matches_empty(op: MatchOp, value: &str) -> Result<bool, String> {
    Ok(match op {
        MatchOp::Equal => value.is_empty(),
        MatchOp::NotEqual => !value.is_empty(),
        MatchOp::Regex => takes_empty(&parse(value)?),
        MatchOp::NotRegex => !takes_empty(&parse(value)?),
    })
}

/// The rules of the `regexp` parser: its captures become labels.
pub(crate) fn check_regexp_parser(pattern: &str) -> Result<(), String> {
    let ast = match parse_ast(pattern) {
        Ok(ast) => ast,
        Err(error) => {
            if let ErrorKind::GroupNameDuplicate { .. } = error.kind() {
                return Err(format!("duplicate extracted label name '{}'", fragment(pattern, &error)));
            }
            return Err(go_error(pattern, &error));
        }
    };
    if has_name(&ast) { Ok(()) } else { Err("at least one named capture must be supplied".to_owned()) }
}

/// The labels that a template reads, or none if that cannot be said: then it may read any. Only text
/// without actions is certain to read nothing.
pub(crate) fn template_labels(template: &str) -> Option<Vec<String>> {
    (!template.contains("{{")).then(Vec::new)
}

fn parse(pattern: &str) -> Result<Ast, String> {
    parse_ast(pattern).map_err(|error| go_error(pattern, &error))
}

fn parse_ast(pattern: &str) -> Result<Ast, Box<regex_syntax::ast::Error>> {
    ParserBuilder::new().nest_limit(MAX_REGEX_NESTING).build().parse(pattern).map_err(Box::new)
}

fn fragment<'a>(pattern: &'a str, error: &regex_syntax::ast::Error) -> &'a str {
    let span = error.span();
    pattern.get(span.start.offset..span.end.offset).unwrap_or(pattern)
}

fn go_error(pattern: &str, error: &regex_syntax::ast::Error) -> String {
    let part = fragment(pattern, error);
    let (reason, shown) = match error.kind() {
        ErrorKind::GroupUnclosed => ("missing closing )", pattern),
        ErrorKind::GroupUnopened => ("unexpected )", pattern),
        ErrorKind::ClassUnclosed => {
            ("missing closing ]", pattern.get(error.span().start.offset..).unwrap_or(pattern))
        }
        ErrorKind::ClassRangeInvalid | ErrorKind::ClassRangeLiteral => {
            ("invalid character class range", part)
        }
        ErrorKind::UnicodeClassInvalid => ("invalid character class range", part),
        ErrorKind::RepetitionMissing => {
            let operator = pattern.get(error.span().start.offset..).and_then(|rest| rest.get(..1));
            ("missing argument to repetition operator", operator.unwrap_or(part))
        }
        ErrorKind::RepetitionCountInvalid => ("invalid repeat count", part),
        ErrorKind::EscapeUnexpectedEof => ("trailing backslash at end of expression", ""),
        ErrorKind::GroupNameEmpty
        | ErrorKind::GroupNameInvalid
        | ErrorKind::GroupNameUnexpectedEof
        | ErrorKind::GroupNameDuplicate { .. } => ("invalid named capture", part),
        ErrorKind::NestLimitExceeded(_) => ("expression nests too deeply", pattern),
        ErrorKind::UnsupportedLookAround
        | ErrorKind::FlagUnrecognized
        | ErrorKind::FlagUnexpectedEof
        | ErrorKind::FlagDanglingNegation => ("invalid or unsupported Perl syntax", part),
        _ => ("invalid escape sequence", part),
    };
    format!("error parsing regexp: {reason}: `{shown}`")
}

/// Whether the regex, anchored at both ends, matches the empty text. Recursion is bounded by
/// [`MAX_REGEX_NESTING`].
fn takes_empty(ast: &Ast) -> bool {
    match ast {
        Ast::Empty(_) | Ast::Flags(_) => true,
        Ast::Literal(_) | Ast::Dot(_) => false,
        Ast::ClassUnicode(_) | Ast::ClassPerl(_) | Ast::ClassBracketed(_) => false,
        Ast::Assertion(assertion) => matches!(
            assertion.kind,
            AssertionKind::StartLine
                | AssertionKind::EndLine
                | AssertionKind::StartText
                | AssertionKind::EndText
                | AssertionKind::NotWordBoundary
        ),
        Ast::Repetition(repetition) => {
            let may_be_absent = match &repetition.op.kind {
                RepetitionKind::ZeroOrOne | RepetitionKind::ZeroOrMore => true,
                RepetitionKind::OneOrMore => false,
                RepetitionKind::Range(RepetitionRange::Exactly(least))
                | RepetitionKind::Range(RepetitionRange::AtLeast(least))
                | RepetitionKind::Range(RepetitionRange::Bounded(least, _)) => *least == 0,
            };
            may_be_absent || takes_empty(&repetition.ast)
        }
        Ast::Group(group) => takes_empty(&group.ast),
        Ast::Alternation(alternation) => alternation.asts.iter().any(takes_empty),
        Ast::Concat(concat) => concat.asts.iter().all(takes_empty),
    }
}

fn has_name(ast: &Ast) -> bool {
    match ast {
        Ast::Group(group) => matches!(group.kind, GroupKind::CaptureName { .. }) || has_name(&group.ast),
        Ast::Repetition(repetition) => has_name(&repetition.ast),
        Ast::Alternation(alternation) => alternation.asts.iter().any(has_name),
        Ast::Concat(concat) => concat.asts.iter().any(has_name),
        _ => false,
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
            assert_eq!(matches_empty(MatchOp::Regex, pattern), Ok(empty), "{pattern}");
            assert_eq!(matches_empty(MatchOp::NotRegex, pattern), Ok(!empty), "{pattern}");
        }
    }

    #[test]
    fn errors_in_gos_words() {
        for (pattern, error) in [
            ("(x", "error parsing regexp: missing closing ): `(x`"),
            ("x)", "error parsing regexp: unexpected ): `x)`"),
            ("[a", "error parsing regexp: missing closing ]: `[a`"),
            ("*", "error parsing regexp: missing argument to repetition operator: `*`"),
            ("[z-a]", "error parsing regexp: invalid character class range: `z-a`"),
            ("a\\", "error parsing regexp: trailing backslash at end of expression: ``"),
        ] {
            assert_eq!(check_regex(pattern).expect_err(pattern), error);
        }
        let deep = "(".repeat(5000);
        assert!(check_regex(&deep).is_err());
    }

    #[test]
    fn captures_of_the_regexp_parser() {
        assert_eq!(check_regexp_parser("(?P<a>.)(?<b>.)|x"), Ok(()));
        for (pattern, error) in [
            (r"(\d+)", "at least one named capture must be supplied"),
            ("(?P<x>a)(?P<x>b)", "duplicate extracted label name 'x'"),
            ("(", "error parsing regexp: missing closing ): `(`"),
        ] {
            assert_eq!(check_regexp_parser(pattern).expect_err(pattern), error);
        }
    }
}
