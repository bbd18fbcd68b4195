//! Whether a removed segment may go: a day after its removal, once all that took its place is there.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use larch_proto::Partition;
use larch_store::{CatalogSets, FactKind, FactName, Key, Store, Survey};
use larch_types::{FactId, SegmentId, Span, TenantId, Timestamp};

use super::SweepError;

/// A plan may be as old as a view and run as long as a query; a day is far beyond both.
const REMOVED_AGE: Duration = Duration::from_secs(24 * 3600);

/// A merge of a merge, and so on: more steps than any segment is ever merged.
const MAX_STEPS: usize = 16;

/// What is known of removals in one partition. Objects are asked for once.
pub(super) struct Removals<'a> {
    store: &'a Store,
    tenant: &'a TenantId,
    partition: Partition,
    sets: &'a CatalogSets,
    survey: &'a Survey,
    now: Timestamp,
    /// By which swaps a segment was removed.
    by: BTreeMap<SegmentId, Vec<FactId>>,
    is_old: BTreeMap<FactId, bool>,
    is_there: BTreeMap<SegmentId, bool>,
}

impl<'a> Removals<'a> {
    pub(super) fn new(
        store: &'a Store,
        tenant: &'a TenantId,
        partition: Partition,
        (sets, survey): (&'a CatalogSets, &'a Survey),
        now: Timestamp,
    ) -> Self {
        let mut by: BTreeMap<SegmentId, Vec<FactId>> = BTreeMap::new();
        for (swap, removal) in sets.removals() {
            for input in &removal.inputs {
                by.entry(input.id).or_default().push(*swap);
            }
        }
        let (is_old, is_there) = (BTreeMap::new(), BTreeMap::new());
        Self { store, tenant, partition, sets, survey, now, by, is_old, is_there }
    }

    /// Of several swaps that removed it, one that is complete is enough: its outputs have all rows.
    pub(super) async fn may_go(&mut self, segment: SegmentId) -> Result<bool, SweepError> {
        for swap in self.by.get(&segment).cloned().unwrap_or_default() {
            if self.is_old(swap).await? && self.has_outputs(swap, MAX_STEPS).await? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// A swap that a listing does not show is asked for by its name, because only listings lag. One that is
    /// gone was folded, and deleted after a week.
    async fn is_old(&mut self, swap: FactId) -> Result<bool, SweepError> {
        if let Some(known) = self.is_old.get(&swap) {
            return Ok(*known);
        }
        let name = FactName { kind: FactKind::Swap, id: swap };
        let written = match self.survey.facts.get(&name) {
            Some(info) => Some(info.modified),
            None => match self.store.head(&Key::fact(self.tenant, self.partition, name)).await {
                Ok(info) => Some(info.modified),
                Err(error) if error.is_missing() => None,
                Err(error) => return Err(error.into()),
            },
        };
        let is_old = written.is_none_or(|written| self.now.since(written) >= Span::from(REMOVED_AGE));
        self.is_old.insert(swap, is_old);
        Ok(is_old)
    }

    async fn has_outputs(&mut self, swap: FactId, steps: usize) -> Result<bool, SweepError> {
        let outputs: BTreeSet<SegmentId> =
            self.sets.removals().get(&swap).map(|removal| removal.outputs.clone()).unwrap_or_default();
        for output in outputs {
            if !Box::pin(self.is_there(output, steps)).await? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// The segment itself, or what took its place in turn. The store is asked, not a listing.
    async fn is_there(&mut self, output: SegmentId, steps: usize) -> Result<bool, SweepError> {
        if let Some(known) = self.is_there.get(&output) {
            return Ok(*known);
        }
        let key = Key::segment(self.tenant, self.partition, output);
        let mut is_there = match self.store.head(&key).await {
            Ok(_) => true,
            Err(error) if error.is_missing() => false,
            Err(error) => return Err(error.into()),
        };
        if !is_there && steps > 0 {
            for swap in self.by.get(&output).cloned().unwrap_or_default() {
                if self.has_outputs(swap, steps - 1).await? {
                    is_there = true;
                    break;
                }
            }
        }
        self.is_there.insert(output, is_there);
        Ok(is_there)
    }
}
