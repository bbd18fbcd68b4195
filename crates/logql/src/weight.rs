//! How much it takes to build the regexes of a query. Each one is bounded by itself, but a query has room for
//! thousands, and a few bytes such as `\pL{100}` may need megabytes.

use larch_template::Template;
use larch_types::{MatchOp, Matcher};

use crate::ast::{
    Expr, FormatValue, LabelFilter, LabelTarget, LineFilter, LineOp, LineOperand, LogExpr, MetricExpr, Stage,
    Unwrap,
};
use crate::compile;
use crate::error::{Meaningless, ParseError};
use crate::regex;

/// About fifty megabytes and half a second. A thousand regexes of the usual kind come to a sixth of it.
const MAX_WEIGHT: u64 = 300_000;

/// Refuses queries whose regexes together are too large to build.
pub(crate) fn check_weight(expr: &Expr) -> Result<(), ParseError> {
    let weight = match expr {
        Expr::Log(log) => of_log(log),
        Expr::Metric(metric) => of_metric(metric),
    };
    refuse_above(weight)
}

pub(crate) fn check_log_weight(log: &LogExpr) -> Result<(), ParseError> {
    refuse_above(of_log(log))
}

pub(crate) fn check_metric_weight(metric: &MetricExpr) -> Result<(), ParseError> {
    refuse_above(of_metric(metric))
}

fn refuse_above(weight: u64) -> Result<(), ParseError> {
    if weight > MAX_WEIGHT { Err(Meaningless::HeavyRegexes.into()) } else { Ok(()) }
}

/// The parser bounds how deep an expression is.
fn of_metric(metric: &MetricExpr) -> u64 {
    match metric {
        MetricExpr::Range(aggregation) => {
            let unwrap = aggregation.range.unwrap.as_ref().map_or(0, of_unwrap);
            of_log(&aggregation.range.log).saturating_add(unwrap)
        }
        MetricExpr::Vector(aggregation) => of_metric(&aggregation.expr),
        MetricExpr::Binary(binary) => of_metric(&binary.left).saturating_add(of_metric(&binary.right)),
        MetricExpr::LabelReplace(replace) => {
            of_metric(&replace.expr).saturating_add(regex::weight(&replace.regex))
        }
        MetricExpr::Literal(_) | MetricExpr::VectorOf(_) => 0,
    }
}

fn of_log(log: &LogExpr) -> u64 {
    let matchers = log.matchers.iter().map(of_matcher);
    matchers.chain(log.pipeline.iter().map(of_stage)).fold(0, u64::saturating_add)
}

fn of_unwrap(unwrap: &Unwrap) -> u64 {
    unwrap.filters.iter().map(of_label_filter).fold(0, u64::saturating_add)
}

fn of_stage(stage: &Stage) -> u64 {
    match stage {
        Stage::LineFilter(filter) => of_line_filter(filter),
        Stage::Regexp(regex) => regex::weight(regex),
        Stage::LabelFilter(filter) => of_label_filter(filter),
        Stage::LineFormat(template) => of_template(template),
        Stage::LabelFormat(formats) => {
            let of_format = |value: &FormatValue| match value {
                FormatValue::Rename(_) => 0,
                FormatValue::Template(template) => of_template(template),
            };
            formats.iter().map(|format| of_format(&format.value)).fold(0, u64::saturating_add)
        }
        Stage::Drop(targets) | Stage::Keep(targets) => {
            let of_target = |target: &LabelTarget| match target {
                LabelTarget::Name(_) => 0,
                LabelTarget::Matching(matcher) => of_matcher(matcher),
            };
            targets.iter().map(of_target).fold(0, u64::saturating_add)
        }
        Stage::Json(_) | Stage::Logfmt(_) | Stage::Pattern(_) | Stage::Unpack | Stage::Decolorize => 0,
    }
}

fn of_line_filter(filter: &LineFilter) -> u64 {
    if !matches!(filter.op, LineOp::Regex | LineOp::NotRegex) {
        return 0;
    }
    let of_operand = |operand: &LineOperand| match operand {
        LineOperand::Text(text) => text.as_str().map_or(0, regex::weight),
        LineOperand::Ip(_) => 0,
    };
    filter.operands.iter().map(of_operand).fold(0, u64::saturating_add)
}

fn of_label_filter(filter: &LabelFilter) -> u64 {
    let mut weight = 0_u64;
    filter.for_each_leaf(&mut |leaf| {
        if let LabelFilter::Text(matcher) = leaf {
            weight = weight.saturating_add(of_matcher(matcher));
        }
    });
    weight
}

fn of_matcher(matcher: &Matcher) -> u64 {
    match matcher.op {
        MatchOp::Equal | MatchOp::NotEqual => 0,
        MatchOp::Regex | MatchOp::NotRegex => regex::weight(&matcher.value),
    }
}

fn of_template(text: &str) -> u64 {
    let Ok(template) = Template::parse("", text, compile::uncompiled) else { return 0 };
    let regexes = template.regex_literals().filter_map(|regex| str::from_utf8(regex).ok());
    regexes.map(regex::weight).fold(0, u64::saturating_add)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::parse::parse;

    #[track_caller]
    fn check(query: &str, allowed: bool) {
        assert_eq!(check_weight(&parse(query).unwrap()).is_ok(), allowed, "{query:.200}");
    }

    #[test]
    fn many_small_ones_or_few_large_ones() {
        let filters = |filter: &str, count: usize| format!(r#"{{a="b"}}{}"#, filter.repeat(count));
        check(&filters(r#" |~ "status=[45]\\d\\d""#, 4000), true);
        check(&filters(r#" |~ "(?i)error|warn(ing)?|fatal""#, 3000), true);
        check(&filters(r#" |~ "\\pL{100}""#, 5), true);
        for heavy in [
            r#" |~ "\\pL{100}""#,
            r#" !~ "\\pL{100}""#,
            r#" | x=~"\\pL{100}""#,
            r#" | a="b" or x!~"\\pL{100}""#,
            r#" | regexp "(?P<x>\\pL{100})""#,
            r#" | drop x=~"\\pL{100}""#,
            r#" | keep x!~"\\pL{100}""#,
            r#" | line_format "{{regexReplaceAll `\\pL{100}` .x `y`}}""#,
            r#" | label_format x="{{count `\\pL{100}` .x}}""#,
        ] {
            check(&filters(heavy, 50), false);
            check(&format!("rate({}[1m])", filters(heavy, 50)), false);
        }
        check(&format!(r#"{{a=~"b"{}}}"#, r#",a=~"\\pL{100}""#.repeat(50)), false);
        check(&format!(r#"rate({{a="b"}}| unwrap x{}[1m])"#, r#"| a=~"\\pL{100}""#.repeat(50)), false);
        let range = r#"rate({a="b"} |~ "\\pL{100}"[1m])"#;
        check(&format!("{range}{}", format!("+ {range}").repeat(50)), false);
        let replaced = (0..50).fold("vector(1)".to_owned(), |inner, _| {
            format!(r#"label_replace({inner}, "a", "b", "c", "\\pL{{100}}")"#)
        });
        check(&replaced, false);
    }
}
