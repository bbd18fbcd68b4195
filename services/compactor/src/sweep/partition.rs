//! One partition of one tenant.

use std::time::Duration;

use futures_util::{StreamExt, TryStreamExt, stream};
use larch_proto::Partition;
use larch_store::{Key, survey};
use larch_types::{Span, TenantId, Timestamp};

use super::decide::Removals;
use super::facts::FactSweep;
use super::{SweepError, Tools};

/// Rule of the catalog: twice what an add may be late.
const ORPHAN_AGE: Duration = Duration::from_secs(48 * 3600);

/// What one pass deletes of a partition at most; the next pass goes on.
const MAX_DELETED: usize = 10_000;

/// How many objects were deleted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Swept {
    pub(crate) orphans: u64,
    pub(crate) inputs: u64,
    pub(crate) facts: u64,
}

/// `now` is the store's own time. The segments are listed before the facts are read: what those name by then is
/// no orphan.
pub(crate) async fn sweep_partition(
    tools: &Tools,
    tenant: &TenantId,
    partition: Partition,
    now: Timestamp,
) -> Result<Swept, SweepError> {
    let survey = survey(&tools.store, tenant, partition).await?;
    let view = tools.catalog.view(tenant, partition, Duration::ZERO).await?;
    let sets = view.sets();
    let mut removals = Removals::new(&tools.store, tenant, partition, (sets, &survey), now);
    let live: std::collections::BTreeSet<_> = sets.live().map(|entry| entry.id).collect();
    let (mut doomed, mut swept) = (Vec::new(), Swept::default());
    for (id, info) in &survey.segments {
        if live.contains(id) || doomed.len() >= MAX_DELETED {
            continue;
        }
        let may_go = if sets.is_removed(*id) {
            let may_go = removals.may_go(*id).await?;
            swept.inputs += u64::from(may_go);
            may_go
        } else {
            let may_go = now.since(info.modified) >= Span::from(ORPHAN_AGE);
            swept.orphans += u64::from(may_go);
            may_go
        };
        if may_go {
            doomed.push(Key::segment(tenant, partition, *id));
        }
    }
    let facts = FactSweep { catalog: &tools.catalog, tenant, partition, sets, survey: &survey, now };
    for name in facts.find(&mut removals).await? {
        if doomed.len() < MAX_DELETED {
            swept.facts += 1;
            doomed.push(Key::fact(tenant, partition, name));
        }
    }
    delete(tools, &doomed).await?;
    Ok(swept)
}

pub(super) async fn delete(tools: &Tools, keys: &[Key]) -> Result<(), SweepError> {
    let calls: Vec<_> = keys.iter().map(|key| tools.store.delete(key)).collect();
    stream::iter(calls).buffer_unordered(tools.parallel.max(1)).try_collect::<Vec<()>>().await?;
    Ok(())
}
