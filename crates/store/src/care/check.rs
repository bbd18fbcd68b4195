//! Reads everything that a tenant has stored, and compares it with its checksums and with the catalog.

use bytes::Bytes;
use larch_proto::{Partition, SegmentEntry};
use larch_types::TenantId;

use super::survey::{CareError, Survey, partitions_of, survey};
use crate::catalog::{Catalog, CatalogError, CatalogSets, DecodeError, SegmentPlace};
use crate::error::Failure;
use crate::key::{FactName, Key};
use crate::store::Store;

/// What is wrong with an object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// Its key.
    pub object: String,
    pub problem: Problem,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Problem {
    /// The catalog names it as live, and it is not there.
    Missing,
    /// It is not what was written.
    Corrupt(String),
    /// It was a fact that could not be read. It hides nothing any more, and is kept under another name.
    SetAside(String),
    /// It is there, and the catalog does not name it. That alone is no damage: an upload that was not finished
    /// leaves such objects, and the sweeper removes them after two days.
    Orphan,
}

impl Problem {
    /// Whether answers lack rows because of it.
    pub const fn is_damage(&self) -> bool {
        matches!(self, Self::Missing | Self::Corrupt(_))
    }
}

/// How much was read.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Checked {
    pub facts: u64,
    pub segments: u64,
    /// Copies of rows count as often as they are stored.
    pub rows: u64,
    pub bytes: u64,
}

/// Checks all partitions of a tenant; findings are told as they are made. An object that cannot be read because
/// the store does not answer ends the check.
pub async fn check_tenant(
    store: &Store,
    catalog: &Catalog,
    tenant: &TenantId,
    tell: &mut (dyn FnMut(Finding) + Send),
) -> Result<Checked, CareError> {
    let mut checked = Checked::default();
    for partition in partitions_of(store, tenant).await? {
        let found = survey(store, tenant, partition).await?;
        let (sets, bad) = read_facts(catalog, tenant, partition, &found, &mut checked).await?;
        for (name, wrong) in bad {
            let object = Key::fact(tenant, partition, name).as_str().to_owned();
            tell(Finding { object, problem: Problem::Corrupt(wrong.to_string()) });
        }
        for entry in sets.live() {
            is_whole(store, tenant, entry, &mut checked, tell).await?;
        }
        let is_named = |id| sets.live_entry(id).is_some() || sets.is_removed(id);
        for id in found.segments.into_keys().filter(|id| !is_named(*id)) {
            let object = Key::segment(tenant, partition, id).as_str().to_owned();
            tell(Finding { object, problem: Problem::Orphan });
        }
    }
    Ok(checked)
}

/// What the facts that can be read say together, and which cannot.
pub(super) async fn read_facts(
    catalog: &Catalog,
    tenant: &TenantId,
    partition: Partition,
    found: &Survey,
    checked: &mut Checked,
) -> Result<(CatalogSets, Vec<(FactName, DecodeError)>), CareError> {
    let (mut sets, mut bad) = (CatalogSets::default(), Vec::new());
    for name in found.facts.keys() {
        match catalog.fact(tenant, partition, *name).await {
            Ok(fact) => {
                checked.facts += 1;
                sets.apply(&fact);
            }
            Err(CatalogError::Corrupt { source, .. }) => bad.push((*name, source)),
            // Folded, and deleted since it was listed.
            Err(CatalogError::Store(error)) if error.is_missing() => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok((sets, bad))
}

/// Whether a live segment is there and verifies. What is wrong is told.
pub(super) async fn is_whole(
    store: &Store,
    tenant: &TenantId,
    entry: &SegmentEntry,
    checked: &mut Checked,
    tell: &mut (dyn FnMut(Finding) + Send),
) -> Result<bool, CareError> {
    let place = SegmentPlace::of(tenant, entry);
    let object = match entry.embedded {
        None => place.key.as_str().to_owned(),
        Some(_) => format!("{} in {}", entry.id, place.key.as_str()),
    };
    let range = place.offset..place.offset.saturating_add(place.bytes);
    let problem = match store.get_range(&place.key, range).await {
        Ok(bytes) => match verified(&bytes, entry) {
            Ok(()) => {
                checked.segments += 1;
                checked.rows += entry.rows;
                checked.bytes += entry.object_bytes;
                return Ok(true);
            }
            Err(text) => Problem::Corrupt(text),
        },
        Err(error) if error.is_missing() => Problem::Missing,
        Err(error) if error.failure() == Failure::Short => Problem::Corrupt(error.to_string()),
        Err(error) => return Err(error.into()),
    };
    tell(Finding { object, problem });
    Ok(false)
}

/// Whether the bytes are the whole segment, and the one that the entry speaks of.
fn verified(bytes: &Bytes, entry: &SegmentEntry) -> Result<(), String> {
    let segment = larch_segment::verify(bytes).map_err(|error| error.to_string())?;
    let (found, totals) = (segment.provenance().id, segment.totals());
    if found != entry.id {
        return Err(format!("it is segment {found}, and the catalog says {}", entry.id));
    }
    let times = (totals.first_time, totals.last_time);
    if totals.rows != entry.rows || times != (entry.first, entry.last) {
        return Err("it has other rows than the catalog says".to_owned());
    }
    Ok(())
}
