//! One range aggregation: which rows it wants, their samples, and its windows.

use std::sync::Arc;

use larch_types::{MatchOp, Matcher, RowOrder, Span, Timestamp};

use super::sampler::Sampler;
use super::samples::{RawSample, SampledSeries, Samples};
use crate::ast::{Grouping, RangeAggregation, RangeOp};
use crate::eval::budget::Memory;
use crate::eval::range::{Window, evaluate};
use crate::eval::streams::Streams;
use crate::eval::vector::Vector;
use crate::eval::{CountedRows, EvalError, InputRow, LabelSet, Sample, Steps};
use crate::stage::Row;

#[derive(Debug)]
pub(crate) struct RangeScan {
    op: RangeOp,
    /// Read by one operator only.
    quantile: f64,
    range: Span,
    offset: Span,
    steps: Steps,
    /// What stands in for the series that are not there.
    absent: Arc<LabelSet>,
    streams: Streams,
    sampler: Sampler,
    samples: Samples,
    series: Vec<SampledSeries>,
}

impl RangeScan {
    pub(crate) fn new(
        aggregation: &RangeAggregation,
        pushed: Option<&Grouping>,
        steps: Steps,
    ) -> Result<Self, EvalError> {
        let matchers = &aggregation.range.log.matchers;
        Ok(Self {
            op: aggregation.op,
            quantile: aggregation.quantile.unwrap_or(f64::NAN),
            range: aggregation.range.range,
            offset: aggregation.range.offset,
            steps,
            absent: Arc::new(absent_labels(matchers)),
            streams: Streams::new(matchers)?,
            sampler: Sampler::new(aggregation, pushed)?,
            samples: Samples::default(),
            series: Vec::new(),
        })
    }

    /// Takes the row's sample, if some window sees the row and the pipeline keeps it; whether there was one.
    pub(crate) fn add<'r>(
        &mut self,
        row: &InputRow<'r>,
        work: &mut Row<'r>,
        memory: &mut Memory,
    ) -> Result<bool, EvalError> {
        if !self.is_seen(row.timestamp()) {
            return Ok(false);
        }
        let Some(stream) = self.streams.place(row, memory)? else { return Ok(false) };
        let Some((value, labels)) = self.sampler.sample(row, work) else { return Ok(false) };
        let sample = RawSample {
            time: row.timestamp(),
            value,
            stream,
            index: row.order.index,
            stamp: row.order.stamp,
            identity: row.identity(),
        };
        self.samples.add(&labels, &[sample], memory)?;
        Ok(true)
    }

    /// As `add`; how many rows gave a sample.
    pub(crate) fn add_counted<'r>(
        &mut self,
        rows: &CountedRows<'r>,
        work: &mut Row<'r>,
        memory: &mut Memory,
    ) -> Result<u64, EvalError> {
        let row = rows.row();
        let Some(stream) = self.streams.place(&row, memory)? else { return Ok(0) };
        let (identity, mut samples, mut passed) = (rows.identity(), Vec::new(), 0);
        for (time, rows, bytes) in rows.counts {
            if self.is_seen(*time) {
                let value = self.sampler.counted(*rows, *bytes);
                let RowOrder { stamp, index, .. } = row.order;
                samples.push(RawSample { time: *time, value, stream, index, stamp, identity });
                passed += rows;
            }
        }
        if samples.is_empty() {
            return Ok(0);
        }
        let Some((_, labels)) = self.sampler.sample(&row, work) else { return Ok(0) };
        self.samples.add(&labels, &samples, memory)?;
        Ok(passed)
    }

    /// All rows have come.
    pub(crate) fn seal(&mut self) {
        self.series = std::mem::take(&mut self.samples).into_series(&self.streams.ranks());
    }

    /// Times must not go back.
    pub(crate) fn evaluate(&mut self, time: Timestamp) -> Result<Vector, EvalError> {
        let end = time.minus(self.offset);
        let start = end.minus(self.range);
        let mut out = Vector::new();
        let mut is_absent = true;
        for series in &mut self.series {
            series.advance(start, end);
            let points = series.in_window();
            if points.is_empty() {
                continue;
            }
            is_absent = false;
            refuse_error(&series.labels)?;
            let sum = self.sampler.counts_wholes().then(|| series.whole_sum());
            let window = Window { points, sum, end, range: self.range };
            if let Some(value) = evaluate(self.op, self.quantile, window) {
                out.push(Sample { labels: series.labels.clone(), value });
            }
        }
        if self.op == RangeOp::AbsentOverTime && is_absent {
            out.push(Sample { labels: self.absent.clone(), value: 1.0 });
        }
        Ok(out)
    }

    /// Whether the window of some step holds the time: the first step that is not before it is the one
    /// whose window begins first.
    fn is_seen(&self, time: Timestamp) -> bool {
        let wide = |time: Timestamp| i128::from(time.nanos());
        let (start, end) = (wide(self.steps.start()), wide(self.steps.end()));
        let needed = wide(time) + i128::from(self.offset.nanos());
        let step = if needed <= start {
            start
        } else if self.steps.is_instant() {
            return false;
        } else {
            let step = i128::from(self.steps.step().nanos());
            start + (needed - start + step - 1) / step * step
        };
        step <= end && step - needed < i128::from(self.range.nanos())
    }
}

/// Unless the query asked for the errors themselves.
fn refuse_error(labels: &LabelSet) -> Result<(), EvalError> {
    match labels.get("__error__") {
        Some(error) if !error.is_empty() && labels.get("__preserve_error__") != Some("true") => {
            Err(EvalError::Pipeline { error: error.to_owned(), series: labels.clone() })
        }
        _ => Ok(()),
    }
}

/// What the selector says for certain: labels that are asked to have one value, and nothing else.
fn absent_labels(matchers: &[Matcher]) -> LabelSet {
    let mut labels: Vec<(&str, &str)> = Vec::new();
    let mut seen: Vec<&str> = Vec::new();
    for matcher in matchers {
        let name = matcher.name.as_str();
        if matcher.op == MatchOp::Equal && !seen.contains(&name) {
            labels.push((name, &matcher.value));
        } else {
            labels.retain(|(known, _)| *known != name);
        }
        seen.push(name);
    }
    labels.retain(|(_, value)| !value.is_empty());
    LabelSet::from_pairs(labels)
}
