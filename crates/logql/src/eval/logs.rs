//! Log queries: which rows are shown, and in which order.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use larch_types::{PushStamp, Span, StreamId, Timestamp};

use crate::ast::LogExpr;
use crate::build;
use crate::check::{front_filters, run_order};
use crate::eval::Identity;
use crate::eval::budget::Memory;
use crate::eval::streams::Streams;
use crate::eval::{EntryLabels, EvalError, EvalLimits, InputRow, LabelSet, LogRow, Origin};
use crate::stage::{Hints, Pipeline, Row};
use crate::weight::check_log_weight;

/// Instant queries look back this far.
const INSTANT_REACH: Span = Span::from_hours(1);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// Oldest first.
    Forward,
    /// Newest first.
    Backward,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LogParams {
    pub start: Timestamp,
    /// Rows of this time are not shown.
    pub end: Timestamp,
    pub direction: Direction,
    /// Rows in the answer.
    pub limit: usize,
    /// A row that is nearer than this to the one shown before it is left out. Zero: none is.
    pub interval: Span,
    /// For templates that ask for the time.
    pub now: Timestamp,
}

impl LogParams {
    /// The newest rows of the hour before `time`.
    pub fn at(time: Timestamp, limit: usize, now: Timestamp) -> Self {
        Self {
            start: time.minus(INSTANT_REACH),
            end: time,
            direction: Direction::Backward,
            limit,
            interval: Span::ZERO,
            now,
        }
    }
}

/// One log query while it is fed with rows.
#[derive(Debug)]
pub struct LogEvaluation {
    params: LogParams,
    streams: Streams,
    stages: Arc<Stages>,
    kept: Kept,
    memory: Memory,
    passed: u64,
    duplicates: u64,
}

#[derive(Debug)]
struct Stages {
    /// Line filters that come before all other stages.
    filters: Pipeline,
    /// The stages behind them.
    others: Pipeline,
}

impl LogEvaluation {
    /// Refuses what cannot be run, before any row is read.
    pub fn new(expr: &LogExpr, params: LogParams, limits: &EvalLimits) -> Result<Self, EvalError> {
        check_log_weight(expr)?;
        let mut filters = run_order(&expr.pipeline);
        let others = filters.split_off(front_filters(&filters));
        let streams = Streams::new(&expr.matchers)?;
        // The first stage that cannot be built is the one that is named.
        let filters = build::pipeline(filters, &Hints::all())?;
        let stages = Stages { filters, others: build::pipeline(others, &Hints::all())? };
        let memory = Memory::new(limits.max_memory);
        let (stages, kept) = (Arc::new(stages), Kept::default());
        Ok(Self { params, streams, stages, kept, memory, passed: 0, duplicates: 0 })
    }

    /// The same query, fed with nothing yet: what several of them keep is put together by `absorb`.
    pub fn another(&self) -> Self {
        Self {
            params: self.params,
            streams: self.streams.another(),
            stages: Arc::clone(&self.stages),
            kept: Kept::default(),
            memory: self.memory.another(),
            passed: 0,
            duplicates: 0,
        }
    }

    /// Takes over what another one of the same query has kept.
    pub fn absorb(&mut self, other: Self) -> Result<(), EvalError> {
        let Self { streams, kept, passed, duplicates, .. } = other;
        self.passed += passed;
        self.duplicates += duplicates;
        for (rank, rows) in kept.by_time {
            if self.kept.is_past(rank, self.bound()) {
                break;
            }
            for (identity, row) in rows {
                if self.kept.meets_again(rank, identity, row.order) {
                    // Each of the two took it for the first.
                    self.duplicates += 1;
                    self.passed -= 1;
                    continue;
                }
                let Some(labels) = streams.labels(row.stream) else { continue };
                let stream = self.streams.add(row.id, labels, &mut self.memory)?;
                self.memory.take(row.row.bytes())?;
                self.kept.insert(rank, identity, KeptRow { stream, ..row });
            }
            let dropped = self.kept.evict(self.bound());
            self.memory.give_back(dropped);
        }
        Ok(())
    }

