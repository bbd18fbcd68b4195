//! Makes a catalog again from segments.
//!
//! Whatever segment lies in the store, verifies, and is named by no fact is announced. A merged segment takes
//! the place of its inputs only if all that the same merge made is there and verifies; else the inputs are
//! announced beside it, and readers show the rows of both once. Segments that travel inside their adds need
//! nothing: those objects are facts themselves. What a fact removed stays removed. A fact that cannot be read is set
//! aside (`mend`), for it would hide its partition from every reader.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use larch_proto::{Partition, SegmentEntry};
use larch_runtime::Env;
use larch_segment::Provenance;
use larch_types::{FactId, SegmentId, Span, TenantId};

use super::check::{Checked, Finding, Problem, is_whole, read_facts};
use super::mend::{mend, mendable};
use super::pins::{pin, unpin};
use super::survey::{CareError, Survey, partitions_of, survey};
use crate::catalog::{Catalog, CatalogSets, Input, NewSegment};
use crate::key::Key;
use crate::segments::entry_of;
use crate::store::Store;

/// A rebuild of one tenant holds the sweeper off for so long; it ends the pin when it is done.
const PIN: Duration = Duration::from_secs(86_400);

/// Facts are written within an hour, as all facts are.
pub(super) const LATEST: Duration = Duration::from_secs(3600);

/// Entries of one add: some hundred bytes each.
const ENTRIES_OF_ADD: usize = 1_000;

/// What was, or would be, announced.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Rebuilt {
    pub added: u64,
    /// Inputs of merged segments that are there in their place.
    pub replaced: u64,
    /// Of what was added.
    pub rows: u64,
    /// Facts that could not be read.
    pub set_aside: u64,
}

/// A segment that no fact names.
struct Unnamed {
    entry: SegmentEntry,
    provenance: Provenance,
}

/// Announces what is not announced. With `writes` false it only says what it would do.
pub async fn rebuild_tenant(
    store: &Store,
    catalog: &Catalog,
    env: &Env,
    tenant: &TenantId,
    writes: bool,
    tell: &mut (dyn FnMut(Finding) + Send),
) -> Result<Rebuilt, CareError> {
    let pinned = if writes {
        let until = env.clock.now().plus(Span::from(PIN));
        Some(pin(store, tenant, until, env.new_fact_id()).await?)
    } else {
        None
    };
    let mut rebuilt = Rebuilt::default();
    for partition in partitions_of(store, tenant).await? {
        let found = survey(store, tenant, partition).await?;
        let (sets, bad) = read_facts(catalog, tenant, partition, &found, &mut Checked::default()).await?;
        let unnamed = read_unnamed(store, tenant, partition, (&found, &sets), tell).await?;
        let sound = sound_siblings(store, tenant, &unnamed, &sets, tell).await?;
        let plan = arrange(unnamed, &sets, &sound);
        rebuilt.added += plan.segments().count() as u64;
        rebuilt.rows += plan.segments().map(|entry| entry.rows).sum::<u64>();
        rebuilt.replaced += plan.swaps.iter().map(|(_, inputs)| inputs.len() as u64).sum::<u64>();
        if writes {
            write(catalog, env, tenant, partition, plan).await?;
        }
        for (name, wrong) in bad {
            let object = Key::fact(tenant, partition, name).to_string();
            let Some(fact) = mendable(store, tenant, partition, (name, &wrong), &sets).await? else {
                tell(Finding { object, problem: Problem::Corrupt(wrong.to_string()) });
                continue;
            };
            rebuilt.set_aside += 1;
            rebuilt.added += fact.carried.len() as u64;
            rebuilt.rows += fact.carried.iter().map(|(entry, _)| entry.rows).sum::<u64>();
            if writes {
                mend(store, catalog, env, (tenant, partition), fact).await?;
            }
            let say = if writes { Problem::SetAside } else { Problem::Corrupt };
            tell(Finding { object, problem: say(wrong.to_string()) });
        }
    }
    if let Some(name) = pinned {
        unpin(store, tenant, &name).await?;
    }
    Ok(rebuilt)
}

/// The facts to be written for a partition.
#[derive(Default)]
struct Plan {
    adds: Vec<SegmentEntry>,
    swaps: Vec<(Vec<SegmentEntry>, Vec<Input>)>,
}

impl Plan {
    fn segments(&self) -> impl Iterator<Item = &SegmentEntry> {
        self.adds.iter().chain(self.swaps.iter().flat_map(|(outputs, _)| outputs))
    }
}

