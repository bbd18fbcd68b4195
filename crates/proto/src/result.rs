//! Answers that workers bring back.

use bytes::Bytes;
use larch_types::{NodeId, TenantId, Timestamp};

use crate::check::{id, list, missing, node_id, place, required, tenant, to_id, to_list};
use crate::wire::query::QueryStatistics;
use crate::wire::types::Estimate;
use crate::{Failure, InvalidMessage, Pair, PieceId, TextBatch, wire};

/// Whose answer to what.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReportHead {
    pub piece: PieceId,
    pub worker: NodeId,
}

/// One message of a report. The head is the first and comes once; `larch-rpc` sees to that.
#[derive(Debug, Clone, PartialEq)]
pub enum ReportPart {
    Head(ReportHead),
    Result(ResultPart),
    /// The last part of a failed answer.
    Failed(Failure),
}

#[derive(Debug, Clone, PartialEq)]
pub enum ResultPart {
    Entries(EntryBatch),
    Samples(Vec<SampleSeries>),
    Texts(TextBatch),
    Stats(Estimate),
    Patterns(Vec<PatternSeries>),
    /// The last part of a complete answer.
    Done(Box<Done>),
}

/// A stored stream whose entries are in a result.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ResultStream {
    pub tenant: TenantId,
    /// Canonical label text as stored.
    pub labels: String,
}

/// The labels of entries, by where they come from.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ResultLabels {
    pub stream: Vec<Pair>,
    pub metadata: Vec<Pair>,
    pub parsed: Vec<Pair>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ResultEntry {
    /// Place in the batch's streams.
    pub stream: u32,
    /// Place in the batch's labels.
    pub labels: u32,
    pub timestamp: Timestamp,
    pub line: Bytes,
}

/// Entries in the order that was asked for. Places were checked where the batch came in.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct EntryBatch {
    pub streams: Vec<ResultStream>,
    pub labels: Vec<ResultLabels>,
    pub entries: Vec<ResultEntry>,
}

/// Samples of one series. `values` has one for each instant; `remainders` too, or none.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct SampleSeries {
    /// Sorted by name.
    pub labels: Vec<Pair>,
    /// Which instants, ascending, counted in steps.
    pub steps: Vec<u32>,
    pub values: Vec<f64>,
    /// What the values lost to rounding while they were summed.
    pub remainders: Vec<f64>,
}

/// What became of a pattern's lines, over all streams of the piece.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PatternSeries {
    pub text: String,
    /// Empty if none was detected.
    pub level: String,
    /// The steps' starts with their rows, ascending in time.
    pub counts: Vec<(Timestamp, u64)>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Done {
    pub statistics: QueryStatistics,
    /// Under what the answer may be kept; `None` if an ingester held rows of the piece.
    pub cache_key: Option<u128>,
    /// For the user.
    pub warnings: Vec<String>,
    /// The answer that the queue keeps is the right one; there are no other parts.
    pub unchanged: bool,
    pub path: AnswerPath,
    /// Why no faster way was taken.
    pub reasons: Vec<String>,
}

/// By which way a worker came to its answer.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum AnswerPath {
    /// One that does not say.
    #[default]
    Unknown,
    /// The answer that is kept is still the right one.
    Kept,
    /// Counts of ingesters and footers, and rows for what those leave open.
    Histograms,
    /// Pages of chunks, column by column.
    Columns,
    /// Row by row.
    Rows,
    /// Indexes and footers; no rows.
    Index,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReportResponse {
    /// False if nobody waited for the piece: the worker's time was lost.
    pub wanted: bool,
}

// === conversions ===

impl From<ReportPart> for wire::query::ReportPart {
    fn from(part: ReportPart) -> Self {
        use wire::query::report_part::Part as Wire;
        let part = match part {
            ReportPart::Head(head) => Wire::Head(wire::query::ReportHead {
                piece_id: head.piece.0,
                worker_id: to_id(head.worker.as_u128()),
            }),
            ReportPart::Result(ResultPart::Entries(batch)) => Wire::Entries(batch.into()),
            ReportPart::Result(ResultPart::Samples(series)) => {
                Wire::Samples(wire::query::SampleBatch { series: to_list(series) })
            }
            ReportPart::Result(ResultPart::Texts(texts)) => Wire::Texts(texts.into()),
            ReportPart::Result(ResultPart::Stats(stats)) => Wire::Stats(stats),
            ReportPart::Result(ResultPart::Patterns(patterns)) => {
                Wire::Patterns(wire::query::PatternSeriesBatch { patterns: to_list(patterns) })
            }
            ReportPart::Result(ResultPart::Done(done)) => Wire::Done((*done).into()),
            ReportPart::Failed(failure) => Wire::Failed(failure.into()),
        };
        Self { part: Some(part) }
    }
}

