//! The rows of one answer of one ingester, or of the segments of one read, in the order in which they were
//! asked for.

use std::sync::Arc;

use futures_util::StreamExt;
use larch_proto::{Direction, RowBatch};
use larch_rpc::{CallError, CallStream};
use larch_types::{ErrorKind, TenantId, Timestamp};

use super::budget::Budget;
use super::held::HeldRow;
use super::stored::StoredRows;
use super::stream::Streams;

pub(super) struct Source {
    /// Which of the question's reads it answers.
    pub(super) read: usize,
    tenant: TenantId,
    direction: Direction,
    origin: Origin,
    /// Of what came last.
    rows: std::vec::IntoIter<HeldRow>,
    next: Option<HeldRow>,
    /// The time of the row that was taken last.
    last: Option<Timestamp>,
    has_ended: bool,
    pub(super) taken: Taken,
}

/// Where the rows come from.
pub(super) enum Origin {
    Ingester(CallStream<RowBatch>),
    Segments(Box<StoredRows>),
}

/// What came from it, if it is an ingester.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Taken {
    pub(super) batches: u64,
    pub(super) rows: u64,
    pub(super) bytes: u64,
}

impl Source {
    pub(super) fn new(read: usize, tenant: TenantId, direction: Direction, origin: Origin) -> Self {
        let rows = Vec::new().into_iter();
        let taken = Taken::default();
        Self { read, tenant, direction, origin, rows, next: None, last: None, has_ended: false, taken }
    }

    /// The time of the next row, if that is here already: most are, and need not be waited for.
    pub(super) fn at_hand(&mut self) -> Option<Timestamp> {
        if self.next.is_none() {
            self.next = self.rows.next();
        }
        self.next.as_ref().map(|row| row.timestamp)
    }

    /// The time of the next row; none behind the last.
    ///
    /// # Cancel safety
    /// May be dropped and asked for again.
    pub(super) async fn peek(
        &mut self,
        streams: &mut Streams,
        budget: &mut Budget,
    ) -> Result<Option<Timestamp>, CallError> {
        while self.at_hand().is_none() && !self.has_ended {
            match &mut self.origin {
                Origin::Ingester(batches) => match batches.next().await {
                    None => self.has_ended = true,
                    Some(batch) => self.take_in(batch?, streams, budget)?,
                },
                Origin::Segments(stored) => match stored.next_batch(streams, budget).await? {
                    None => self.has_ended = true,
                    Some(rows) => self.rows = rows.into_iter(),
                },
            }
        }
        Ok(self.at_hand())
    }

    fn take_in(
        &mut self,
        batch: RowBatch,
        streams: &mut Streams,
        budget: &mut Budget,
    ) -> Result<(), CallError> {
        let rows = rows_of_batch(batch, &self.tenant, streams, budget)?;
        self.taken.batches += 1;
        self.taken.rows += rows.len() as u64;
        for row in &rows {
            self.taken.bytes += (row.line.len() + row.metadata_bytes()) as u64;
        }
        self.rows = rows.into_iter();
        Ok(())
    }

    /// The row that was peeked at. It must not be before the one that came before it: copies of a row would
    /// not meet, and would count twice.
    pub(super) fn pop(&mut self) -> Result<Option<HeldRow>, CallError> {
        let Some(row) = self.next.take() else { return Ok(None) };
        let goes_back = self.last.is_some_and(|last| match self.direction {
            Direction::Forward => row.timestamp < last,
            Direction::Backward => row.timestamp > last,
        });
        if goes_back {
            return Err(CallError::new(ErrorKind::Internal, "an ingester sent rows out of order"));
        }
        self.last = Some(row.timestamp);
        Ok(Some(row))
    }
}

/// The rows of a batch, each with its stream.
pub(crate) fn rows_of_batch(
    batch: RowBatch,
    tenant: &TenantId,
    streams: &mut Streams,
    budget: &mut Budget,
) -> Result<Vec<HeldRow>, CallError> {
    let mut met = Vec::with_capacity(batch.streams.len());
    for text in &batch.streams {
        met.push(streams.meet(tenant, text, budget)?);
    }
    let levels: Vec<Arc<str>> = batch.levels.into_iter().map(Arc::from).collect();
    let mut rows = Vec::with_capacity(batch.rows.len());
    for row in batch.rows {
        // Places are checked where batches come in from other processes, and are right within one.
        let stream = met.get(row.stream as usize).ok_or_else(|| misplaced("stream"))?;
        let level = match row.level {
            Some(place) => Some(Arc::clone(levels.get(place as usize).ok_or_else(|| misplaced("level"))?)),
            None => None,
        };
        rows.push(HeldRow {
            stream: Arc::clone(stream),
            timestamp: row.timestamp,
            tie: row.tie,
            late: None,
            line: row.line,
            metadata: row.metadata,
            level,
        });
    }
    Ok(rows)
}

fn misplaced(what: &str) -> CallError {
    CallError::new(ErrorKind::Internal, format!("an ingester sent a row without its {what}"))
}
