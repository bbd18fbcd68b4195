//! A cache in a simulated directory, with contents that everybody can tell from their keys.

mod damage;
mod faults;
mod files;
mod model;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use larch_runtime::{Clock, Compute, Env, Random, Scope};
use larch_telemetry::{Format, Registry};
use larch_testkit::sim::SimDir;
use larch_types::{Monotonic, SegmentId, TenantId, Timestamp};
use larch_wal::{Dir, FileName};

use super::state::Bounds;
use super::{Admission, DiskCache};
use crate::settings::DiskCacheSettings;

/// A range, by small numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
struct Id {
    tenant: u8,
    segment: u8,
    start: u64,
    length: u64,
}

struct House {
    cache: DiskCache,
    registry: Registry,
    scope: Scope,
}

const SMALL: Bounds = Bounds { bytes: 256 << 10, entries: 60, waiting_bytes: 1 << 20, slab_bytes: 16 << 10 };

/// The clock of timers, which a test may pause.
#[derive(Debug)]
struct TimerClock(tokio::time::Instant);

impl Clock for TimerClock {
    fn now(&self) -> Timestamp {
        Timestamp::EPOCH.plus(self.0.elapsed().into())
    }

    fn monotonic(&self) -> Monotonic {
        Monotonic::from_start(self.0.elapsed())
    }
}

fn env() -> Env {
    Env {
        clock: Arc::new(TimerClock(tokio::time::Instant::now())),
        random: Arc::new(Random::from_seed(1)),
        compute: Compute::InPlace,
    }
}

impl Id {
    const fn new(tenant: u8, segment: u8, start: u64, length: u64) -> Self {
        Self { tenant, segment, start, length }
    }

    fn tenant(self) -> TenantId {
        format!("tenant-{}", self.tenant).parse().unwrap()
    }

    fn segment(self) -> SegmentId {
        SegmentId::from_u128(u128::from(self.segment))
    }

    fn range(self) -> std::ops::Range<u64> {
        self.start..self.start + self.length
    }

    /// No two ranges have the same bytes.
    fn content(self) -> Bytes {
        let mut content = Vec::new();
        while (content.len() as u64) < self.length {
            content.extend_from_slice(format!("{self:?} at {};", content.len()).as_bytes());
        }
        content.truncate(self.length as usize);
        content.into()
    }
}

impl House {
    async fn try_open(bounds: Bounds, env: Env, dir: Arc<dyn Dir>) -> Result<Self, super::OpenCacheError> {
        let (registry, scope) = (Registry::default(), Scope::default());
        let cache = DiskCache::new(env, &DiskCacheSettings::default(), &registry);
        let cache = DiskCache { bounds, ..cache };
        cache.open(dir, &scope).await?;
        Ok(Self { cache, registry, scope })
    }

    async fn open(bounds: Bounds, dir: &SimDir) -> Self {
        Self::try_open(bounds, env(), Arc::new(dir.clone())).await.unwrap()
    }

    fn offer(&self, id: Id, admission: Admission) {
        let (range, content) = (id.range(), id.content());
        self.cache.offer(&id.tenant(), id.segment(), admission, std::iter::once((&range, &content)));
    }

    fn forget(&self, id: Id) {
        self.cache.forget(&id.tenant(), id.segment(), std::slice::from_ref(&id.range()));
    }

    /// Until nothing waits to be written.
    async fn idle(&self) {
        while !self.cache.opened.get().unwrap().state().is_idle() {
            tokio::task::yield_now().await;
        }
    }

    async fn put(&self, id: Id) {
        self.offer(id, Admission::AtOnce);
        self.idle().await;
    }

    /// Whether it is there; what is there must be right.
    async fn has(&self, id: Id) -> bool {
        let ranges = [id.range()];
        let mut found = self.cache.read(&id.tenant(), id.segment(), &ranges).await;
        assert_eq!(found.len(), 1);
        let found = found.remove(0);
        assert!(found.as_ref().is_none_or(|found| *found == id.content()), "{id:?} is something else");
        found.is_some()
    }

    fn metric(&self, name: &str) -> u64 {
        let name = format!("larch_segment_disk_cache_{name} ");
        let text = self.registry.encode(Format::Prometheus);
        let line = text.lines().find_map(|line| line.strip_prefix(&name));
        line.map_or(0, |value| value.parse::<f64>().unwrap() as u64)
    }

    async fn stop(self) {
        self.scope.close(Duration::from_secs(5)).await.unwrap();
    }
}

