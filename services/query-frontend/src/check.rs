//! Whether a query may be asked at all, before anything is read.

use std::collections::BTreeMap;

use larch_api::{Bounds, QueryTags};
use larch_limits::{BlockedQuery, QueryKind};
use larch_logql::{Expr, Flavor, Regex, Scan, Stage, reach, scans};
use larch_types::{Matcher, Span, Timestamp};

use crate::limits::{LimitError, ReadLimits};
use crate::watch::{Kind, fnv1};

/// Labels of streams that Larch writes about others.
const INTERNAL_LABELS: [&str; 2] = ["__aggregated_metric__", "__pattern__"];

/// What kind of query it is, by what it costs.
pub(crate) fn kind_of(expr: &Expr) -> Kind {
    match expr {
        Expr::Metric(_) => Kind::Metric,
        Expr::Log(log) => {
            let filters = |stage: &Stage| matches!(stage, Stage::LineFilter(_) | Stage::LabelFilter(_));
            if log.pipeline.iter().any(filters) { Kind::Filter } else { Kind::Limited }
        }
    }
}

/// The limits that are about the text of a query, in the order in which Loki tells of them.
pub(crate) fn check_query(
    expr: &Expr,
    text: &str,
    limits: &ReadLimits,
    tags: &QueryTags,
) -> Result<(), LimitError> {
    if limits.parallelism == 0 {
        return Err(LimitError::Disabled);
    }
    let reads = scans(expr);
    for scan in &reads {
        check_labels(scan, limits)?;
        check_internal(scan.matchers, tags)?;
    }
    let count: usize = reads.iter().map(|scan| scan.matchers.len()).max().unwrap_or_default();
    if limits.matchers > 0 && count > usize::try_from(limits.matchers).unwrap_or(usize::MAX) {
        return Err(LimitError::Matchers { asked: count, limit: limits.matchers });
    }
    if let Expr::Metric(metric) = expr
        && let Some(reach) = reach(metric)
        && limits.range > Span::ZERO
        && reach.longest_range > limits.range
    {
        return Err(LimitError::Range { asked: reach.longest_range, limit: limits.range });
    }
    if is_blocked(text, kind_of(expr), limits, tags) {
        return Err(LimitError::Blocked);
    }
    Ok(())
}

fn check_labels(scan: &Scan<'_>, limits: &ReadLimits) -> Result<(), LimitError> {
    let mut present: Vec<String> = Vec::new();
    for matcher in scan.matchers {
        if !present.contains(&matcher.name) {
            present.push(matcher.name.clone());
        }
    }
    let mut missing = limits.required_labels.clone();
    missing.retain(|label| !present.contains(label));
    if !missing.is_empty() {
        return Err(LimitError::RequiredLabels { missing, present });
    }
    let required = limits.minimum_labels;
    if present.len() < usize::try_from(required).unwrap_or(usize::MAX) {
        return Err(LimitError::FewLabels { present, required });
    }
    Ok(())
}

/// Only one app may look at streams that Larch writes about others.
pub(crate) fn check_internal(matchers: &[Matcher], tags: &QueryTags) -> Result<(), LimitError> {
    let names_internal = matchers.iter().any(|matcher| INTERNAL_LABELS.contains(&matcher.name.as_str()));
    if names_internal && !tags.is_drilldown() { Err(LimitError::InternalStreams) } else { Ok(()) }
}

/// The first rule of a tenant that fits the text decides, also if it is for other kinds or tags.
fn is_blocked(text: &str, kind: Kind, limits: &ReadLimits, tags: &QueryTags) -> bool {
    let tags: BTreeMap<String, &str> = tags.pairs().collect();
    for limits in &limits.of_tenants {
        let Some(rule) = limits.blocked_queries.iter().find(|rule| fits(rule, text)) else { continue };
        let of_kind = rule.types.is_empty() || rule.types.iter().any(|one| is_kind(*one, kind));
        let tagged = rule.query_tags.iter().all(|(key, value)| {
            tags.get(&key.to_ascii_lowercase()).is_some_and(|found| found.eq_ignore_ascii_case(value))
        });
        if of_kind && tagged {
            return true;
        }
    }
    false
}

fn is_kind(rule: QueryKind, kind: Kind) -> bool {
    matches!(
        (rule, kind),
        (QueryKind::Metric, Kind::Metric)
            | (QueryKind::Filter, Kind::Filter)
            | (QueryKind::Limited, Kind::Limited)
    )
}

fn fits(rule: &BlockedQuery, text: &str) -> bool {
    if rule.hash != 0 {
        return rule.hash == fnv1(text.as_bytes());
    }
    if rule.pattern.is_empty() || rule.pattern.trim() == text.trim() {
        return true;
    }
    // An expression that does not compile blocks nothing, as in Loki.
    let regex = || Regex::new(&rule.pattern, Flavor::Search).ok();
    rule.regex && regex().is_some_and(|regex| regex.is_match(text.as_bytes()))
}

/// The part of the range that may be looked at; none if all of it is too old.
pub(crate) fn within_lookback(bounds: Bounds, now: Timestamp, lookback: Span) -> Option<Bounds> {
    if lookback.is_zero() {
        return Some(bounds);
    }
    let oldest = now.minus(lookback);
    (bounds.end >= oldest).then(|| Bounds { start: bounds.start.max(oldest), ..bounds })
}

pub(crate) fn check_length(bounds: Bounds, limit: Span) -> Result<(), LimitError> {
    let asked = bounds.length();
    if limit > Span::ZERO && asked > limit { Err(LimitError::Length { asked, limit }) } else { Ok(()) }
}

#[cfg(test)]
mod tests;
