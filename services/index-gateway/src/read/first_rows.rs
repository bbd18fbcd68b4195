//! Where the first rows of a read are, so that nothing is planned of the others: of a million streams the newest
//! hundred rows are in some hundred.
//!
//! The index says when the rows of a stream in a chunk begin and end. From that follows a time that the last of
//! the wanted rows is not behind. In one segment no row comes twice, so that the time is taken from one segment
//! alone, whichever brings it nearest.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::num::NonZeroU64;
use std::sync::Arc;

use futures_util::{StreamExt, TryStreamExt, stream};
use larch_proto::{Direction, SegmentEntry};
use larch_rpc::CallError;
use larch_segment::{Corrupt, OrdinalSet, Segment, SeriesSpan};
use larch_store::Segments;
use larch_types::{Span, TenantId, Timestamp};

use super::PARALLEL_SEGMENTS;
use crate::failure::{corrupt, failed};
use crate::selection::Chosen;

/// A segment that has been looked into.
pub(crate) struct Opened<'e> {
    pub(crate) entry: &'e SegmentEntry,
    pub(crate) segment: Arc<Segment>,
    pub(crate) streams: OrdinalSet,
}

/// The segments that may have some of the first rows, and the range in which those are.
pub(crate) struct FirstRows<'e> {
    pub(crate) opened: Vec<Opened<'e>>,
    pub(crate) range: (Timestamp, Timestamp),
}

/// Few segments at first, because mostly the first have enough rows.
pub(crate) async fn find<'e>(
    segments: &Segments,
    tenant: &TenantId,
    entries: &'e [SegmentEntry],
    chosen: &Chosen,
    (direction, limit): (Direction, NonZeroU64),
) -> Result<FirstRows<'e>, CallError> {
    let order = Order { direction, range: chosen.range() };
    let mut waiting: Vec<&SegmentEntry> = entries.iter().collect();
    // The first is the last.
    waiting.sort_by_key(|entry| order.first_of(entry));
    let (mut opened, mut bound, mut at_once) = (Vec::new(), None, 1);
    loop {
        let mut next = Vec::new();
        while next.len() < at_once
            && let Some(entry) = waiting.pop_if(|entry| bound <= Some(order.first_of(entry)))
        {
            next.push(entry);
        }
        if next.is_empty() {
            break;
        }
        let calls: Vec<_> = next.into_iter().map(|entry| open(segments, tenant, entry, chosen)).collect();
        let found: Vec<Opened<'_>> = stream::iter(calls).buffered(at_once).try_collect().await?;
        for one in &found {
            let of_one = order.bound(one, limit.get()).map_err(|error| corrupt(one.entry, &error))?;
            bound = bound.max(of_one);
        }
        opened.extend(found);
        at_once = (2 * at_once).min(PARALLEL_SEGMENTS);
    }
    opened.retain(|one| bound <= Some(order.first_of(one.entry)));
    opened.sort_by_key(|one| one.entry.id);
    Ok(FirstRows { opened, range: order.range_from(bound) })
}

async fn open<'e>(
    segments: &Segments,
    tenant: &TenantId,
    entry: &'e SegmentEntry,
    chosen: &Chosen,
) -> Result<Opened<'e>, CallError> {
    let segment = segments.open(tenant, entry).await.map_err(|error| failed(&error))?;
    let streams = chosen.streams(segment.index()).map_err(|error| corrupt(entry, &error))?;
    Ok(Opened { entry, segment, streams })
}

/// Which rows come first. A time's rank is the greater the earlier its rows come.
struct Order {
    direction: Direction,
    range: (Timestamp, Timestamp),
}

impl Order {
    const fn rank(&self, time: Timestamp) -> i64 {
        match self.direction {
            Direction::Forward => !time.nanos(),
            Direction::Backward => time.nanos(),
        }
    }

    /// No row of the segment comes before.
    const fn first_of(&self, entry: &SegmentEntry) -> i64 {
        match self.direction {
            Direction::Forward => self.rank(entry.first),
            Direction::Backward => self.rank(entry.last),
        }
    }

    /// So many rows of the segment come at this rank or before; none if that is not known of so many.
    fn bound(&self, opened: &Opened<'_>, limit: u64) -> Result<Option<i64>, Corrupt> {
        let mut known = KnownRows { limit, rows: 0, heap: BinaryHeap::new() };
        let (mut walk, mut spans) = (opened.segment.index().walk(), Vec::new());
        for stream in opened.streams.iter() {
            walk.spans(stream, &mut spans)?;
            spans.iter().for_each(|span| self.add(span, &mut known));
        }
        Ok(known.bound())
    }

    fn add(&self, span: &SeriesSpan, known: &mut KnownRows) {
        let (start, end) = self.range;
        let is_in = |time: Timestamp| start <= time && time < end;
        let (near, far) = match self.direction {
            Direction::Forward => (span.first_time, span.last_time),
            Direction::Backward => (span.last_time, span.first_time),
        };
        let others = u64::from(span.rows).saturating_sub(1);
        match (is_in(near), is_in(far)) {
            (true, true) => {
                known.add(self.rank(near), 1);
                known.add(self.rank(far), others);
            }
            (true, false) => known.add(self.rank(near), 1),
            (false, true) => known.add(self.rank(far), 1),
            (false, false) => {}
        }
    }

    fn range_from(&self, bound: Option<i64>) -> (Timestamp, Timestamp) {
        let (start, end) = self.range;
        match (bound, self.direction) {
            (None, _) => (start, end),
            (Some(rank), Direction::Backward) => (start.max(Timestamp::from_nanos(rank)), end),
            (Some(rank), Direction::Forward) => {
                (start, end.min(Timestamp::from_nanos(!rank).plus(Span::from_nanos(1))))
            }
        }
    }
}

/// Rows that are known to come at some rank or before. Of more than are wanted those of the least ranks are
/// let go.
struct KnownRows {
    limit: u64,
    rows: u64,
    heap: BinaryHeap<Reverse<(i64, u64)>>,
}

impl KnownRows {
    fn add(&mut self, rank: i64, rows: u64) {
        let is_late = self.rows >= self.limit && self.bound() >= Some(rank);
        if rows == 0 || is_late {
            return;
        }
        self.heap.push(Reverse((rank, rows)));
        self.rows = self.rows.saturating_add(rows);
        while let Some(Reverse((_, least))) = self.heap.peek()
            && self.rows - least >= self.limit
        {
            self.rows -= least;
            self.heap.pop();
        }
    }

    fn bound(&self) -> Option<i64> {
        self.heap.peek().filter(|_| self.rows >= self.limit).map(|Reverse((rank, _))| *rank)
    }
}
