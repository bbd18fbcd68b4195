//! One partition of one tenant.

use std::collections::BTreeSet;
use std::time::Duration;

use futures_util::{StreamExt, TryStreamExt, stream};
use larch_proto::Partition;
use larch_store::{FactKind, Key, Survey};
use larch_types::{TenantId, Timestamp};

use super::decide::Removals;
use super::facts::FactSweep;
use super::unnamed::orphans;
use super::{SweepError, Tools};

/// What one pass deletes of a partition at most; the next pass goes on.
const MAX_DELETED: usize = 10_000;

/// How many objects were deleted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Swept {
    pub(crate) orphans: u64,
    pub(crate) inputs: u64,
    pub(crate) facts: u64,
}

/// What a pass found of a partition.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Pass {
    pub(crate) swept: Swept,
    /// Something may go once it is older. Nothing else can go before other objects are there.
    pub(crate) is_pending: bool,
}

/// `now` is the store's own time. The segments were listed before the facts are read: what those name by then is
/// no orphan. With `keeps_orphans` none goes, whatever is known of this partition.
pub(crate) async fn sweep_partition(
    tools: &Tools,
    tenant: &TenantId,
    partition: Partition,
    survey: &Survey,
    (now, keeps_orphans): (Timestamp, bool),
) -> Result<Pass, SweepError> {
    let view = tools.catalog.view(tenant, partition, Duration::ZERO).await?;
    let sets = view.sets();
    let mut orphans = orphans(tools, tenant, partition, (&view, survey), now).await?;
    if keeps_orphans {
        orphans = BTreeSet::new();
    }
    let mut removals = Removals::new(&tools.store, tenant, partition, (sets, survey), now);
    let (mut doomed, mut swept) = (Vec::new(), Swept::default());
    for id in survey.segments.keys() {
        if doomed.len() >= MAX_DELETED {
            break;
        }
        let is_orphan = orphans.contains(id);
        let is_input = sets.is_removed(*id) && removals.may_go(*id).await?;
        swept.orphans += u64::from(is_orphan);
        swept.inputs += u64::from(is_input);
        if is_orphan || is_input {
            doomed.push(Key::segment(tenant, partition, *id));
        }
    }
    let facts = FactSweep { catalog: &tools.catalog, tenant, partition, sets, survey, now };
    for name in facts.find(&mut removals).await? {
        if doomed.len() < MAX_DELETED {
            swept.facts += 1;
            doomed.push(Key::fact(tenant, partition, name));
        }
    }
    let snapshots = survey.facts.keys().filter(|name| name.kind == FactKind::Snap).count() as u64;
    let others = survey.segments.keys().filter(|id| sets.live_entry(**id).is_none()).count() as u64;
    // A snapshot folds something, or will be folded, as long as there are other facts.
    let folds = snapshots > 0 && survey.facts.len() as u64 > swept.facts + 1;
    delete(tools, &doomed).await?;
    Ok(Pass { swept, is_pending: folds || others > swept.orphans + swept.inputs })
}

pub(super) async fn delete(tools: &Tools, keys: &[Key]) -> Result<(), SweepError> {
    let calls: Vec<_> = keys.iter().map(|key| tools.store.delete(key)).collect();
    stream::iter(calls).buffer_unordered(tools.parallel.max(1)).try_collect::<Vec<()>>().await?;
    Ok(())
}
