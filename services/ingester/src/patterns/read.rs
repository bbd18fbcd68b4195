//! Patterns for a query, stream by stream, so that mining goes on in between.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use futures_util::stream::{StreamExt, iter, unfold};
use larch_proto::{Pattern, PatternBatch, PatternSample};
use larch_rpc::CallStream;
use larch_types::{Span, StreamId, TenantId, Timestamp};

use super::Patterns;
use super::mined::{Mined, Stream};
use super::samples::{Intervals, Samples};
use crate::selection::Chosen;

/// Patterns are sent in parts of about this size: enough to be few, little enough to be buffered on the way.
const PART_BYTES: usize = 1 << 20;

/// What a sample takes on the way.
const SAMPLE_BYTES: usize = 24;

/// What is left to be sent.
struct Reading {
    mined: Arc<tokio::sync::Mutex<Mined>>,
    streams: VecDeque<StreamId>,
    parts: VecDeque<PatternBatch>,
    question: Question,
}

struct Question {
    chosen: Chosen,
    step: Span,
    intervals: Intervals,
}

impl Patterns {
    /// Steps are no shorter than the intervals that rows are counted in.
    pub(crate) async fn read(
        &self,
        tenant: &TenantId,
        chosen: Chosen,
        step: Span,
    ) -> CallStream<PatternBatch> {
        let Some(mined) = self.tenants().get(tenant).cloned() else { return iter([]).boxed() };
        let streams = mined.lock().await.ids().into();
        let intervals = self.intervals();
        let question = Question { chosen, step: step.max(intervals.width), intervals };
        let reading = Reading { mined, streams, parts: VecDeque::new(), question };
        unfold(reading, |mut reading| async {
            let part = reading.next().await?;
            Some((Ok(part), reading))
        })
        .boxed()
    }
}

impl Reading {
    async fn next(&mut self) -> Option<PatternBatch> {
        loop {
            if let Some(part) = self.parts.pop_front() {
                return Some(part);
            }
            let id = self.streams.pop_front()?;
            {
                let mined = self.mined.lock().await;
                let stream = mined.stream(id);
                if let Some(stream) = stream.filter(|one| self.question.chosen.has_stream(&one.labels, id)) {
                    self.parts = self.question.parts(stream);
                }
            }
            tokio::task::yield_now().await;
        }
    }
}

impl Question {
    fn parts(&self, stream: &Stream) -> VecDeque<PatternBatch> {
        let empty = || PatternBatch {
            streams: vec![stream.text.clone()],
            levels: stream.levels.iter().map(|level| level.name.to_string()).collect(),
            patterns: Vec::new(),
        };
        let (mut parts, mut part, mut bytes) = (VecDeque::new(), empty(), 0);
        for (place, level) in stream.levels.iter().enumerate() {
            for (text, samples) in level.tree.patterns() {
                let samples = self.samples(samples);
                if samples.is_empty() {
                    continue;
                }
                bytes += text.len() + samples.len() * SAMPLE_BYTES;
                part.patterns.push(Pattern { stream: 0, level: Some(place as u32), text, samples });
                if bytes >= PART_BYTES {
                    parts.push_back(std::mem::replace(&mut part, empty()));
                    bytes = 0;
                }
            }
        }
        if !part.patterns.is_empty() {
            parts.push_back(part);
        }
        parts
    }

    /// An interval belongs to the step that it begins in, and to a range if it begins there: ranges side by side
    /// count every row once.
    fn samples(&self, samples: &Samples) -> Vec<PatternSample> {
        let mut steps: BTreeMap<Timestamp, u64> = BTreeMap::new();
        for (start, rows) in samples.between(self.chosen.start, self.chosen.end, self.intervals) {
            let into = start.nanos().rem_euclid(self.step.nanos().max(1));
            *steps.entry(start.minus(Span::from_nanos(into))).or_default() += rows;
        }
        // No rows are kept by which they could be told apart.
        steps.into_iter().map(|(start, rows)| PatternSample { start, rows, digest: 0 }).collect()
    }
}