/// Reads and verifies all segments that no fact names.
async fn read_unnamed(
    store: &Store,
    tenant: &TenantId,
    partition: Partition,
    (found, sets): (&Survey, &CatalogSets),
    tell: &mut (dyn FnMut(Finding) + Send),
) -> Result<BTreeMap<SegmentId, Unnamed>, CareError> {
    let mut unnamed = BTreeMap::new();
    for (id, info) in &found.segments {
        if sets.live_entry(*id).is_some() || sets.is_removed(*id) {
            continue;
        }
        let key = Key::segment(tenant, partition, *id);
        let bytes = match store.get(&key, info.size).await {
            Ok(bytes) => bytes,
            // Swept since it was listed.
            Err(error) if error.is_missing() => continue,
            Err(error) => return Err(error.into()),
        };
        let read = larch_segment::verify(&bytes).map_err(|error| error.to_string()).and_then(|segment| {
            if segment.provenance().id != *id {
                return Err(format!("it is segment {}", segment.provenance().id));
            }
            let entry = entry_of(&segment, bytes.len() as u64).map_err(|error| error.to_string())?;
            if entry.partition != partition && partition != Partition::Wide {
                return Err("it has rows of other days".to_owned());
            }
            Ok(Unnamed {
                entry: SegmentEntry { partition, ..entry },
                provenance: segment.provenance().clone(),
            })
        });
        match read {
            Ok(one) => drop(unnamed.insert(*id, one)),
            Err(text) => {
                tell(Finding { object: key.as_str().to_owned(), problem: Problem::Corrupt(text) });
            }
        }
    }
    Ok(unnamed)
}

/// Which segments that a merge made beside unnamed ones, and that facts do name, are there and verify.
async fn sound_siblings(
    store: &Store,
    tenant: &TenantId,
    unnamed: &BTreeMap<SegmentId, Unnamed>,
    sets: &CatalogSets,
    tell: &mut (dyn FnMut(Finding) + Send),
) -> Result<BTreeSet<SegmentId>, CareError> {
    let merged = unnamed.values().filter(|one| !one.provenance.inputs.is_empty());
    let siblings: BTreeSet<SegmentId> =
        merged.flat_map(|one| one.provenance.siblings.iter().copied()).collect();
    let mut sound = BTreeSet::new();
    for entry in siblings.iter().filter_map(|id| sets.live_entry(*id)) {
        if is_whole(store, tenant, entry, &mut Checked::default(), tell).await? {
            sound.insert(entry.id);
        }
    }
    Ok(sound)
}

/// What one merge made becomes a swap, if all of it is there.
fn arrange(unnamed: BTreeMap<SegmentId, Unnamed>, sets: &CatalogSets, sound: &BTreeSet<SegmentId>) -> Plan {
    let carried: BTreeMap<SegmentId, FactId> = sets
        .live()
        .filter_map(|entry| entry.embedded.map(|place| (entry.id, FactId::from_u128(place.add_id))))
        .collect();
    let (mut plan, mut done) = (Plan::default(), BTreeSet::new());
    for (id, one) in &unnamed {
        if done.contains(id) {
            continue;
        }
        let mut group: BTreeSet<SegmentId> = one.provenance.siblings.iter().copied().collect();
        group.insert(*id);
        let is_there = |id: &SegmentId| unnamed.contains_key(id) || sound.contains(id);
        if one.provenance.inputs.is_empty() || !group.iter().all(is_there) {
            plan.adds.push(one.entry.clone());
            continue;
        }
        let (mut outputs, mut inputs) = (Vec::new(), BTreeSet::new());
        for sibling in group.iter().filter_map(|id| unnamed.get(id)) {
            outputs.push(sibling.entry.clone());
            inputs.extend(sibling.provenance.inputs.iter().copied());
        }
        let input = |id: SegmentId| Input { id, carried_by: carried.get(&id).copied() };
        plan.swaps.push((outputs, inputs.into_iter().map(input).collect()));
        done.extend(group);
    }
    plan
}

async fn write(
    catalog: &Catalog,
    env: &Env,
    tenant: &TenantId,
    partition: Partition,
    plan: Plan,
) -> Result<(), CareError> {
    let last = env.clock.monotonic().plus(LATEST);
    for (outputs, inputs) in plan.swaps {
        let id = catalog.new_fact_id();
        catalog.swap(tenant, partition, id, outputs, inputs, last).await?;
    }
    for entries in plan.adds.chunks(ENTRIES_OF_ADD) {
        let new = |entry: &SegmentEntry| NewSegment { entry: entry.clone(), carried: None };
        let segments = entries.iter().map(new).collect();
        catalog.add(tenant, partition, catalog.new_fact_id(), segments, last).await?;
    }
    Ok(())
}
