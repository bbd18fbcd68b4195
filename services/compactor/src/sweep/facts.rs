//! Facts that have become superfluous: those that a snapshot folds, and adds that carry nothing live.

use std::collections::BTreeSet;
use std::time::Duration;

use larch_proto::{Partition, SegmentEntry};
use larch_store::{Catalog, CatalogError, CatalogSets, Fact, FactBody, FactKind, FactName, Survey};
use larch_types::{FactId, Span, TenantId, Timestamp};
use tracing::warn;

use super::SweepError;
use super::decide::Removals;

/// Rule of the catalog. Readers of a listing that is a few minutes old look for facts that it names.
const FOLDED_AGE: Duration = Duration::from_secs(7 * 86_400);

/// Snapshots that are read in one pass, the youngest first: older ones are folded by them.
const MAX_SNAPSHOTS: usize = 8;

/// What may be deleted of a partition's facts.
pub(super) struct FactSweep<'a> {
    pub(super) catalog: &'a Catalog,
    pub(super) tenant: &'a TenantId,
    pub(super) partition: Partition,
    pub(super) sets: &'a CatalogSets,
    pub(super) survey: &'a Survey,
    pub(super) now: Timestamp,
}

impl FactSweep<'_> {
    /// Also the adds among them that carried segments.
    pub(super) async fn find(&self, removals: &mut Removals<'_>) -> Result<Vec<FactName>, SweepError> {
        let folded = self.folded().await?;
        let live_in: BTreeSet<FactId> = self.sets.live().filter_map(carrier).collect();
        let mut may_carry: BTreeSet<FactId> = BTreeSet::new();
        for removal in self.sets.removals().values() {
            may_carry.extend(removal.inputs.iter().filter_map(|input| input.carried_by));
        }
        let mut found = Vec::new();
        for name in self.survey.facts.keys() {
            let is_folded = folded.contains(name);
            let may_go = match name.kind {
                FactKind::Swap | FactKind::Snap => is_folded,
                FactKind::Add if live_in.contains(&name.id) => false,
                FactKind::Add if is_folded || may_carry.contains(&name.id) => {
                    self.add_may_go(*name, is_folded, removals).await?
                }
                FactKind::Add => false,
            };
            if may_go {
                found.push(*name);
            }
        }
        Ok(found)
    }

    /// By snapshots that are old enough, and can be read now.
    async fn folded(&self) -> Result<BTreeSet<FactName>, SweepError> {
        let is_old = |written: Timestamp| self.now.since(written) >= Span::from(FOLDED_AGE);
        let snapshots = self.survey.facts.iter().rev();
        let old = snapshots.filter(|(name, info)| name.kind == FactKind::Snap && is_old(info.modified));
        let mut folded = BTreeSet::new();
        for (name, _) in old.take(MAX_SNAPSHOTS) {
            let Some(fact) = self.read(*name).await? else { continue };
            if let FactBody::Snap { folds, .. } = fact.body {
                folded.extend(folds.into_iter().filter(|folded| folded != name));
            }
        }
        Ok(folded)
    }

    /// Each entry of the add must be in a snapshot or removed, and each segment that it carries must be free to
    /// go. The add is read, because only it says what it carries.
    async fn add_may_go(
        &self,
        name: FactName,
        is_folded: bool,
        removals: &mut Removals<'_>,
    ) -> Result<bool, SweepError> {
        let Some(fact) = self.read(name).await? else { return Ok(false) };
        let FactBody::Add { entries } = fact.body else { return Ok(false) };
        for entry in &entries {
            let is_carried = carrier(entry) == Some(name.id);
            let is_removed = self.sets.is_removed(entry.id);
            if is_carried && !(is_removed && removals.may_go(entry.id).await?) {
                return Ok(false);
            }
            if !is_folded && !is_removed {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// None if it is gone, or not as it was written: then it stays, and hides nothing that is not hidden.
    async fn read(&self, name: FactName) -> Result<Option<Fact>, SweepError> {
        match self.catalog.fact(self.tenant, self.partition, name).await {
            Ok(fact) => Ok(Some(fact)),
            Err(error @ CatalogError::Corrupt { .. }) => {
                warn!(tenant = %self.tenant, %error, "a fact cannot be read and stays");
                Ok(None)
            }
            Err(CatalogError::Store(error)) if error.is_missing() => Ok(None),
            Err(error) => Err(error.into()),
        }
    }
}

fn carrier(entry: &SegmentEntry) -> Option<FactId> {
    entry.embedded.map(|place| FactId::from_u128(place.add_id))
}