    /// Whether a row that comes behind this time, in the direction of the query, could still be shown. If
    /// not, whoever reads rows in that order need not read on.
    pub fn wants_behind(&self, time: Timestamp) -> bool {
        !self.kept.is_past(self.params.rank(time).saturating_add(1), self.bound())
    }

    /// No row of a greater rank can be shown. See [`LogParams::rank`].
    pub fn last_rank(&self) -> i64 {
        if self.kept.rows < self.bound() {
            return i64::MAX;
        }
        self.kept.by_time.last_key_value().map_or(i64::MIN, |(last, _)| *last)
    }

    /// Rows that have come through the pipeline.
    pub fn passed(&self) -> u64 {
        self.passed
    }

    /// Copies of rows that were kept when they came.
    pub fn duplicates(&self) -> u64 {
        self.duplicates
    }

    /// What it holds, in bytes, about.
    pub fn held_bytes(&self) -> u64 {
        self.memory.used()
    }

    /// Takes rows in, whatever their streams and times: those that do not matter are left out.
    pub fn add<'r>(&mut self, rows: impl IntoIterator<Item = InputRow<'r>>) -> Result<(), EvalError> {
        let mut work = Row::new(self.params.now);
        for row in rows {
            self.add_row(&row, false, &mut work)?;
        }
        Ok(())
    }

    /// As `add`, of rows that are known to pass the first [`front_filters`] stages.
    pub fn add_filtered<'r>(
        &mut self,
        rows: impl IntoIterator<Item = InputRow<'r>>,
    ) -> Result<(), EvalError> {
        let mut work = Row::new(self.params.now);
        for row in rows {
            self.add_row(&row, true, &mut work)?;
        }
        Ok(())
    }

    fn add_row<'r>(
        &mut self,
        row: &InputRow<'r>,
        is_filtered: bool,
        work: &mut Row<'r>,
    ) -> Result<(), EvalError> {
        let time = row.timestamp();
        if time < self.params.start || time >= self.params.end {
            return Ok(());
        }
        let rank = self.params.rank(time);
        if self.kept.is_past(rank, self.bound()) {
            return Ok(());
        }
        let Some(stream) = self.streams.place(row, &mut self.memory)? else { return Ok(()) };
        let identity = row.identity();
        let order = (row.order.stamp, row.order.index);
        if self.kept.meets_again(rank, identity, order) {
            self.duplicates += 1;
            return Ok(());
        }
        row.load_into(work);
        if (!is_filtered && !self.stages.filters.run(work)) || !self.stages.others.run(work) {
            return Ok(());
        }
        self.passed += 1;
        let labels = self.kept.labels(stream, work);
        let shown = LogRow { timestamp: time, line: work.line().into(), labels };
        self.memory.take(shown.bytes())?;
        self.kept.insert(rank, identity, KeptRow { stream, id: row.stream, order, row: shown });
        let dropped = self.kept.evict(self.bound());
        self.memory.give_back(dropped);
        Ok(())
    }

    /// How many rows can be needed. Which rows an interval leaves out is not known before the end.
    fn bound(&self) -> usize {
        if self.params.interval.is_zero() { self.params.limit } else { usize::MAX }
    }

    /// The rows in the direction of the query. Of streams with rows at the same time the order is the same
    /// both ways; within a stream backward is the mirror of forward.
    pub fn finish(self) -> Vec<LogRow> {
        self.finish_with_origins().into_iter().map(|(_, row)| row).collect()
    }

    /// As `finish`, with what each row was made of.
    pub fn finish_with_origins(self) -> Vec<(Origin, LogRow)> {
        let ranks = self.streams.ranks();
        let is_backward = self.params.direction == Direction::Backward;
        let mut out: Vec<(Origin, LogRow)> = Vec::new();
        for rows in self.kept.by_time.into_values() {
            let mut rows: Vec<(Identity, KeptRow)> = rows.into_iter().collect();
            rows.sort_by(|(left_identity, left), (right_identity, right)| {
                // Sources that forget the order of pushes must not make answers differ from call to call.
                let within = left.order.cmp(&right.order).then(left_identity.cmp(right_identity));
                let within = if is_backward { within.reverse() } else { within };
                ranks[left.stream as usize].cmp(&ranks[right.stream as usize]).then(within)
            });
            for (identity, kept) in rows {
                if out.len() == self.params.limit {
                    return out;
                }
                let is_near = |(_, last): &(Origin, LogRow)| {
                    let apart = last.timestamp.since(kept.row.timestamp).nanos().saturating_abs();
                    apart < self.params.interval.nanos()
                };
                if !out.last().is_some_and(is_near) {
                    out.push((Origin { stream: kept.id, identity }, kept.row));
                }
            }
        }
        out
    }
}

