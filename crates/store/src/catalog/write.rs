//! Announcing segments. The object of a segment is written first, the fact that names it after.

use std::ops::Range;

use bytes::Bytes;
use larch_proto::{Partition, SegmentEntry};
use larch_types::{FactId, Monotonic, TenantId};

use super::format::{Fact, FactBody, Input, encode_add};
use super::view::{Catalog, CatalogError};
use crate::key::{FactKind, FactName, Key};

/// A smaller segment travels inside its add: ten thousand small tenants must not cost two requests each.
pub const EMBED_BELOW_BYTES: u64 = 256 << 10;

/// A segment to be announced.
#[derive(Debug, Clone)]
pub struct NewSegment {
    pub entry: SegmentEntry,
    /// The segment itself, if it travels inside the fact and has no object of its own.
    pub carried: Option<Bytes>,
}

/// Where the bytes of a segment are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SegmentPlace {
    pub key: Key,
    /// Of the segment's first byte in the object.
    pub offset: u64,
    pub bytes: u64,
}

impl SegmentPlace {
    pub fn of(tenant: &TenantId, entry: &SegmentEntry) -> Self {
        let bytes = entry.object_bytes;
        match entry.embedded {
            None => Self { key: Key::segment(tenant, entry.partition, entry.id), offset: 0, bytes },
            Some(place) => {
                let name = FactName { kind: FactKind::Add, id: FactId::from_u128(place.add_id) };
                Self { key: Key::fact(tenant, entry.partition, name), offset: place.offset, bytes }
            }
        }
    }

    /// A range of the segment as a range of the object; `None` if it is not inside the segment.
    pub fn range(&self, range: Range<u64>) -> Option<Range<u64>> {
        let end = self.offset.checked_add(range.end).filter(|_| range.end <= self.bytes)?;
        let start = self.offset.checked_add(range.start)?;
        (range.start <= range.end).then_some(start..end)
    }
}

impl Catalog {
    /// Says that segments exist, under a name that a second try uses again. No try begins after `last`: an
    /// hour after the first upload began the segments may be swept. Gives the entries with their places.
    pub async fn add(
        &self,
        tenant: &TenantId,
        partition: Partition,
        id: FactId,
        segments: Vec<NewSegment>,
        last: Monotonic,
    ) -> Result<Vec<SegmentEntry>, CatalogError> {
        let mut given = Vec::with_capacity(segments.len());
        for NewSegment { entry, carried } in segments {
            let fits = carried.as_ref().is_none_or(|bytes| bytes.len() as u64 == entry.object_bytes);
            if entry.partition != partition || !fits {
                return Err(CatalogError::Misplaced { id: entry.id });
            }
            given.push((entry, carried));
        }
        let (bytes, entries) = encode_add(id, partition, &given);
        let fact = Fact { id, partition, body: FactBody::Add { entries: entries.clone() } };
        self.put_fact(tenant, &fact, bytes, Some(last)).await?;
        self.learn(tenant, &fact).await;
        Ok(entries)
    }

    /// Says that segments replace others, in one object: a reader sees both or neither. Without outputs the
    /// inputs are dropped.
    pub async fn swap(
        &self,
        tenant: &TenantId,
        partition: Partition,
        id: FactId,
        outputs: Vec<SegmentEntry>,
        inputs: Vec<Input>,
        last: Monotonic,
    ) -> Result<(), CatalogError> {
        let misplaced = |entry: &&SegmentEntry| entry.partition != partition || entry.embedded.is_some();
        if let Some(entry) = outputs.iter().find(misplaced) {
            return Err(CatalogError::Misplaced { id: entry.id });
        }
        let fact = Fact { id, partition, body: FactBody::Swap { outputs, inputs } };
        self.put_fact(tenant, &fact, fact.encode(), Some(last)).await?;
        self.learn(tenant, &fact).await;
        Ok(())
    }

    /// Bytes of a segment, wherever it is.
    pub async fn get_ranges(
        &self,
        place: &SegmentPlace,
        ranges: &[Range<u64>],
    ) -> Result<Vec<Bytes>, CatalogError> {
        let shifted: Option<Vec<Range<u64>>> =
            ranges.iter().map(|range| place.range(range.clone())).collect();
        let outside = || crate::error::StoreError::short(place.key.as_str());
        Ok(self.store().get_ranges(&place.key, &shifted.ok_or_else(outside)?).await?)
    }
}
