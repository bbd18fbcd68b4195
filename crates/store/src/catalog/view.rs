//! Reading a day and keeping it.
//!
//! A view is what a LIST and the objects in it said together. It only grows: objects are read once, and a
//! listing that lags shows later what it did not show now. Its age is that of the listing's begin.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::{StreamExt, TryStreamExt, stream};
use larch_proto::{Partition, SegmentEntry};
use larch_runtime::Env;
use larch_telemetry::{Counter, DURATION_BUCKETS, Family, Histogram, Registry, Spec};
use larch_types::{ErrorKind, FactId, Monotonic, SegmentId, Span, TenantId, Timestamp};
use tracing::debug;

use super::days::Days;
use super::format::{DecodeError, Fact, FactBody, MAX_FACT_BYTES, fact_length};
use super::sets::CatalogSets;
use crate::error::StoreError;
use crate::key::{FactKind, FactName, Folder, Key};
use crate::store::Store;

/// Why the catalog cannot be read or written.
#[derive(Debug, Clone, thiserror::Error)]
pub enum CatalogError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("read {key}")]
    Corrupt {
        key: String,
        #[source]
        source: DecodeError,
    },
    #[error("{folder} holds more than {MAX_FACTS} objects")]
    TooMany { folder: String },
    #[error("{key} would have {bytes} bytes, at most {MAX_FACT_BYTES}")]
    TooLarge { key: String, bytes: usize },
    #[error("segment {id} does not belong into this fact")]
    Misplaced { id: SegmentId },
}

impl CatalogError {
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::Store(error) => error.kind(),
            Self::Corrupt { .. } => ErrorKind::Corrupt,
            Self::TooMany { .. } => ErrorKind::Unavailable,
            Self::TooLarge { .. } | Self::Misplaced { .. } => ErrorKind::Internal,
        }
    }
}

/// The oldest view that a plan may use.
pub const MAX_VIEW_AGE: Duration = Duration::from_secs(5 * 60);

/// Whoever has read more of them may write a snapshot.
pub const MAX_UNFOLDED: usize = 64;

/// Objects of one day. Folding keeps them at some hundred; a reader of more has no memory for them.
const MAX_FACTS: usize = 100_000;
const LIST_PAGE: usize = 5_000;
/// Objects of one day that are fetched at a time.
const PARALLEL_READS: usize = 16;
/// What is read of an add at first. Most facts are shorter, and the segments that an add carries lie behind its fact.
const FIRST_READ: u64 = 16 << 10;

/// The catalogs of all tenants. Clones share what they know.
#[derive(Clone)]
pub struct Catalog(Arc<Inner>);

struct Inner {
    store: Store,
    env: Env,
    /// Each is held while it is read: whoever wants the same day waits for that reading, and has its result.
    days: Mutex<Days<tokio::sync::Mutex<Known>>>,
    metrics: CatalogMetrics,
}

/// What is known of a day.
#[derive(Default)]
pub(super) struct Known {
    pub(super) sets: Arc<CatalogSets>,
    /// When the listing began that all of it was read after.
    as_of: Option<Moment>,
    /// Objects whose contents are in the sets.
    pub(super) read: BTreeSet<FactName>,
    /// Those of them that a snapshot among them folds.
    pub(super) folded: BTreeSet<FactName>,
}

/// By two clocks, because each has its way of standing still: one while the machine is suspended, the other when it is
/// put back.
#[derive(Debug, Clone, Copy)]
struct Moment {
    monotonic: Monotonic,
    wall: Timestamp,
}

impl Moment {
    fn now(env: &Env) -> Self {
        Self { monotonic: env.clock.monotonic(), wall: env.clock.now() }
    }

    /// The longer of what the two say; nothing if it is the later one.
    fn since(self, earlier: Self) -> Duration {
        let wall = self.wall.since(earlier.wall).max(Span::ZERO).to_std();
        self.monotonic.since(earlier.monotonic).max(wall)
    }
}