impl LogParams {
    /// Rows of a smaller rank are shown earlier.
    pub fn rank(&self, time: Timestamp) -> i64 {
        match self.direction {
            Direction::Forward => time.nanos(),
            // All bits turned: as a negation, without an end that has no opposite.
            Direction::Backward => !time.nanos(),
        }
    }
}

/// Where a row stands among those of its stream and time.
type PushOrder = (PushStamp, u32);

#[derive(Debug)]
struct KeptRow {
    stream: u32,
    id: StreamId,
    order: PushOrder,
    row: LogRow,
}

/// The best rows so far. Rows of one time are kept or let go together: which of them are shown is only
/// known when all have come.
#[derive(Debug, Default)]
struct Kept {
    by_time: BTreeMap<i64, HashMap<Identity, KeptRow>>,
    rows: usize,
    /// By place: the labels of streams as they are shown, if no stage changes them.
    stream_labels: Vec<Option<Arc<LabelSet>>>,
}

impl Kept {
    /// Enough rows are known that come before a row of this rank.
    fn is_past(&self, rank: i64, bound: usize) -> bool {
        self.rows >= bound && self.by_time.last_key_value().is_none_or(|(last, _)| rank > *last)
    }

    /// The same row again. The one that was pushed first says where it stands.
    fn meets_again(&mut self, rank: i64, identity: Identity, order: PushOrder) -> bool {
        let Some(known) = self.by_time.get_mut(&rank).and_then(|rows| rows.get_mut(&identity)) else {
            return false;
        };
        known.order = known.order.min(order);
        true
    }

    fn insert(&mut self, rank: i64, identity: Identity, row: KeptRow) {
        self.by_time.entry(rank).or_default().insert(identity, row);
        self.rows += 1;
    }

    /// Lets go of rows that cannot be shown; how many bytes that were.
    fn evict(&mut self, bound: usize) -> usize {
        let mut dropped = 0;
        while let Some(last) = self.by_time.last_entry()
            && self.rows - last.get().len() >= bound
        {
            let rows = last.remove();
            self.rows -= rows.len();
            dropped += rows.values().map(|kept| kept.row.bytes()).sum::<usize>();
        }
        dropped
    }

    fn labels(&mut self, stream: u32, row: &Row<'_>) -> EntryLabels {
        let mut labels = EntryLabels::of(row);
        let place = stream as usize;
        if self.stream_labels.len() <= place {
            self.stream_labels.resize(place + 1, None);
        }
        match &self.stream_labels[place] {
            Some(known) if *known == labels.stream => labels.stream = known.clone(),
            _ => self.stream_labels[place] = Some(labels.stream.clone()),
        }
        labels
    }
}

impl LogRow {
    fn bytes(&self) -> usize {
        // The row itself, its identity and its share of the tables that it is in.
        const ROW_BYTES: usize = std::mem::size_of::<KeptRow>() + 64;
        ROW_BYTES + self.line.len() + self.labels.metadata.bytes() + self.labels.parsed.bytes()
    }
}
