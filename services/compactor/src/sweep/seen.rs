//! Which partitions a round need not look into: nothing has come since the last time, and nothing waited there.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::time::Duration;

use larch_proto::Partition;
use larch_store::{FactKind, Survey};
use larch_types::{Monotonic, TenantId};

/// Ages of objects are days; a few hours late is early enough.
const PENDING_EVERY: Duration = Duration::from_hours(6);

/// Whatever is thought of a partition, it is looked into once a week: listings may have left something out.
const ALL_EVERY: Duration = Duration::from_hours(7 * 24);

/// Partitions that are remembered; others are looked into each time. Each takes some hundred bytes.
const MOST: usize = 500_000;

#[derive(Debug, Default)]
pub(crate) struct Seen(BTreeMap<(TenantId, Partition), Last>);

#[derive(Debug)]
struct Last {
    digest: u64,
    next: Monotonic,
}

impl Seen {
    /// Whether a look may find something to delete.
    pub(crate) fn is_due(
        &self,
        tenant: &TenantId,
        partition: Partition,
        survey: &Survey,
        now: Monotonic,
    ) -> bool {
        // Nothing goes but segments of their own, what merges removed, and what snapshots fold.
        let can_go =
            !survey.segments.is_empty() || survey.facts.keys().any(|name| name.kind != FactKind::Add);
        can_go
            && self
                .0
                .get(&(tenant.clone(), partition))
                .is_none_or(|last| last.digest != digest(survey) || last.next <= now)
    }

    /// It was looked into, and had all that the survey shows.
    pub(crate) fn note(
        &mut self,
        tenant: &TenantId,
        partition: Partition,
        survey: &Survey,
        is_pending: bool,
        now: Monotonic,
    ) {
        let next = now.plus(if is_pending { PENDING_EVERY } else { ALL_EVERY });
        let key = (tenant.clone(), partition);
        if self.0.len() < MOST || self.0.contains_key(&key) {
            self.0.insert(key, Last { digest: digest(survey), next });
        }
    }

    /// Forgets partitions that were not looked into for so long that they must be gone.
    pub(crate) fn forget_gone(&mut self, now: Monotonic) {
        self.0.retain(|_, last| now < last.next.plus(ALL_EVERY));
    }
}

/// Of names. Two lists with one digest would only be looked into a week later.
fn digest(survey: &Survey) -> u64 {
    let mut hasher = DefaultHasher::new();
    for id in survey.segments.keys() {
        id.as_u128().hash(&mut hasher);
    }
    survey.facts.len().hash(&mut hasher);
    for name in survey.facts.keys() {
        name.kind.as_str().hash(&mut hasher);
        name.id.as_u128().hash(&mut hasher);
    }
    hasher.finish()
}
