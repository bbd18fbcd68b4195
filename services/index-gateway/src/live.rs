//! The segments that a call is about: those that the catalog has, and those that ingesters have just handed
//! over.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use futures_util::{StreamExt, TryStreamExt, stream};
use larch_proto::{Partition, PlanScope, SegmentEntry};
use larch_rpc::CallError;
use larch_runtime::Clock;
use larch_store::{Catalog, CatalogError, DayView, MAX_UNFOLDED, MAX_VIEW_AGE};
use larch_types::{ErrorKind, SegmentId, TenantId, Timestamp};

use crate::selection::Chosen;

/// From so many days on, one request for the days that there are is cheaper than one for each day.
const MANY_DAYS: u64 = 32;

/// Days whose catalogs are read at a time.
const PARALLEL_DAYS: usize = 16;

const NANOS_PER_DAY: u64 = 86_400_000_000_000;

/// What there is to read, as of some moment.
#[derive(Debug, Default)]
pub(crate) struct Live {
    /// By id.
    pub(crate) segments: Vec<SegmentEntry>,
    /// Of the oldest view that was used.
    pub(crate) age: Duration,
    /// Catalogs of which more than a snapshot and a few facts had to be read.
    pub(crate) long: Vec<Partition>,
}

/// The segments that may hold chosen rows.
pub(crate) async fn find(
    catalog: &Catalog,
    clock: &dyn Clock,
    tenant: &TenantId,
    scope: &PlanScope,
    chosen: &Chosen,
) -> Result<Live, CallError> {
    if let Some(id) = scope.tombstones_known.first() {
        let text = format!("delete {id} is applied elsewhere and not known here");
        return Err(CallError::new(ErrorKind::Unavailable, text));
    }
    let mut partitions = partitions(catalog, tenant, chosen.range()).await?;
    partitions.extend(scope.announced.iter().map(|entry| entry.partition));
    let max_age = scope.max_view_age.min(MAX_VIEW_AGE);
    let views: BTreeMap<Partition, DayView> = stream::iter(partitions)
        .map(|partition| async move {
            let view = catalog.view(tenant, partition, max_age).await;
            view.map(|view| (partition, view)).map_err(|error| unread(&error))
        })
        .buffered(PARALLEL_DAYS)
        .try_collect()
        .await?;
    let mut segments: BTreeMap<SegmentId, SegmentEntry> = BTreeMap::new();
    for entry in views.values().flat_map(DayView::segments).filter(|entry| chosen.may_be_in(entry)) {
        segments.insert(entry.id, entry.clone());
    }
    for entry in scope.announced.iter().filter(|entry| chosen.may_be_in(entry)) {
        let is_removed = views.get(&entry.partition).is_some_and(|view| view.is_removed(entry.id));
        if !is_removed {
            segments.entry(entry.id).or_insert_with(|| entry.clone());
        }
    }
    let now = clock.monotonic();
    let age = views.values().map(|view| view.age(now)).max().unwrap_or_default();
    let is_long = |(_, view): &(&Partition, &DayView)| view.unfolded > MAX_UNFOLDED;
    let long = views.iter().filter(is_long).map(|(partition, _)| *partition).collect();
    Ok(Live { segments: segments.into_values().collect(), age, long })
}

/// The days of the range, and `wide`, which may hold rows of any day.
async fn partitions(
    catalog: &Catalog,
    tenant: &TenantId,
    (start, end): (Timestamp, Timestamp),
) -> Result<BTreeSet<Partition>, CallError> {
    if start >= end {
        return Ok(BTreeSet::new());
    }
    let (first, last) = (start.day(), Timestamp::from_nanos(end.nanos() - 1).day());
    let days = last.start().nanos().abs_diff(first.start().nanos()) / NANOS_PER_DAY;
    let mut partitions = BTreeSet::from([Partition::Wide]);
    if days < MANY_DAYS {
        let mut day = first;
        while day <= last {
            partitions.insert(Partition::Day(day));
            day = day.next();
        }
        return Ok(partitions);
    }
    let known = catalog.partitions(tenant).await.map_err(|error| unread(&error))?;
    let is_inside = |partition: &Partition| match partition {
        Partition::Day(day) => first <= *day && *day <= last,
        Partition::Wide => true,
    };
    partitions.extend(known.into_iter().filter(is_inside));
    Ok(partitions)
}

/// That an object of the catalog is gone is not that a segment is: planning again would not help.
fn unread(error: &CatalogError) -> CallError {
    let kind = match error.kind() {
        ErrorKind::NotFound => ErrorKind::Unavailable,
        kind => kind,
    };
    CallError::new(kind, format!("read the catalog: {error}"))
}