impl TryFrom<wire::query::ReportPart> for ReportPart {
    type Error = InvalidMessage;

    fn try_from(part: wire::query::ReportPart) -> Result<Self, InvalidMessage> {
        use wire::query::report_part::Part as Wire;
        let result = match part.part.ok_or_else(|| missing("part"))? {
            Wire::Head(head) => {
                let worker = node_id("worker_id", &head.worker_id).map_err(|error| error.inside("head"))?;
                return Ok(Self::Head(ReportHead { piece: PieceId(head.piece_id), worker }));
            }
            Wire::Failed(failure) => return Ok(Self::Failed(failure.into())),
            Wire::Entries(batch) => ResultPart::Entries(required("entries", Some(batch))?),
            Wire::Samples(batch) => ResultPart::Samples(list("samples.series", batch.series)?),
            Wire::Texts(texts) => ResultPart::Texts(texts.into()),
            Wire::Stats(stats) => ResultPart::Stats(stats),
            Wire::Patterns(batch) => ResultPart::Patterns(list("patterns.patterns", batch.patterns)?),
            Wire::Done(done) => ResultPart::Done(Box::new(required("done", Some(done))?)),
        };
        Ok(Self::Result(result))
    }
}

impl From<ResultStream> for wire::query::ResultStream {
    fn from(stream: ResultStream) -> Self {
        Self { tenant: stream.tenant.as_str().to_owned(), labels: stream.labels }
    }
}

impl TryFrom<wire::query::ResultStream> for ResultStream {
    type Error = InvalidMessage;

    fn try_from(stream: wire::query::ResultStream) -> Result<Self, InvalidMessage> {
        Ok(Self { tenant: tenant("tenant", &stream.tenant)?, labels: stream.labels })
    }
}

impl From<ResultLabels> for wire::query::ResultLabels {
    fn from(labels: ResultLabels) -> Self {
        Self {
            stream: to_list(labels.stream),
            metadata: to_list(labels.metadata),
            parsed: to_list(labels.parsed),
        }
    }
}

impl TryFrom<wire::query::ResultLabels> for ResultLabels {
    type Error = InvalidMessage;

    fn try_from(labels: wire::query::ResultLabels) -> Result<Self, InvalidMessage> {
        Ok(Self {
            stream: list("stream", labels.stream)?,
            metadata: list("metadata", labels.metadata)?,
            parsed: list("parsed", labels.parsed)?,
        })
    }
}

impl From<EntryBatch> for wire::query::EntryBatch {
    fn from(batch: EntryBatch) -> Self {
        let to_entry = |entry: ResultEntry| wire::query::ResultEntry {
            stream: entry.stream,
            labels: entry.labels,
            timestamp_ns: entry.timestamp.nanos(),
            line: entry.line,
        };
        Self {
            streams: to_list(batch.streams),
            labels: to_list(batch.labels),
            entries: batch.entries.into_iter().map(to_entry).collect(),
        }
    }
}

impl TryFrom<wire::query::EntryBatch> for EntryBatch {
    type Error = InvalidMessage;

    fn try_from(batch: wire::query::EntryBatch) -> Result<Self, InvalidMessage> {
        let mut entries = Vec::with_capacity(batch.entries.len());
        for (index, one) in batch.entries.into_iter().enumerate() {
            let one = entry(one, batch.streams.len(), batch.labels.len());
            entries.push(one.map_err(|error| error.inside(&format!("entries[{index}]")))?);
        }
        Ok(Self { streams: list("streams", batch.streams)?, labels: list("labels", batch.labels)?, entries })
    }
}

fn entry(
    entry: wire::query::ResultEntry,
    streams: usize,
    labels: usize,
) -> Result<ResultEntry, InvalidMessage> {
    Ok(ResultEntry {
        stream: place("stream", entry.stream, streams)?,
        labels: place("labels", entry.labels, labels)?,
        timestamp: Timestamp::from_nanos(entry.timestamp_ns),
        line: entry.line,
    })
}

