//! From what the threads gathered to the answer.

use std::sync::Arc;

use larch_logql::{
    EvalError, LabelSet, Memory, MetricAnswer, Point, RangeOp, Sample, SampleWindow, evaluate_window,
    quantile_of,
};
use larch_types::Timestamp;

use crate::counts::{CountReader, StepCounts};
use crate::gather::{ContestedSample, Gathered, RangeGathered, Sampled};
use crate::memory::SharedMemory;
use crate::query::MetricQuery;
use crate::range::{Gathers, RangePlan};
use crate::streams::StreamTable;
use crate::values::{StepValues, ValueReader};

impl MetricQuery {
    /// The answer; none if it was stopped.
    pub fn finish(
        &self,
        gathered: Vec<Gathered>,
        streams: &StreamTable,
        memory: &SharedMemory,
        goes_on: impl FnMut() -> bool,
    ) -> Result<Option<MetricAnswer>, EvalError> {
        let ranks = streams.ranks();
        let mut by_range: Vec<Vec<RangeGathered>> = self.ranges.iter().map(|_| Vec::new()).collect();
        for one in gathered {
            for (range, of_range) in by_range.iter_mut().zip(one.ranges) {
                range.push(of_range);
            }
        }
        let mut finished = Vec::with_capacity(by_range.len());
        for (plan, of_threads) in self.ranges.iter().zip(by_range) {
            finished.push(Finished::new(plan, of_threads, &ranks));
        }
        let mut left = Memory::new(memory.limit());
        left.take(usize::try_from(memory.used()).unwrap_or(usize::MAX))?;
        self.program.finish_while(
            &mut |place, time| finished[place].evaluate(&self.ranges[place], self.step_of(time), time),
            &mut left,
            goes_on,
        )
    }

    fn step_of(&self, time: Timestamp) -> u32 {
        // There are at most a hundred thousand.
        (time.since(self.steps.start()).nanos() / self.steps.step().nanos().max(1)) as u32
    }
}

/// One range, ready to be asked step after step.
struct Finished {
    /// In the order of their labels.
    series: Vec<FinishedSeries>,
}

struct FinishedSeries {
    labels: Arc<LabelSet>,
    samples: Samples,
}

enum Samples {
    Counts {
        rows: CountReader,
        bytes: CountReader,
    },
    Values(ValueReader),
    /// By time; the window begins and ends at these places.
    Points {
        points: Vec<Point>,
        from: usize,
        to: usize,
    },
}

impl Finished {
    fn new(plan: &RangePlan, of_threads: Vec<RangeGathered>, ranks: &[u32]) -> Self {
        let all = united(of_threads);
        let RangeGathered { series, rows, bytes, points, values, contested, .. } = all;
        let contested = by_series(contested, ranks, series.len());
        let mut values = values.into_iter();
        let (mut rows, mut bytes) = (rows.into_iter(), bytes.into_iter());
        let (mut points, mut contested) = (points.into_iter(), contested.into_iter());
        let mut finished = Vec::with_capacity(series.len());
        for labels in series.into_labels() {
            let samples = if plan.gathers == Gathers::Points {
                let sampled = points.next().unwrap_or_default();
                let sampled = in_order(sampled, contested.next().unwrap_or_default(), ranks);
                Samples::Points { points: sampled, from: 0, to: 0 }
            } else if plan.gathers == Gathers::Values {
                let mut values = values.next().unwrap_or_default();
                for sample in contested.next().unwrap_or_default() {
                    if let Some((step, _)) = plan.windows.seen(sample.time).steps {
                        values.push(step, sample.value);
                    }
                }
                Samples::Values(values.reader())
            } else {
                let rows = rows.next().unwrap_or_default().reader();
                Samples::Counts { rows, bytes: bytes.next().unwrap_or_default().reader() }
            };
            finished.push(FinishedSeries { labels: Arc::new(labels), samples });
        }
        finished.sort_by(|left, right| left.labels.cmp(&right.labels));
        Self { series: finished }
    }

    /// Steps must not go back.
    fn evaluate(&mut self, plan: &RangePlan, step: u32, time: Timestamp) -> Result<Vec<Sample>, EvalError> {
        let end = time.minus(plan.offset);
        let mut out = Vec::new();
        let mut is_absent = true;
        for series in &mut self.series {
            let (is_there, value) = series.samples.at(plan, step, end);
            if !is_there {
                continue;
            }
            is_absent = false;
            series.labels.refuse_error()?;
            if let Some(value) = value {
                out.push(Sample { labels: Arc::clone(&series.labels), value });
            }
        }
        if plan.op == RangeOp::AbsentOverTime && is_absent {
            out.push(Sample { labels: Arc::clone(&plan.absent), value: 1.0 });
        }
        Ok(out)
    }
}

