//! What a line filter looks for, for whoever searches many lines at once.

use crate::ast::{LineFilter, LineOp, LineOperand};
use crate::pattern::{Pattern, PatternPart};
use crate::regex::{self, AnyOf, Needle, Required};

/// A line filter as a search.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LineSearch {
    /// What is in every line for which one of the operands holds.
    pub required: Required,
    /// Every line that has what is required is one for which an operand holds.
    pub is_whole: bool,
    /// The filter keeps lines for which none of the operands holds.
    pub negated: bool,
}

/// A filter without a needle is no search: nothing is required then.
pub fn line_search(filter: &LineFilter) -> LineSearch {
    let parts: Vec<(Required, bool)> =
        filter.operands.iter().map(|operand| operand_search(filter.op, operand)).collect();
    let is_exact = |(required, is_whole): &(Required, bool)| *is_whole && required.0.len() == 1;
    let negated = filter.op.is_negative();
    match parts.as_slice() {
        [(required, is_whole)] => {
            LineSearch { required: required.clone(), is_whole: *is_whole && !required.0.is_empty(), negated }
        }
        several => {
            let all_exact = several.iter().all(is_exact);
            let required = Required::either(several.iter().map(|(required, _)| required.clone()));
            let is_whole = all_exact && !required.0.is_empty();
            LineSearch { required, is_whole, negated }
        }
    }
}

fn operand_search(op: LineOp, operand: &LineOperand) -> (Required, bool) {
    let LineOperand::Text(text) = operand else { return (Required::default(), false) };
    match op {
        LineOp::Contains | LineOp::NotContains => (Required::any_of(&[text.as_bytes()]), true),
        LineOp::Regex | LineOp::NotRegex => {
            let Some(pattern) = text.as_str() else { return (Required::default(), false) };
            regex::required_whole(pattern).unwrap_or_default()
        }
        LineOp::Pattern | LineOp::NotPattern => (pattern_needles(text.as_bytes()), false),
    }
}

/// The literals of a pattern filter.
pub(super) fn pattern_needles(pattern: &[u8]) -> Required {
    let Ok(pattern) = Pattern::for_filter(pattern) else { return Required::default() };
    let mut needles = Vec::new();
    for part in pattern.parts() {
        if let PatternPart::Literal(bytes) = part {
            needles.push(AnyOf(vec![Needle::exact(bytes.as_slice())]));
        }
    }
    Required(needles)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ast::Stage;
    use crate::parse::parse_log;

    #[test]
    fn filters_as_searches() {
        for (filter, needles, is_whole, negated) in [
            (r#"|= "x""#, "x", true, false),
            (r#"!= "x""#, "x", true, true),
            (r#"|= "x" or "y""#, "x/y", true, false),
            (r#"|= """#, "", false, false),
            (r#"|= "" or "y""#, "", false, false),
            (r#"|~ "error""#, "error", true, false),
            (r#"|~ "(?i)Error""#, "~error", true, false),
            (r#"|~ "(?i)task""#, "~ta", false, false),
            (r#"|~ "(?i)1-2""#, "1-2", true, false),
            (r#"!~ "a.*b""#, "a b", false, true),
            (r#"|~ "(warn)""#, "warn", true, false),
            (r#"|~ "warn|error""#, "error/warn", true, false),
            (r#"|~ "^a""#, "a", false, false),
            (r#"|~ "\\d""#, "", false, false),
            (r#"|> "a <_> b""#, "a / b", false, false),
            (r#"|= ip("1.1.1.1")"#, "", false, false),
        ] {
            let log = parse_log(&format!("{{a=\"1\"}} {filter}")).expect(filter);
            let [Stage::LineFilter(written)] = log.pipeline.as_slice() else { panic!("{filter}") };
            let search = line_search(written);
            let show = |needle: &Needle| {
                let case = if needle.ignore_ascii_case { "~" } else { "" };
                format!("{case}{}", String::from_utf8_lossy(&needle.bytes))
            };
            let group = |any: &AnyOf| any.0.iter().map(show).collect::<Vec<_>>().join("/");
            let found: Vec<String> = search.required.0.iter().map(group).collect();
            let separator = if filter.starts_with("|>") { "/" } else { " " };
            let found = found.join(separator).replace("a / / b", "a / b");
            assert_eq!(
                (found.as_str(), search.is_whole, search.negated),
                (needles, is_whole, negated),
                "{filter}"
            );
        }
    }
}
