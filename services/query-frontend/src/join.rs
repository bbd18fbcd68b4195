//! From what workers brought to answers.

mod rows;

use std::collections::BTreeMap;
use std::sync::Arc;

use larch_api::{LogRows, Statistics, Volume};
use larch_logql::{EvalError, LabelSet, MetricAnswer, MetricEvaluation, Sample, Series};
use larch_proto::{Pair, PatternSeries, QueryStatistics, SampleSeries};
use larch_types::{Labels, Span, Timestamp};

pub(crate) use rows::merged_rows;

use crate::error::ReadError;
use crate::run::Gathered;

/// What the samples of a piece are for.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Portion {
    /// The leg of a divided query.
    pub(crate) leg: usize,
    /// The piece's first instant, from which its steps are counted.
    pub(crate) start: Timestamp,
}

/// The rows of a log query, as they are shown. Pieces come in the order of the answer.
pub(crate) fn rows(gathered: &mut [Gathered], categorized: bool, limit: u32) -> LogRows {
    let mut rows = LogRows::new(categorized);
    let mut wanted = usize::try_from(limit).unwrap_or(usize::MAX);
    for piece in gathered {
        for mut batch in std::mem::take(&mut piece.entries) {
            batch.entries.truncate(wanted);
            wanted -= batch.entries.len();
            rows.add(batch);
        }
    }
    rows
}

/// The series of a range query, ordered by labels. Pieces come in the order of time.
pub(crate) fn matrix(gathered: &mut [Gathered], portions: &[Portion], step: Span) -> Vec<Series> {
    let mut table: BTreeMap<LabelSet, Vec<(Timestamp, f64)>> = BTreeMap::new();
    for (piece, portion) in gathered.iter_mut().zip(portions) {
        for one in std::mem::take(&mut piece.samples) {
            let points = table.entry(label_set(&one.labels)).or_default();
            for (number, value) in one.steps.into_iter().zip(one.values) {
                points.push((time_of(portion.start, step, number), value));
            }
        }
    }
    let mut series = Vec::with_capacity(table.len());
    for (labels, mut points) in table {
        // Series with equal labels may have several points at a time; their order among each other stays.
        points.sort_by_key(|(time, _)| *time);
        series.push(Series { labels: Arc::new(labels), points });
    }
    series
}

/// The samples of an instant query, ordered by labels unless the query has an order of its own.
pub(crate) fn vector(gathered: &mut [Gathered], sorts: bool) -> Vec<Sample> {
    let mut samples = Vec::new();
    for piece in gathered {
        for one in std::mem::take(&mut piece.samples) {
            let labels = Arc::new(label_set(&one.labels));
            samples
                .extend(one.values.iter().map(|value| Sample { labels: Arc::clone(&labels), value: *value }));
        }
    }
    if !sorts {
        samples.sort_by(|left, right| left.labels.cmp(&right.labels));
    }
    samples
}

/// Puts a divided query together.
pub(crate) fn legs(
    mut whole: MetricEvaluation,
    gathered: &mut [Gathered],
    portions: &[Portion],
    step: Span,
) -> Result<MetricAnswer, EvalError> {
    for (piece, portion) in gathered.iter_mut().zip(portions) {
        for one in std::mem::take(&mut piece.samples) {
            let time = |number| time_of(portion.start, step, number);
            let points = one.steps.into_iter().map(time).zip(one.values);
            whole.give(portion.leg, label_set(&one.labels), points)?;
        }
    }
    whole.finish()
}

fn time_of(start: Timestamp, step: Span, number: u32) -> Timestamp {
    start.plus(Span::from_nanos(step.nanos().saturating_mul(i64::from(number))))
}

fn label_set(labels: &[Pair]) -> LabelSet {
    LabelSet::from_pairs(labels.iter().map(|pair| (pair.name.as_str(), pair.value.as_str())))
}