/// The segments of a day as they were at some moment.
#[derive(Debug, Clone)]
pub struct DayView {
    sets: Arc<CatalogSets>,
    as_of: Monotonic,
    /// Objects that no snapshot folds.
    pub unfolded: usize,
    /// Objects that the last listing showed, and what this process wrote since. What is known of a day may be more:
    /// it is kept when its objects are gone.
    pub facts: usize,
}

impl DayView {
    /// The live segments, by id.
    pub fn segments(&self) -> impl ExactSizeIterator<Item = &SegmentEntry> {
        self.sets.live()
    }

    /// Whether a segment that somebody handed over is known to be gone.
    pub fn is_removed(&self, id: SegmentId) -> bool {
        self.sets.is_removed(id)
    }

    pub fn sets(&self) -> &CatalogSets {
        &self.sets
    }

    pub fn age(&self, now: Monotonic) -> Duration {
        now.since(self.as_of)
    }
}

#[derive(Clone)]
struct CatalogMetrics {
    read: Family<Counter, 1>,
    refresh: Histogram,
}

const READ: Spec<1> = Spec {
    name: "larch_catalog_objects_read_total",
    help: "Objects of the catalog that were read.",
    labels: ["kind"],
};
const REFRESH: Spec<0> = Spec {
    name: "larch_catalog_refresh_duration_seconds",
    help: "Duration of reading what is new in the catalog of a day.",
    labels: [],
};

impl Catalog {
    pub fn new(store: Store, env: Env, registry: &Registry) -> Self {
        let metrics = CatalogMetrics {
            read: registry.counter(READ),
            refresh: registry.histogram(REFRESH, &DURATION_BUCKETS).with([]),
        };
        Self(Arc::new(Inner { store, env, days: Mutex::default(), metrics }))
    }

    pub(crate) fn env(&self) -> &Env {
        &self.0.env
    }

    /// What is known of a day, at most so old; read anew if it is older. The partition `wide` is part of every
    /// plan, and a day of its own here.
    pub async fn view(
        &self,
        tenant: &TenantId,
        partition: Partition,
        max_age: Duration,
    ) -> Result<DayView, CatalogError> {
        let key = (tenant.clone(), partition);
        let slot = self.days().used(&key);
        // Before waiting: a listing that somebody else begins meanwhile is as good as one of one's own.
        let asked = Moment::now(&self.0.env);
        let mut day = slot.lock().await;
        if day.as_of.is_none_or(|as_of| asked.since(as_of) > max_age) {
            let begun = self.0.env.clock.monotonic();
            self.refresh(tenant, partition, &mut day).await?;
            self.0.metrics.refresh.observe_duration(self.0.env.clock.monotonic().since(begun));
            self.days().weigh(&key, &slot, day.held_bytes());
        }
        let unfolded = day.read.difference(&day.folded).count();
        Ok(DayView {
            sets: Arc::clone(&day.sets),
            as_of: day.as_of.map_or(asked.monotonic, |as_of| as_of.monotonic),
            unfolded,
            facts: day.read.len(),
        })
    }

    /// Writes a snapshot if more objects than [`MAX_UNFOLDED`] have none. Gives its name. The day can be read, and
    /// learns what is announced, while the snapshot is on its way.
    pub async fn fold(
        &self,
        tenant: &TenantId,
        partition: Partition,
    ) -> Result<Option<FactName>, CatalogError> {
        let slot = self.days().used(&(tenant.clone(), partition));
        let (sets, folds) = {
            let day = slot.lock().await;
            if day.read.difference(&day.folded).count() <= MAX_UNFOLDED {
                return Ok(None);
            }
            (CatalogSets::clone(&day.sets), day.read.clone())
        };
        let body = FactBody::Snap { sets, folds: folds.clone() };
        let fact = Fact { id: self.0.env.new_fact_id(), partition, body };
        let name = fact.name();
        self.put_fact(tenant, &fact, fact.encode(), None).await?;
        let mut day = slot.lock().await;
        day.folded.extend(folds);
        day.read.insert(name);
        Ok(Some(name))
    }

