//! Queries that only count: of each row they need to know that it is there, how long its line is, and labels
//! that many rows share.

use std::collections::BTreeSet;

use larch_types::{Matcher, Span};

use super::{LabelNeed, pushed_grouping, range_scan};
use crate::ast::{Grouping, LabelFilter, MetricExpr, RangeAggregation, RangeOp, Stage};

/// A row's metadata of these names makes it a row with an error, which is treated otherwise.
const ERROR_LABELS: [&str; 2] = ["__error__", "__error_details__"];

/// What must be known of rows to count them.
#[derive(Debug, Clone, PartialEq)]
pub struct Countable<'a> {
    /// In the order written.
    pub ranges: Vec<CountedRange<'a>>,
    /// Rows that differ in no other label need not be told apart.
    pub labels: LabelNeed,
}

/// The rows that one range counts at time t are in (t − offset − range, t − offset].
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct CountedRange<'a> {
    pub matchers: &'a [Matcher],
    pub range: Span,
    pub offset: Span,
}

/// None if some range needs more than counts, or there is none.
pub fn countable(metric: &MetricExpr) -> Option<Countable<'_>> {
    let mut found = Countable { ranges: Vec::new(), labels: LabelNeed::Only(BTreeSet::new()) };
    // By hand, because expressions may be very deep.
    let mut waiting: Vec<(&MetricExpr, Option<&Grouping>)> = vec![(metric, None)];
    while let Some((expr, pushed)) = waiting.pop() {
        match expr {
            MetricExpr::Range(aggregation) => found.add(aggregation, pushed)?,
            MetricExpr::Vector(aggregation) => {
                waiting.push((&aggregation.expr, pushed_grouping(aggregation)));
            }
            MetricExpr::Binary(binary) => waiting.extend([(&binary.right, None), (&binary.left, None)]),
            MetricExpr::LabelReplace(replace) => waiting.push((&replace.expr, None)),
            MetricExpr::Literal(_) | MetricExpr::VectorOf(_) => {}
        }
    }
    if found.ranges.is_empty() {
        return None;
    }
    if let LabelNeed::Only(names) = &mut found.labels {
        names.extend(ERROR_LABELS.map(str::to_owned));
    }
    Some(found)
}

impl<'a> Countable<'a> {
    fn add(&mut self, aggregation: &'a RangeAggregation, pushed: Option<&Grouping>) -> Option<()> {
        let counts = matches!(
            aggregation.op,
            RangeOp::CountOverTime
                | RangeOp::Rate
                | RangeOp::BytesOverTime
                | RangeOp::BytesRate
                | RangeOp::AbsentOverTime
        );
        let range = &aggregation.range;
        if !counts || range.unwrap.is_some() || !range.log.pipeline.iter().all(sees_labels_only) {
            return None;
        }
        let needed = range_scan(aggregation, pushed).labels;
        match (&mut self.labels, needed) {
            (LabelNeed::Only(all), LabelNeed::Only(names)) => all.extend(names),
            (all, _) => *all = LabelNeed::All,
        }
        self.ranges.push(CountedRange {
            matchers: &range.log.matchers,
            range: range.range,
            offset: range.offset,
        });
        Some(())
    }
}

/// Whether the stage does the same to all rows with the same labels, and never fails.
fn sees_labels_only(stage: &Stage) -> bool {
    match stage {
        Stage::Drop(_) | Stage::Keep(_) => true,
        Stage::LabelFilter(filter) => {
            let mut is_text = true;
            filter.for_each_leaf(&mut |leaf| is_text &= matches!(leaf, LabelFilter::Text(_)));
            is_text
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::parse_metric;

    #[test]
    fn what_can_be_counted() {
        for (query, ranges, labels) in [
            (r#"count_over_time({a="1"}[5m])"#, 1, None),
            (r#"sum(rate({a="1"}[5m]))"#, 1, Some("")),
            (r#"sum by (job) (bytes_rate({a="1"}[5m]))"#, 1, Some("job")),
            (r#"sum by (job_extracted) (rate({a="1"}[5m]))"#, 1, Some("job job_extracted")),
            (r#"sum without (job) (rate({a="1"}[5m]))"#, 1, None),
            (r#"max by (job) (rate({a="1"}[5m]))"#, 1, None),
            (
                r#"sum by (x) (rate({a="1"} | detected_level="error" or b=~"c" | drop __error__[5m]))"#,
                1,
                Some("b detected_level x"),
            ),
            (
                r#"sum(rate({a="1"}[5m])) / sum by (x) (bytes_over_time({b="1"}[1h] offset 1m)) > 1"#,
                2,
                Some("x"),
            ),
            (r#"absent_over_time({a="1"}[5m])"#, 1, None),
            (r#"topk(2, sum by (x) (count_over_time({a="1"} | keep x [5m])))"#, 1, Some("x")),
        ] {
            let metric = parse_metric(query).unwrap();
            let found = countable(&metric).unwrap_or_else(|| panic!("{query}"));
            assert_eq!(found.ranges.len(), ranges, "{query}");
            match (found.labels, labels) {
                (LabelNeed::All, None) => {}
                (LabelNeed::Only(names), Some(labels)) => {
                    let mut want: BTreeSet<&str> = labels.split_whitespace().collect();
                    want.extend(ERROR_LABELS);
                    assert_eq!(names.iter().map(String::as_str).collect::<BTreeSet<_>>(), want, "{query}");
                }
                (found, _) => panic!("{query}: {found:?}"),
            }
        }
        for query in [
            "vector(1)",
            r#"rate({a="1"} |= "x" [5m])"#,
            r#"sum(rate({a="1"} | json [5m]))"#,
            r#"sum(rate({a="1"} | b > 5 [5m]))"#,
            r#"sum(bytes_rate({a="1"} | line_format "x" [5m]))"#,
            r#"rate({a="1"} | unwrap b [5m])"#,
            r#"sum_over_time({a="1"} | unwrap b [5m])"#,
            r#"sum(rate({a="1"}[5m])) / sum(rate({a="1"} |= "x" [5m]))"#,
        ] {
            assert_eq!(countable(&parse_metric(query).unwrap()), None, "{query}");
        }
    }
}
