//! Facts that cannot be read. One of them hides its whole partition, so it must not stay: what it carries is announced
//! anew, and the object is set aside under a name that is not a fact's. All else that it said follows from the
//! segments. What carries rows that cannot be told apart any more stays, because a silent gap is worse.

use bytes::Bytes;
use larch_proto::{Partition, SegmentEntry};
use larch_runtime::Env;
use larch_types::TenantId;

use super::rebuild::LATEST;
use super::survey::CareError;
use crate::catalog::{Catalog, CatalogSets, DecodeError, MAX_FACT_BYTES, NewSegment, fact_length};
use crate::key::{FactKind, FactName, Key};
use crate::segments::entry_of;
use crate::store::Store;

/// The first and the last bytes of every segment (docs/formats/segment.md).
const FIRST: &[u8] = b"LARCHSEG";
const LAST: &[u8] = b"GESHCRAL";

/// Segments that one add is looked through for. Writers put one into each.
const MOST_CARRIED: usize = 64;

/// A fact that need not stay.
pub(super) struct Mendable {
    name: FactName,
    bytes: Bytes,
    /// What it carries and no fact removes, each as it was written.
    pub(super) carried: Vec<(SegmentEntry, Bytes)>,
}

/// `None` if the fact must stay: it may be one of a later version, it may carry what is not whole, or only what it says
/// is wrong and not its bytes.
pub(super) async fn mendable(
    store: &Store,
    tenant: &TenantId,
    partition: Partition,
    (name, wrong): (FactName, &DecodeError),
    sets: &CatalogSets,
) -> Result<Option<Mendable>, CareError> {
    if !matches!(wrong, DecodeError::Short | DecodeError::Magic | DecodeError::Checksum) {
        return Ok(None);
    }
    let bytes = match store.get(&Key::fact(tenant, partition, name), MAX_FACT_BYTES).await {
        Ok(bytes) => bytes,
        // Somebody else sets it aside.
        Err(error) if error.is_missing() => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    let carried = match name.kind {
        FactKind::Add => carried(&bytes, partition),
        FactKind::Swap | FactKind::Snap => Some(Vec::new()),
    };
    Ok(carried.map(|mut carried| {
        carried.retain(|(entry, _)| !sets.is_removed(entry.id));
        Mendable { name, bytes, carried }
    }))
}

/// Its segments become objects of their own: an entry that says so wins over one that names a place in the add. Every
/// step may be done again.
pub(super) async fn mend(
    store: &Store,
    catalog: &Catalog,
    env: &Env,
    (tenant, partition): (&TenantId, Partition),
    mendable: Mendable,
) -> Result<(), CareError> {
    let last = env.clock.monotonic().plus(LATEST);
    let mut new = Vec::new();
    for (entry, bytes) in mendable.carried {
        store.put(&Key::segment(tenant, partition, entry.id), bytes).await?;
        new.push(NewSegment { entry, carried: None });
    }
    if !new.is_empty() {
        catalog.add(tenant, partition, catalog.new_fact_id(), new, last).await?;
    }
    store.put(&Key::set_aside(tenant, partition, mendable.name), mendable.bytes).await?;
    Ok(store.delete(&Key::fact(tenant, partition, mendable.name)).await?)
}

/// The segments behind the fact of an add, if it is certain that these are all.
fn carried(object: &Bytes, partition: Partition) -> Option<Vec<(SegmentEntry, Bytes)>> {
    let from = fact_length(object).filter(|from| *from <= object.len())?;
    let mut rest = object.slice(from..);
    if rest.is_empty() {
        // Should its length be what is wrong, there could be one all the same.
        return (!object.windows(FIRST.len()).any(|bytes| bytes == FIRST)).then(Vec::new);
    }
    let mut found = Vec::new();
    while !rest.is_empty() {
        let (entry, length) = first_of(&rest, partition)?;
        found.push((entry, rest.split_to(length)));
        if found.len() > MOST_CARRIED {
            return None;
        }
    }
    Some(found)
}

/// The segment with which the bytes begin, and how many they are.
fn first_of(bytes: &Bytes, partition: Partition) -> Option<(SegmentEntry, usize)> {
    let ends = bytes.windows(LAST.len()).enumerate().filter(|(_, window)| *window == LAST);
    for length in ends.map(|(at, _)| at + LAST.len()) {
        let Ok(segment) = larch_segment::verify(&bytes.slice(..length)) else { continue };
        let entry = entry_of(&segment, length as u64).ok()?;
        let fits = entry.partition == partition || partition == Partition::Wide;
        return fits.then_some((SegmentEntry { partition, ..entry }, length));
    }
    None
}