    /// The partitions that have a catalog.
    pub async fn partitions(&self, tenant: &TenantId) -> Result<Vec<Partition>, CatalogError> {
        let names = self.0.store.folders(&Folder::catalogs(tenant)).await?;
        Ok(names.iter().filter_map(|name| name.parse().ok()).collect())
    }

    /// The tenants that have objects of any kind.
    pub async fn tenants(&self) -> Result<Vec<TenantId>, CatalogError> {
        let names = self.0.store.folders(&Folder::tenants()).await?;
        Ok(names.iter().filter_map(|name| TenantId::from_key(name)).collect())
    }

    pub(super) fn store(&self) -> &Store {
        &self.0.store
    }

    /// What this process wrote is part of what it knows at once. Of a day that nobody reads it needs to know nothing.
    pub(super) async fn learn(&self, tenant: &TenantId, fact: &Fact) {
        let key = (tenant.clone(), fact.partition);
        let kept = self.days().kept(&key);
        let Some(slot) = kept else { return };
        let mut day = slot.lock().await;
        day.take(fact);
        self.days().weigh(&key, &slot, day.held_bytes());
    }

    /// Nothing is awaited while it is held.
    fn days(&self) -> MutexGuard<'_, Days<tokio::sync::Mutex<Known>>> {
        self.0.days.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// # Cancel safety
    /// When it is dropped the day knows more than before, and is as old as before.
    async fn refresh(
        &self,
        tenant: &TenantId,
        partition: Partition,
        day: &mut Known,
    ) -> Result<(), CatalogError> {
        let begun = Moment::now(&self.0.env);
        let mut listed = self.list(tenant, partition).await?;
        if let Err(error) = self.read_new(tenant, partition, day, &listed).await {
            if !matches!(&error, CatalogError::Store(error) if error.is_missing()) {
                return Err(error);
            }
            // Folded and deleted between the listing and the reading: another listing shows what folds it.
            debug!(%tenant, %partition, %error, "list the catalog again");
            listed = self.list(tenant, partition).await?;
            self.read_new(tenant, partition, day, &listed).await?;
        }
        // What is listed no more is asked for no more. Should a listing that lags show it again, reading it
        // again changes nothing.
        day.read.retain(|name| listed.contains_key(name));
        day.folded.retain(|name| listed.contains_key(name));
        day.as_of = Some(begun);
        Ok(())
    }

    async fn list(
        &self,
        tenant: &TenantId,
        partition: Partition,
    ) -> Result<BTreeMap<FactName, u64>, CatalogError> {
        let folder = Folder::facts(tenant, partition);
        let mut names = BTreeMap::new();
        let mut after: Option<String> = None;
        loop {
            let page = self.0.store.list(&folder, after.as_deref(), LIST_PAGE).await?;
            // Whatever else lies there is not ours.
            for object in &page.objects {
                if let Ok(name) = object.name.parse::<FactName>() {
                    names.insert(name, object.info.size);
                }
            }
            if names.len() > MAX_FACTS {
                return Err(CatalogError::TooMany { folder: folder.to_string() });
            }
            match page.objects.last() {
                Some(last) if page.has_more => after = Some(last.name.clone()),
                _ => return Ok(names),
            }
        }
    }

    /// Snapshots come first, the youngest before all others: what it folds need not be read.
    async fn read_new(
        &self,
        tenant: &TenantId,
        partition: Partition,
        day: &mut Known,
        listed: &BTreeMap<FactName, u64>,
    ) -> Result<(), CatalogError> {
        for name in listed.keys().rev().filter(|name| name.kind == FactKind::Snap) {
            if !day.read.contains(name) {
                let fact = self.read(tenant, partition, *name).await?;
                day.take(&fact);
            }
        }
        let unread: Vec<(FactName, u64)> = listed
            .iter()
            .filter(|(name, _)| !day.read.contains(name))
            .map(|(name, bytes)| (*name, *bytes))
            .collect();
        let mut facts = stream::iter(unread)
            .map(|(name, bytes)| self.read_listed(tenant, partition, name, bytes))
            .buffered(PARALLEL_READS);
        while let Some(fact) = facts.try_next().await? {
            day.take(&fact);
        }
        Ok(())
    }