/// How many series an answer has, and how many points.
pub(crate) fn sizes(answer: &MetricAnswer) -> (usize, u64) {
    match answer {
        MetricAnswer::Matrix(series) => {
            let points: usize = series.iter().map(|series| series.points.len()).sum();
            (series.len(), points as u64)
        }
        MetricAnswer::Vector(samples) => (samples.len(), samples.len() as u64),
        MetricAnswer::Scalar(_) => (1, 1),
    }
}

/// Keeps the first series of an answer.
pub(crate) fn cut_series(answer: &mut MetricAnswer, most: usize) {
    match answer {
        MetricAnswer::Matrix(series) => series.truncate(most),
        MetricAnswer::Vector(samples) => samples.truncate(most),
        MetricAnswer::Scalar(_) => {}
    }
}

/// Texts of all pieces: sorted, each once.
pub(crate) fn texts(gathered: &mut [Gathered]) -> Vec<String> {
    let mut texts = Vec::new();
    for piece in gathered {
        texts.append(&mut piece.texts);
    }
    texts.sort_unstable();
    texts.dedup();
    texts
}

/// Label sets from their canonical texts.
pub(crate) fn label_sets(texts: &[String]) -> Result<Vec<Labels>, ReadError> {
    let mut sets = Vec::with_capacity(texts.len());
    for text in texts {
        sets.push(text.parse().map_err(|error| ReadError::Malformed(format!("{error}")))?);
    }
    Ok(sets)
}

/// Bytes by labels: the largest first, as many as are asked for.
pub(crate) fn volumes(
    gathered: &mut [Gathered],
    (start, end): (Timestamp, Timestamp),
    step: Span,
    limit: u32,
) -> Vec<Volume> {
    let mut table: BTreeMap<LabelSet, BTreeMap<Timestamp, f64>> = BTreeMap::new();
    for piece in gathered {
        for SampleSeries { labels, steps, values, .. } in std::mem::take(&mut piece.samples) {
            let sums = table.entry(label_set(&labels)).or_default();
            for (number, value) in steps.into_iter().zip(values) {
                *sums.entry(bucket_time(start, end, step, number)).or_default() += value;
            }
        }
    }
    let mut volumes: Vec<Volume> = table
        .into_iter()
        // Sums of bytes are whole numbers far below 2^53.
        .map(|(labels, sums)| Volume {
            labels,
            bytes: sums.into_iter().map(|(t, v)| (t, v as u64)).collect(),
        })
        .collect();
    let first = |volume: &Volume| volume.bytes.first().map_or(0, |(_, bytes)| *bytes);
    volumes.sort_by_cached_key(|volume| (std::cmp::Reverse(first(volume)), volume.labels.to_string()));
    volumes.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
    volumes
}

/// What bucket sums are shown at: a millisecond before the bucket ends, or the end of the range. Buckets are
/// counted from the one that holds the start; they begin at multiples of the step.
fn bucket_time(start: Timestamp, end: Timestamp, step: Span, number: u32) -> Timestamp {
    if step.is_zero() {
        return end;
    }
    let first = start.nanos().div_euclid(step.nanos());
    let bucket_end = first.saturating_add(i64::from(number) + 1).saturating_mul(step.nanos());
    if bucket_end >= end.nanos() {
        end
    } else {
        Timestamp::from_nanos(bucket_end).minus(Span::from_millis(1))
    }
}

/// Patterns with fewer rows say little.
const MIN_PATTERN_ROWS: u64 = 30;
/// More patterns nobody looks at.
const MAX_PATTERNS: usize = 300;

