//! The process that sweeps, on a machine of its own, and what must be true of the store in the end.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use larch_launch::Frame;
use larch_runtime::Scope;
use larch_store::{FactKind, survey};
use larch_testkit::sim::{SimClock, World};
use larch_types::{SegmentId, Span, TenantId};

use crate::querying::frame_on;

/// Facts that a reader may find unfolded: over it whoever read them writes a snapshot.
const MOST_FACTS: usize = 64;

/// A compactor.
pub(crate) struct Keeper {
    frame: Frame,
    clock: Arc<SimClock>,
    /// How far its clock is from the store's.
    off: Span,
    _scope: Scope,
}

/// What the store has of some tenants.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Census {
    /// Rows of live segments: a row that is in two of them counts twice.
    pub(crate) rows: u64,
    pub(crate) segments: usize,
    /// Objects that no live segment is.
    pub(crate) orphans: usize,
}

impl Keeper {
    pub(crate) async fn start(world: &World) -> Self {
        let (env, clock) = world.another_machine();
        let (frame, scope) = (frame_on(world, &env), Scope::default());
        let service = larch_compactor::role().build(&frame).expect("a compactor");
        for module in &service.modules {
            module.start(&scope).await.expect("the compactor starts");
        }
        Self { frame, clock, off: Span::ZERO, _scope: scope }
    }

    /// While its clock is wrong by more than a few minutes it deletes nothing.
    pub(crate) fn set_clock_off(&mut self, off: Span) {
        self.clock.step(Span::from_nanos(off.nanos() - self.off.nanos()));
        self.off = off;
    }

    /// Counts, and holds against the rules: every live segment is there, and long catalogs are folded.
    pub(crate) async fn count(&self, tenants: &[TenantId]) -> Census {
        let mut census = Census::default();
        for tenant in tenants {
            for partition in self.frame.catalog.partitions(tenant).await.expect("a store that answers") {
                let found = survey(&self.frame.store, tenant, partition).await.expect("a store that answers");
                let view = self.frame.catalog.view(tenant, partition, Duration::ZERO).await;
                let view = view.expect("a store that answers");
                let mut live: BTreeSet<SegmentId> = BTreeSet::new();
                for entry in view.segments() {
                    census.rows += entry.rows;
                    census.segments += 1;
                    live.insert(entry.id);
                    let is_there = match entry.embedded {
                        Some(place) => found.facts.keys().any(|fact| fact.id.as_u128() == place.add_id),
                        None => found.segments.contains_key(&entry.id),
                    };
                    assert!(is_there, "{tenant} {partition}: segment {} is live and not there", entry.id);
                }
                census.orphans += found.segments.keys().filter(|id| !live.contains(id)).count();
                let of = |kind: FactKind| found.facts.keys().filter(|fact| fact.kind == kind).count();
                assert!(
                    of(FactKind::Add) <= MOST_FACTS || of(FactKind::Snap) > 0,
                    "{tenant} {partition}: {} adds, and nobody has folded them",
                    of(FactKind::Add)
                );
            }
        }
        census
    }
}