/// What is in the files of a directory.
fn files(dir: &SimDir) -> BTreeMap<FileName, Vec<u8>> {
    let read = |name: &FileName| {
        let file = dir.open(name).unwrap();
        let mut bytes = vec![0; file.size().unwrap() as usize];
        file.read_at(0, &mut bytes).unwrap();
        bytes
    };
    dir.list().unwrap().into_iter().map(|name| (name.clone(), read(&name))).collect()
}

fn dir_of<'a>(files: impl IntoIterator<Item = (&'a FileName, &'a Vec<u8>)>) -> SimDir {
    let dir = SimDir::new(1);
    for (name, bytes) in files {
        dir.create(name).unwrap().append(bytes).unwrap();
    }
    dir
}

#[tokio::test(start_paused = true)]
async fn what_is_kept_is_found_again_also_by_the_next_process() {
    let dir = SimDir::new(1);
    let house = House::open(SMALL, &dir).await;
    let (footer, page) = (Id::new(1, 1, 900, 100), Id::new(1, 1, 0, 50));
    assert!(!house.has(footer).await);
    house.put(footer).await;
    assert!(house.has(footer).await);
    house.offer(page, Admission::SecondTime);
    house.idle().await;
    assert!(!house.has(page).await, "once is not enough");
    house.offer(page, Admission::SecondTime);
    house.idle().await;
    assert!(house.has(page).await);
    for other in [Id { tenant: 2, ..page }, Id { segment: 2, ..page }, Id { length: 49, ..page }] {
        assert!(!house.has(other).await);
    }
    assert_eq!(house.metric("entries"), 2);
    house.stop().await;
    let house = House::open(SMALL, &dir).await;
    assert!(house.has(footer).await && house.has(page).await);
    assert_eq!(house.metric("damaged_total"), 0);
}

#[tokio::test(start_paused = true)]
async fn a_cache_that_was_never_opened_finds_nothing() {
    let registry = Registry::default();
    let cache = DiskCache::new(env(), &DiskCacheSettings::default(), &registry);
    let id = Id::new(1, 1, 0, 10);
    cache.offer(&id.tenant(), id.segment(), Admission::AtOnce, std::iter::once((&id.range(), &id.content())));
    cache.forget(&id.tenant(), id.segment(), &[id.range()]);
    assert_eq!(cache.read(&id.tenant(), id.segment(), &[id.range(), 0..5]).await, [None, None]);
}

#[tokio::test(start_paused = true)]
async fn a_directory_has_one_owner() {
    let dir = SimDir::new(1);
    let house = House::open(SMALL, &dir).await;
    let refused = House::try_open(SMALL, env(), Arc::new(dir.clone())).await;
    assert!(matches!(refused, Err(super::OpenCacheError::Lock(larch_wal::LockError::Held { .. }))));
    house.stop().await;
    House::open(SMALL, &dir).await.stop().await;
}

#[tokio::test(start_paused = true)]
async fn what_was_forgotten_stays_so() {
    let (kept, gone) = (Id::new(1, 1, 0, 50), Id::new(1, 1, 100, 50));
    for is_written in [false, true] {
        let dir = SimDir::new(1);
        let house = House::open(SMALL, &dir).await;
        house.offer(kept, Admission::AtOnce);
        house.offer(gone, Admission::AtOnce);
        if is_written {
            house.idle().await;
        }
        house.forget(gone);
        assert!(!house.has(gone).await);
        house.idle().await;
        assert!(house.has(kept).await && !house.has(gone).await);
        // Also if the process has had no time to say so at the end of the file.
        let crashed = House::open(SMALL, &dir_of(&files(&dir))).await;
        assert!(crashed.has(kept).await && !crashed.has(gone).await);
        house.stop().await;
        let house = House::open(SMALL, &dir).await;
        assert!(house.has(kept).await && !house.has(gone).await);
        house.put(gone).await;
        assert!(house.has(gone).await, "it may be right now");
        house.stop().await;
        assert!(House::open(SMALL, &dir).await.has(gone).await);
    }
}

#[tokio::test(start_paused = true)]
async fn the_oldest_that_nobody_asks_for_goes() {
    let dir = SimDir::new(1);
    let bounds = Bounds { entries: 1000, ..SMALL };
    let house = House::open(bounds, &dir).await;
    let daily = Id::new(1, 1, 0, 1000);
    house.put(daily).await;
    // Ten times what fits.
    for number in 0..2560 {
        house.put(Id::new(1, 2, number * 1000, 1000)).await;
        if number % 50 == 0 {
            assert!(house.has(daily).await, "after {number} others");
        }
    }
    assert!(house.metric("evictions_total") > 2000);
    assert!(house.metric(r#"writes_total{result="carried"}"#) >= 10);
    assert!(house.has(Id::new(1, 2, 2559 * 1000, 1000)).await);
    assert!(!house.has(Id::new(1, 2, 0, 1000)).await);
}