impl Samples {
    /// Whether the window has samples, and what they come to.
    fn at(&mut self, plan: &RangePlan, step: u32, end: Timestamp) -> (bool, Option<f64>) {
        match self {
            Self::Counts { rows, bytes } => {
                let (rows, bytes) = (rows.at(step), bytes.at(step));
                // Exact: far below 2^53.
                let value = match plan.op {
                    RangeOp::CountOverTime => Some(rows as f64),
                    RangeOp::Rate => Some(rows as f64 / plan.range.as_secs_f64()),
                    RangeOp::BytesOverTime => Some(bytes as f64),
                    RangeOp::BytesRate => Some(bytes as f64 / plan.range.as_secs_f64()),
                    _ => None,
                };
                (rows > 0, value)
            }
            Self::Values(values) => {
                let mut values = values.at(step);
                (!values.is_empty(), quantile_of(plan.quantile, &mut values))
            }
            Self::Points { points, from, to } => {
                let start = end.minus(plan.range);
                while points.get(*to).is_some_and(|point| point.time <= end) {
                    *to += 1;
                }
                while *from < *to && points[*from].time <= start {
                    *from += 1;
                }
                let points = &points[*from..*to];
                let window = SampleWindow { points, sum: None, end, range: plan.range };
                (!points.is_empty(), evaluate_window(plan.op, plan.quantile, window))
            }
        }
    }
}

/// What all threads gathered, as one.
fn united(of_threads: Vec<RangeGathered>) -> RangeGathered {
    let mut of_threads = of_threads.into_iter();
    let mut all = of_threads.next().unwrap_or_default();
    all.settle();
    for mut one in of_threads {
        one.settle();
        let RangeGathered { series, rows, bytes, points, values, contested, passed, .. } = one;
        let mut numbers = Vec::with_capacity(series.len());
        for labels in series.into_labels() {
            numbers.push(all.series.number_of_set(labels).0);
        }
        absorb(&mut all.rows, rows, &numbers, StepCounts::absorb);
        absorb(&mut all.bytes, bytes, &numbers, StepCounts::absorb);
        absorb(&mut all.points, points, &numbers, |all, one| all.extend_from_slice(one));
        absorb(&mut all.values, values, &numbers, StepValues::absorb);
        let renumbered =
            contested.into_iter().map(|one| ContestedSample { series: numbers[one.series as usize], ..one });
        all.contested.extend(renumbered);
        all.passed += passed;
    }
    all
}

fn absorb<T: Default>(all: &mut Vec<T>, of_thread: Vec<T>, numbers: &[u32], add: impl Fn(&mut T, &T)) {
    for (number, one) in of_thread.iter().enumerate() {
        let number = numbers[number] as usize;
        if all.len() <= number {
            all.resize_with(number + 1, T::default);
        }
        add(&mut all[number], one);
    }
}

/// Samples of which there may be copies, by series: each once, in the order of their rows.
fn by_series(mut contested: Vec<ContestedSample>, ranks: &[u32], series: usize) -> Vec<Vec<Sampled>> {
    let mut out: Vec<Vec<Sampled>> = (0..series).map(|_| Vec::new()).collect();
    let rank = |sample: &ContestedSample| ranks[sample.stream as usize];
    // Of equal rows the one that was pushed first stays.
    contested.sort_unstable_by_key(|sample| {
        (sample.series, sample.time, rank(sample), sample.identity, sample.stamp, sample.index)
    });
    contested.dedup_by_key(|sample| (sample.series, sample.time, sample.stream, sample.identity));
    contested.sort_unstable_by_key(|sample| {
        (sample.series, sample.time, rank(sample), sample.stamp, sample.index, sample.identity)
    });
    for sample in contested {
        let ContestedSample { series, stream, time, value, .. } = sample;
        out[series as usize].push(Sampled { time: time.nanos(), value, stream, chunk: 0 });
    }
    out
}

/// By time, then by stream, then by push. All rows of one stream and time are contested or none is, so that
/// the order of those is kept.
fn in_order(mut sampled: Vec<Sampled>, mut contested: Vec<Sampled>, ranks: &[u32]) -> Vec<Point> {
    sampled.append(&mut contested);
    // Stable, and quick where what is to be sorted is in runs, as the rows of chunks are.
    sampled.sort_by_key(|sample| (sample.time, ranks[sample.stream as usize], sample.chunk));
    let point = |sample: &Sampled| Point { time: Timestamp::from_nanos(sample.time), value: sample.value };
    sampled.iter().map(point).collect()
}