    /// One object of the catalog as it is now, which is not learnt.
    pub async fn fact(
        &self,
        tenant: &TenantId,
        partition: Partition,
        name: FactName,
    ) -> Result<Fact, CatalogError> {
        self.read(tenant, partition, name).await
    }

    pub(super) async fn read(
        &self,
        tenant: &TenantId,
        partition: Partition,
        name: FactName,
    ) -> Result<Fact, CatalogError> {
        let key = Key::fact(tenant, partition, name);
        let bytes = self.0.store.get(&key, MAX_FACT_BYTES).await?;
        self.decoded(&key, partition, name, (&bytes, bytes.len() as u64))
    }

    /// Of an add no more than its fact is read, as far as that is known beforehand.
    async fn read_listed(
        &self,
        tenant: &TenantId,
        partition: Partition,
        name: FactName,
        object_bytes: u64,
    ) -> Result<Fact, CatalogError> {
        if name.kind != FactKind::Add || object_bytes <= FIRST_READ {
            return self.read(tenant, partition, name).await;
        }
        let key = Key::fact(tenant, partition, name);
        let mut bytes = self.0.store.get_range(&key, 0..FIRST_READ).await?;
        let end = fact_length(&bytes).map_or(0, |length| length as u64).min(object_bytes);
        if end > FIRST_READ && end <= MAX_FACT_BYTES {
            let rest = self.0.store.get_range(&key, FIRST_READ..end).await?;
            bytes = [bytes, rest].concat().into();
        }
        self.decoded(&key, partition, name, (&bytes, object_bytes))
    }

    fn decoded(
        &self,
        key: &Key,
        partition: Partition,
        name: FactName,
        (bytes, object_bytes): (&[u8], u64),
    ) -> Result<Fact, CatalogError> {
        self.0.metrics.read.with([name.kind.as_str()]).inc();
        let corrupt = |source| CatalogError::Corrupt { key: key.to_string(), source };
        let fact = Fact::decode_of(name, bytes, object_bytes).map_err(corrupt)?;
        if fact.partition != partition {
            return Err(corrupt(DecodeError::Invalid("it is of another partition")));
        }
        Ok(fact)
    }

    pub(super) async fn put_fact(
        &self,
        tenant: &TenantId,
        fact: &Fact,
        bytes: Vec<u8>,
        last: Option<Monotonic>,
    ) -> Result<(), CatalogError> {
        let key = Key::fact(tenant, fact.partition, fact.name());
        if bytes.len() as u64 > MAX_FACT_BYTES {
            return Err(CatalogError::TooLarge { key: key.to_string(), bytes: bytes.len() });
        }
        match last {
            Some(last) => self.0.store.put_before(&key, bytes.into(), last).await?,
            None => self.0.store.put(&key, bytes.into()).await?,
        }
        Ok(())
    }

    /// A name for the next fact.
    pub fn new_fact_id(&self) -> FactId {
        self.0.env.new_fact_id()
    }
}

impl Known {
    /// What it takes in memory, about.
    fn held_bytes(&self) -> u64 {
        let names = (self.read.len() + self.folded.len()) * (size_of::<FactName>() + 16);
        self.sets.held_bytes() + names as u64
    }

    fn take(&mut self, fact: &Fact) {
        Arc::make_mut(&mut self.sets).apply(fact);
        self.read.insert(fact.name());
        if let FactBody::Snap { folds, .. } = &fact.body {
            self.read.extend(folds.iter().copied());
            self.folded.extend(folds.iter().copied());
        }
    }
}
