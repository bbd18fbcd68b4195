//! Whether the rows of a segment that no fact names are in segments that facts do name.

use larch_proto::{Partition, SegmentEntry};
use larch_segment::{OpenError, Segment, TAIL_GUESS_BYTES};
use larch_types::{SegmentId, TenantId};

use super::survey::{CareError, Survey};
use crate::catalog::CatalogSets;
use crate::key::Key;
use crate::store::Store;

/// It is true of two kinds of segments, and for all others nothing is proved. An upload whose fact was never sent is
/// done again under another id: who wrote it, its rows and its times are then those of a live segment. And a merge
/// that was not announced leaves outputs whose inputs are all there, or removed by another merge.
///
/// Its footer is read; one that cannot be read proves nothing.
pub async fn is_repeated(
    store: &Store,
    tenant: &TenantId,
    partition: Partition,
    id: SegmentId,
    (sets, survey): (&CatalogSets, &Survey),
) -> Result<bool, CareError> {
    let key = Key::segment(tenant, partition, id);
    let tail = match store.get_tail(&key, TAIL_GUESS_BYTES).await {
        Ok(tail) => tail,
        // Then its rows are nowhere, and there is nothing to lose.
        Err(error) if error.is_missing() => return Ok(true),
        Err(error) => return Err(error.into()),
    };
    let opened = match Segment::open(&tail.bytes, tail.size) {
        Err(OpenError::Short { from }) => {
            Segment::open(&store.get_range(&key, from..tail.size).await?, tail.size)
        }
        opened => opened,
    };
    let Ok(segment) = opened else { return Ok(false) };
    let inputs = &segment.provenance().inputs;
    if inputs.is_empty() {
        return Ok(sets.live().any(|entry| has_rows_of(entry, &segment)));
    }
    let live = |id: &SegmentId| {
        let entry = sets.live_entry(*id);
        entry.is_some_and(|entry| entry.embedded.is_some() || survey.segments.contains_key(id))
    };
    Ok(inputs.iter().all(|id| sets.is_removed(*id) || live(id)))
}

/// Nobody cuts two files of as many rows and bytes between the same two nanoseconds.
fn has_rows_of(entry: &SegmentEntry, segment: &Segment) -> bool {
    let totals = segment.totals();
    entry.uploader == segment.provenance().uploader
        && (entry.first, entry.last) == (totals.first_time, totals.last_time)
        && (entry.rows, entry.raw_bytes) == (totals.rows, totals.raw_bytes)
}
