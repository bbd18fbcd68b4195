//! Line patterns that ingesters mine.

use larch_types::{Span, Timestamp};

use crate::check::{missing, place, place_if_set, required, span, to_span};
use crate::{InvalidMessage, Part, ReadHead, Selection, wire};

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PatternsRequest {
    pub selection: Selection,
    /// Width of a sample.
    pub step: Span,
}

/// How often a pattern's lines came in one step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PatternSample {
    /// The step's start.
    pub start: Timestamp,
    pub rows: u64,
    /// Sum, modulo 2^64, of the rows' identity hashes.
    pub digest: u64,
}

/// A pattern of one stream's lines.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pattern {
    /// Place in the batch's streams.
    pub stream: u32,
    /// Place in the batch's levels.
    pub level: Option<u32>,
    /// With `<_>` for what varies.
    pub text: String,
    /// Ascending in time.
    pub samples: Vec<PatternSample>,
}

/// Patterns with what they share. Places were checked where the batch came in.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PatternBatch {
    /// Canonical label texts.
    pub streams: Vec<String>,
    /// Detected levels.
    pub levels: Vec<String>,
    pub patterns: Vec<Pattern>,
}

// === conversions ===

impl From<PatternsRequest> for wire::ingest::PatternsRequest {
    fn from(request: PatternsRequest) -> Self {
        Self { selection: Some(request.selection.into()), step_ns: to_span(request.step) }
    }
}

impl TryFrom<wire::ingest::PatternsRequest> for PatternsRequest {
    type Error = InvalidMessage;

    fn try_from(request: wire::ingest::PatternsRequest) -> Result<Self, InvalidMessage> {
        let step = span("step_ns", request.step_ns)?;
        if step.is_zero() {
            return Err(InvalidMessage::new("step_ns", "0"));
        }
        Ok(Self { selection: required("selection", request.selection)?, step })
    }
}

impl From<PatternBatch> for wire::ingest::PatternBatch {
    fn from(batch: PatternBatch) -> Self {
        Self {
            streams: batch.streams,
            levels: batch.levels,
            patterns: batch.patterns.into_iter().map(to_pattern).collect(),
        }
    }
}

fn to_pattern(pattern: Pattern) -> wire::ingest::Pattern {
    let to_sample = |sample: PatternSample| wire::ingest::PatternSample {
        start_ns: sample.start.nanos(),
        rows: sample.rows,
        digest: sample.digest,
    };
    wire::ingest::Pattern {
        stream: pattern.stream,
        level: pattern.level,
        text: pattern.text,
        samples: pattern.samples.into_iter().map(to_sample).collect(),
    }
}

impl TryFrom<wire::ingest::PatternBatch> for PatternBatch {
    type Error = InvalidMessage;

    fn try_from(batch: wire::ingest::PatternBatch) -> Result<Self, InvalidMessage> {
        let mut patterns = Vec::with_capacity(batch.patterns.len());
        for (index, one) in batch.patterns.into_iter().enumerate() {
            let one = pattern(one, batch.streams.len(), batch.levels.len());
            patterns.push(one.map_err(|error| error.inside(&format!("patterns[{index}]")))?);
        }
        Ok(Self { streams: batch.streams, levels: batch.levels, patterns })
    }
}

fn pattern(pattern: wire::ingest::Pattern, streams: usize, levels: usize) -> Result<Pattern, InvalidMessage> {
    if !pattern.samples.is_sorted_by(|a, b| a.start_ns < b.start_ns) {
        return Err(InvalidMessage::new("samples", "not ascending"));
    }
    let sample = |sample: wire::ingest::PatternSample| PatternSample {
        start: Timestamp::from_nanos(sample.start_ns),
        rows: sample.rows,
        digest: sample.digest,
    };
    Ok(Pattern {
        stream: place("stream", pattern.stream, streams)?,
        level: place_if_set("level", pattern.level, levels)?,
        text: pattern.text,
        samples: pattern.samples.into_iter().map(sample).collect(),
    })
}

impl From<Part<ReadHead, PatternBatch>> for wire::ingest::PatternsPart {
    fn from(part: Part<ReadHead, PatternBatch>) -> Self {
        use wire::ingest::patterns_part::Part as Wire;
        let part = match part {
            Part::Head(head) => Wire::Head(head.into()),
            Part::Body(batch) => Wire::Batch(batch.into()),
        };
        Self { part: Some(part) }
    }
}

impl TryFrom<wire::ingest::PatternsPart> for Part<ReadHead, PatternBatch> {
    type Error = InvalidMessage;

    fn try_from(part: wire::ingest::PatternsPart) -> Result<Self, InvalidMessage> {
        use wire::ingest::patterns_part::Part as Wire;
        match part.part.ok_or_else(|| missing("part"))? {
            Wire::Head(head) => required("head", Some(head)).map(Part::Head),
            Wire::Batch(batch) => required("batch", Some(batch)).map(Part::Body),
        }
    }
}
