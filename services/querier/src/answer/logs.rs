//! Entries of a log query.

use std::collections::HashMap;

use bytes::Bytes;
use larch_logql::{
    Direction as Order, EntryLabels, LabelSet, LogEvaluation, LogExpr, LogParams, LogRow, Origin, parse_log,
};
use larch_proto::{
    Direction, EntryBatch, Pair, QueryStatistics, ResultEntry, ResultLabels, ResultPart, ResultStream, Text,
};
use larch_rpc::CallError;
use larch_types::{ErrorKind, Span, StreamId};

use super::feed::{feed, nodes};
use super::output::{Output, PART_BYTES, PART_ITEMS};
use super::{Task, statistics};
use crate::rows::{Opened, Streams, failed, log_read};

pub(super) async fn answer(
    task: &Task,
    query: &str,
    direction: Direction,
    limit: u64,
    output: &Output,
) -> Result<QueryStatistics, CallError> {
    let log = parse_log(query).map_err(|error| CallError::new(ErrorKind::Invalid, error.to_string()))?;
    let read = log_read(&log, task.range, direction, limit);
    let evaluation = begin(task, log, direction, limit).await?;
    let Opened { mut rows, heads } = task.asker.open(&[read]).await?;
    let clock = &*task.asker.deps.env.clock;
    let (evaluation, run_ns) = feed(&task.cpu, clock, &mut rows, evaluation).await?;
    let passed = evaluation.passed();
    let shown = task.cpu.run(move |_| evaluation.finish_with_origins()).await?;
    send(shown, rows.streams(), output).await?;
    Ok(statistics::of_rows(&rows, nodes(&heads), passed, run_ns))
}

/// Building the stages may take half a second.
async fn begin(
    task: &Task,
    log: LogExpr,
    direction: Direction,
    limit: u64,
) -> Result<LogEvaluation, CallError> {
    let params = LogParams {
        start: task.range.0,
        end: task.range.1,
        direction: match direction {
            Direction::Forward => Order::Forward,
            Direction::Backward => Order::Backward,
        },
        limit: usize::try_from(limit).unwrap_or(usize::MAX),
        interval: Span::ZERO,
        now: task.now,
    };
    let limits = task.limits;
    let built = task.cpu.run(move |_| LogEvaluation::new(&log, params, &limits)).await?;
    built.map_err(|error| failed(&error))
}

async fn send(shown: Vec<(Origin, LogRow)>, streams: &Streams, output: &Output) -> Result<(), CallError> {
    let mut part = PartialBatch::default();
    for (origin, row) in shown {
        if part.batch.entries.len() == PART_ITEMS || part.bytes >= PART_BYTES {
            output.send(ResultPart::Entries(std::mem::take(&mut part).batch)).await?;
        }
        part.add(origin.stream, row, streams)?;
    }
    if !part.batch.entries.is_empty() {
        output.send(ResultPart::Entries(part.batch)).await?;
    }
    Ok(())
}

/// A batch that grows: its lists, and where what is in them.
#[derive(Default)]
struct PartialBatch {
    batch: EntryBatch,
    bytes: usize,
    streams: HashMap<StreamId, u32>,
    labels: HashMap<EntryLabels, u32>,
}

impl PartialBatch {
    fn add(&mut self, origin: StreamId, row: LogRow, streams: &Streams) -> Result<(), CallError> {
        let stream = match self.streams.get(&origin) {
            Some(place) => *place,
            None => self.add_stream(origin, streams)?,
        };
        let labels = match self.labels.get(&row.labels) {
            Some(place) => *place,
            None => self.add_labels(row.labels),
        };
        self.bytes += row.line.len();
        let line = Bytes::from(row.line.into_vec());
        self.batch.entries.push(ResultEntry { stream, labels, timestamp: row.timestamp, line });
        Ok(())
    }

    fn add_stream(&mut self, id: StreamId, streams: &Streams) -> Result<u32, CallError> {
        let stream = streams
            .find(id)
            .ok_or_else(|| CallError::new(ErrorKind::Internal, "an entry of a stream that was never met"))?;
        self.bytes += stream.text.len();
        // Never more streams than entries, which are few.
        let place = self.batch.streams.len() as u32;
        self.batch.streams.push(ResultStream { tenant: stream.tenant.clone(), labels: stream.text.clone() });
        self.streams.insert(id, place);
        Ok(place)
    }

    fn add_labels(&mut self, labels: EntryLabels) -> u32 {
        let place = self.batch.labels.len() as u32;
        let shown = ResultLabels {
            stream: pairs(&labels.stream),
            metadata: pairs(&labels.metadata),
            parsed: pairs(&labels.parsed),
        };
        for pair in shown.stream.iter().chain(&shown.metadata).chain(&shown.parsed) {
            self.bytes += pair.name.as_bytes().len() + pair.value.as_bytes().len();
        }
        self.batch.labels.push(shown);
        self.labels.insert(labels, place);
        place
    }
}

pub(super) fn pairs(labels: &LabelSet) -> Vec<Pair> {
    let pair = |label: &larch_types::Label| Pair {
        name: Text::from(&*label.name),
        value: Text::from(&*label.value),
    };
    labels.iter().map(pair).collect()
}
