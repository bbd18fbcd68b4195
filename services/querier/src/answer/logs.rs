//! Entries of a log query.

use std::collections::HashMap;
use std::sync::Arc;

use bytes::Bytes;
use larch_engine::LogQuery;
use larch_logql::{
    Direction as Order, EntryLabels, EvalError, EvalLimits, LabelSet, LogEvaluation, LogExpr, LogParams,
    LogRow, Origin, parse_log,
};
use larch_proto::{
    AnswerPath, Direction, EntryBatch, Pair, ResultEntry, ResultLabels, ResultPart, ResultStream, Text,
};
use larch_rpc::CallError;
use larch_runtime::Clock;
use larch_types::{ErrorKind, Label, Span, StreamId, Timestamp};

use super::feed::{feed, nodes};
use super::output::{Output, PART_BYTES, PART_ITEMS};
use super::{Answered, Task, statistics, unbuilt};
use crate::cpu::Cpu;
use crate::rows::{MergedRows, Stream, log_read, turn_selector};
use crate::scan::scan_logs;

pub(super) async fn answer(
    task: &Task,
    query: &str,
    direction: Direction,
    limit: u64,
    output: &Output,
) -> Result<Answered, CallError> {
    let mut log = parse_log(query).map_err(|error| CallError::new(ErrorKind::Invalid, error.to_string()))?;
    let read = log_read(&log, task.range, direction, limit);
    let shown = Shown { range: task.range, direction, limit, now: task.now };
    if task.asker.has_several_tenants() {
        turn_selector(&mut log.matchers);
    }
    let (params, limits) = (shown.params(), task.limits);
    // Building the stages may take half a second.
    let built = task.cpu.run(move |_| LogQuery::new(&log, params, &limits)).await?;
    let engine = match built {
        Ok(engine) => engine,
        Err(error) => {
            let done = unbuilt::answer(task, &[read], &error).await?;
            return Ok(Answered::by(AnswerPath::Rows, done).without("columns", error));
        }
    };
    let mut scanned = scan_logs(task, engine, &read).await?;
    let rows = std::mem::take(&mut scanned.rows);
    send(rows, |id| scanned.stream(id), output).await?;
    let done = statistics::of_scanned_logs(&scanned, nodes(&scanned.heads));
    Ok(Answered::by(AnswerPath::Columns, done))
}

/// Which rows are shown, and in which order.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Shown {
    /// Start included, end not.
    pub(crate) range: (Timestamp, Timestamp),
    pub(crate) direction: Direction,
    pub(crate) limit: u64,
    /// For templates that ask for the time.
    pub(crate) now: Timestamp,
}

impl Shown {
    /// Building the stages may take half a second.
    pub(crate) async fn begin(
        self,
        cpu: &Cpu,
        log: LogExpr,
        limits: EvalLimits,
    ) -> Result<Result<LogEvaluation, EvalError>, CallError> {
        let params = self.params();
        cpu.run(move |_| LogEvaluation::new(&log, params, &limits)).await
    }

    fn params(self) -> LogParams {
        LogParams {
            start: self.range.0,
            end: self.range.1,
            direction: match self.direction {
                Direction::Forward => Order::Forward,
                Direction::Backward => Order::Backward,
            },
            limit: number_or_most(self.limit),
            interval: Span::ZERO,
            now: self.now,
        }
    }
}

fn number_or_most(limit: u64) -> usize {
    usize::try_from(limit).unwrap_or(usize::MAX)
}

/// The rows of an answer, in its order, for whoever reads on behind them.
pub(crate) struct Entries {
    pub(crate) rows: Vec<(Origin, LogRow)>,
}

impl Entries {
    pub(crate) async fn collect(
        cpu: &Cpu,
        clock: &dyn Clock,
        rows: &mut MergedRows,
        evaluation: LogEvaluation,
    ) -> Result<Self, CallError> {
        let (evaluation, _) = feed(cpu, clock, rows, evaluation).await?;
        let rows = cpu.run(move |_| evaluation.finish_with_origins()).await?;
        Ok(Self { rows })
    }
}

async fn send<'s>(
    shown: Vec<(Origin, LogRow)>,
    stream: impl Fn(StreamId) -> Option<&'s Arc<Stream>>,
    output: &Output,
) -> Result<(), CallError> {
    let mut part = PartialBatch::default();
    for (origin, row) in shown {
        if part.batch.entries.len() == PART_ITEMS || part.bytes >= PART_BYTES {
            output.send(ResultPart::Entries(std::mem::take(&mut part).batch)).await?;
        }
        part.add(origin.stream, row, &stream)?;
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
    fn add<'s>(
        &mut self,
        origin: StreamId,
        row: LogRow,
        stream: impl Fn(StreamId) -> Option<&'s Arc<Stream>>,
    ) -> Result<(), CallError> {
        let stream_place = match self.streams.get(&origin) {
            Some(place) => *place,
            None => self.add_stream(origin, stream(origin))?,
        };
        let labels = match self.labels.get(&row.labels) {
            Some(place) => *place,
            None => self.add_labels(row.labels),
        };
        self.bytes += row.line.len();
        let line = Bytes::from(row.line.into_vec());
        self.batch.entries.push(ResultEntry { stream: stream_place, labels, timestamp: row.timestamp, line });
        Ok(())
    }

    fn add_stream(&mut self, id: StreamId, stream: Option<&Arc<Stream>>) -> Result<u32, CallError> {
        let stream = stream
            .ok_or_else(|| CallError::new(ErrorKind::Internal, "an entry of a stream that was never met"))?;
        self.bytes += stream.text.len();
        // Never more streams than entries, which are few.
        let place = self.batch.streams.len() as u32;
        self.batch
            .streams
            .push(ResultStream { tenant: stream.tenant.clone(), labels: stream.text.to_string() });
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
    let pair = |label: &Label| Pair { name: Text::from(&*label.name), value: Text::from(&*label.value) };
    labels.iter().map(pair).collect()
}