impl From<SampleSeries> for wire::query::SampleSeries {
    fn from(series: SampleSeries) -> Self {
        Self {
            labels: to_list(series.labels),
            steps: series.steps,
            values: series.values,
            remainders: series.remainders,
        }
    }
}

impl TryFrom<wire::query::SampleSeries> for SampleSeries {
    type Error = InvalidMessage;

    fn try_from(series: wire::query::SampleSeries) -> Result<Self, InvalidMessage> {
        if !series.steps.is_sorted_by(|a, b| a < b) {
            return Err(InvalidMessage::new("steps", "not ascending"));
        }
        if series.values.len() != series.steps.len() {
            return Err(InvalidMessage::new("values", "not one for each step"));
        }
        if !series.remainders.is_empty() && series.remainders.len() != series.steps.len() {
            return Err(InvalidMessage::new("remainders", "neither none nor one for each step"));
        }
        Ok(Self {
            labels: list("labels", series.labels)?,
            steps: series.steps,
            values: series.values,
            remainders: series.remainders,
        })
    }
}

impl From<PatternSeries> for wire::query::PatternSeries {
    fn from(series: PatternSeries) -> Self {
        let to_count =
            |(start, rows): (Timestamp, u64)| wire::query::PatternCount { start_ns: start.nanos(), rows };
        Self {
            text: series.text,
            level: series.level,
            counts: series.counts.into_iter().map(to_count).collect(),
        }
    }
}

impl TryFrom<wire::query::PatternSeries> for PatternSeries {
    type Error = InvalidMessage;

    fn try_from(series: wire::query::PatternSeries) -> Result<Self, InvalidMessage> {
        if !series.counts.is_sorted_by(|a, b| a.start_ns < b.start_ns) {
            return Err(InvalidMessage::new("counts", "not ascending"));
        }
        let count = |count: &wire::query::PatternCount| (Timestamp::from_nanos(count.start_ns), count.rows);
        Ok(Self { counts: series.counts.iter().map(count).collect(), text: series.text, level: series.level })
    }
}

impl From<Done> for wire::query::Done {
    fn from(done: Done) -> Self {
        let cache = done.cache_key.map(|key| wire::query::CacheFacts { key: to_id(key) });
        let (warnings, unchanged, reasons) = (done.warnings, done.unchanged, done.reasons);
        let path = to_path(done.path).into();
        Self { statistics: Some(done.statistics), cache, warnings, unchanged, path, reasons }
    }
}

impl TryFrom<wire::query::Done> for Done {
    type Error = InvalidMessage;

    fn try_from(done: wire::query::Done) -> Result<Self, InvalidMessage> {
        Ok(Self {
            path: path(done.path()),
            statistics: done.statistics.unwrap_or_default(),
            cache_key: cache_key("cache", done.cache)?,
            warnings: done.warnings,
            unchanged: done.unchanged,
            reasons: done.reasons,
        })
    }
}

const fn to_path(path: AnswerPath) -> wire::query::AnswerPath {
    use wire::query::AnswerPath as Wire;
    match path {
        AnswerPath::Unknown => Wire::Unspecified,
        AnswerPath::Kept => Wire::Kept,
        AnswerPath::Histograms => Wire::Histograms,
        AnswerPath::Columns => Wire::Columns,
        AnswerPath::Rows => Wire::Rows,
        AnswerPath::Index => Wire::Index,
    }
}

const fn path(path: wire::query::AnswerPath) -> AnswerPath {
    use wire::query::AnswerPath as Wire;
    match path {
        Wire::Unspecified => AnswerPath::Unknown,
        Wire::Kept => AnswerPath::Kept,
        Wire::Histograms => AnswerPath::Histograms,
        Wire::Columns => AnswerPath::Columns,
        Wire::Rows => AnswerPath::Rows,
        Wire::Index => AnswerPath::Index,
    }
}

pub(crate) fn cache_key(
    field: &str,
    facts: Option<wire::query::CacheFacts>,
) -> Result<Option<u128>, InvalidMessage> {
    match facts {
        Some(facts) => Ok(Some(id("key", &facts.key).map_err(|error| error.inside(field))?)),
        None => Ok(None),
    }
}

impl From<ReportResponse> for wire::query::ReportResponse {
    fn from(response: ReportResponse) -> Self {
        Self { wanted: response.wanted }
    }
}

impl From<wire::query::ReportResponse> for ReportResponse {
    fn from(response: wire::query::ReportResponse) -> Self {
        Self { wanted: response.wanted }
    }
}