/// The patterns with the most rows, those first.
pub(crate) fn patterns(gathered: &mut [Gathered]) -> Vec<PatternSeries> {
    let mut table: BTreeMap<(String, String), BTreeMap<Timestamp, u64>> = BTreeMap::new();
    for piece in gathered {
        for pattern in std::mem::take(&mut piece.patterns) {
            let counts = table.entry((pattern.text, pattern.level)).or_default();
            for (start, rows) in pattern.counts {
                let count = counts.entry(start).or_default();
                *count = count.saturating_add(rows);
            }
        }
    }
    let mut found: Vec<(u64, PatternSeries)> = Vec::new();
    for ((text, level), counts) in table {
        let rows = counts.values().fold(0_u64, |sum, rows| sum.saturating_add(*rows));
        if rows >= MIN_PATTERN_ROWS {
            found.push((rows, PatternSeries { text, level, counts: counts.into_iter().collect() }));
        }
    }
    // The sort is stable: of equal ones those come first whose text does.
    found.sort_by_key(|(rows, _)| std::cmp::Reverse(*rows));
    found.into_iter().take(MAX_PATTERNS).map(|(_, pattern)| pattern).collect()
}

/// What all pieces cost together, and their warnings, each once.
pub(crate) fn costs(gathered: &[Gathered]) -> (Statistics, Vec<String>) {
    let mut stats = Statistics::default();
    let mut warnings: Vec<String> = Vec::new();
    for piece in gathered {
        add(&mut stats.cost, &piece.done.statistics);
        stats.queue += piece.queued;
        stats.results_asked += u64::from(piece.looked_up);
        if piece.was_kept {
            stats.results_found += 1;
            stats.results_bytes = stats.results_bytes.saturating_add(piece.bytes);
        }
        for warning in &piece.done.warnings {
            if !warnings.contains(warning) {
                warnings.push(warning.clone());
            }
        }
    }
    (stats, warnings)
}

/// Every figure is a sum; a new one does not compile until it is added here.
fn add(total: &mut QueryStatistics, piece: &QueryStatistics) {
    let QueryStatistics {
        streams,
        line_bytes,
        metadata_bytes,
        rows,
        rows_after_filters,
        duplicate_rows,
        segments_planned,
        chunks_planned,
        chunks_read,
        pages_read,
        page_bytes,
        decompressed_bytes,
        pages_from_cache,
        page_bytes_from_cache,
        ingesters_asked,
        ingester_batches,
        ingester_rows,
        ingester_bytes,
        plan_ns,
        fetch_ns,
        run_ns,
        wait_ns,
        segments_in_range,
        chunks_of_segments,
        chunks_in_time,
        chunks_of_streams,
    } = piece;
    for (sum, figure) in [
        (&mut total.streams, streams),
        (&mut total.line_bytes, line_bytes),
        (&mut total.metadata_bytes, metadata_bytes),
        (&mut total.rows, rows),
        (&mut total.rows_after_filters, rows_after_filters),
        (&mut total.duplicate_rows, duplicate_rows),
        (&mut total.segments_planned, segments_planned),
        (&mut total.chunks_planned, chunks_planned),
        (&mut total.chunks_read, chunks_read),
        (&mut total.pages_read, pages_read),
        (&mut total.page_bytes, page_bytes),
        (&mut total.decompressed_bytes, decompressed_bytes),
        (&mut total.pages_from_cache, pages_from_cache),
        (&mut total.page_bytes_from_cache, page_bytes_from_cache),
        (&mut total.ingesters_asked, ingesters_asked),
        (&mut total.ingester_batches, ingester_batches),
        (&mut total.ingester_rows, ingester_rows),
        (&mut total.ingester_bytes, ingester_bytes),
        (&mut total.plan_ns, plan_ns),
        (&mut total.fetch_ns, fetch_ns),
        (&mut total.run_ns, run_ns),
        (&mut total.wait_ns, wait_ns),
        (&mut total.segments_in_range, segments_in_range),
        (&mut total.chunks_of_segments, chunks_of_segments),
        (&mut total.chunks_in_time, chunks_in_time),
        (&mut total.chunks_of_streams, chunks_of_streams),
    ] {
        *sum = sum.saturating_add(*figure);
    }
}

#[cfg(test)]
mod tests;
