//! What the checks and the facts need to know of regexes and templates, without building them: a query may
//! hold thousands, and nothing is built from them before it runs.

use larch_template::{Template, Uses};
use larch_types::MatchOp;

use crate::regex;
use crate::stage::{self, StageError};

/// Whether a regex is one, in the words of Go's error if not.
pub(crate) fn check_regex(pattern: &str) -> Result<(), String> {
    regex::check(pattern).map_err(|error| error.to_string())
}

/// Whether a matcher holds for a label that is absent.
pub(crate) fn matches_empty(op: MatchOp, value: &str) -> Result<bool, String> {
    let regex_matches = || regex::matches_empty(value).map_err(|error| error.to_string());
    Ok(match op {
        MatchOp::Equal => value.is_empty(),
        MatchOp::NotEqual => !value.is_empty(),
        MatchOp::Regex => regex_matches()?,
        MatchOp::NotRegex => !regex_matches()?,
    })
}

/// The rules of the `regexp` parser: its captures become labels.
pub(crate) fn check_regexp_parser(pattern: &str) -> Result<(), String> {
    let names = regex::group_names(pattern).map_err(|error| error.to_string())?;
    stage::labels_of(&names).map(|_| ()).map_err(|error| error.to_string())
}

pub(crate) fn check_line_template(text: &str) -> Result<(), String> {
    let parsed = Template::parse("line", text, uncompiled);
    parsed.map(|_| ()).map_err(|error| StageError::LineTemplate(error).to_string())
}

pub(crate) fn check_label_template(label: &str, text: &str) -> Result<(), String> {
    let parsed = Template::parse("label", text, uncompiled);
    let refused = |error| StageError::LabelTemplate { label: label.to_owned(), error }.to_string();
    parsed.map(|_| ()).map_err(refused)
}

/// What a template reads. Of one that does not parse the worst is assumed.
pub(crate) fn template_uses(text: &str) -> Uses {
    match Template::parse("", text, uncompiled) {
        Ok(template) => template.uses(),
        Err(_) => Uses { fields: Vec::new(), all_fields: true, line: true },
    }
}

/// The regexes of a template matter only when it runs.
pub(crate) fn uncompiled(_: &str) -> Result<larch_template::Regex, String> {
    Err(String::new())
}

#[cfg(test)]
mod tests {
    use super::*;

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
