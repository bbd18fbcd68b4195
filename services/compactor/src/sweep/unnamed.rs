//! Segments that no fact names. Almost always their upload was not finished; but the same is seen of a catalog that
//! was lost, and then they are all that is left. What says that it may be so stops the sweeping of the day, and is
//! for people to mend: `larchctl catalog rebuild` announces the segments again.

use std::collections::BTreeSet;
use std::time::Duration;

use larch_proto::Partition;
use larch_store::{DayView, Survey, is_repeated};
use larch_types::{SegmentId, Span, TenantId, Timestamp};

use super::{SweepError, Tools};

/// Rule of the catalog: twice what an add may be late.
const ORPHAN_AGE: Duration = Duration::from_secs(48 * 3600);

/// So many of a day may be left by uploads that were not finished, without a closer look. Half a day of a small tenant
/// has fewer.
const FEW: usize = 16;

/// Whether a day has segments that should have been announced long ago, and nothing that announces any. A listing
/// may lag; a day that looks so is looked into before anybody is told.
pub(super) fn lacks_catalog(survey: &Survey, now: Timestamp) -> bool {
    survey.facts.is_empty() && survey.segments.values().any(|info| is_old(info.modified, now))
}

fn is_old(written: Timestamp, now: Timestamp) -> bool {
    now.since(written) >= Span::from(ORPHAN_AGE)
}

/// What may be deleted of a day's segments because no fact names it. `view` was read after the segments were listed.
///
/// A day without any fact keeps all: whoever uploaded these segments announced nothing, so that their rows may be
/// nowhere else. A day in which more segments are unnamed than named keeps them too, unless each is proved to be
/// superfluous.
pub(super) async fn orphans(
    tools: &Tools,
    tenant: &TenantId,
    partition: Partition,
    (view, survey): (&DayView, &Survey),
    now: Timestamp,
) -> Result<BTreeSet<SegmentId>, SweepError> {
    let sets = view.sets();
    let is_named = |id| sets.live_entry(id).is_some() || sets.is_removed(id);
    let old = |(id, info): (&SegmentId, &larch_store::ObjectInfo)| is_old(info.modified, now).then_some(*id);
    let old: BTreeSet<SegmentId> = survey.segments.iter().filter_map(old).collect();
    let segments = survey.segments.len();
    let unannounced =
        |unnamed| SweepError::Unannounced { tenant: tenant.clone(), partition, unnamed, segments };
    if view.facts == 0 && !old.is_empty() {
        return Err(unannounced(segments));
    }
    let orphans: BTreeSet<SegmentId> = old.into_iter().filter(|id| !is_named(*id)).collect();
    if orphans.len() > FEW && orphans.len() > segments / 2 {
        for id in &orphans {
            if !is_repeated(&tools.store, tenant, partition, *id, (sets, survey)).await? {
                return Err(unannounced(orphans.len()));
            }
        }
    }
    Ok(orphans)
}
