//! Disks that are full, fail, or hang, and queues that are full: queries go on.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use larch_testkit::sim::SimDir;
use larch_wal::{Dir, DirFile, DirLock, FileName, LockError, Space};

use super::super::state::{Bounds, PAUSE};
use super::{Admission, House, Id, SMALL, env, files};

fn id(number: u64) -> Id {
    Id::new(1, 1, number * 10_000, 2000)
}

#[tokio::test(start_paused = true)]
async fn a_full_disk_is_left_alone_for_a_while() {
    let dir = SimDir::new(1);
    let house = House::open(SMALL, &dir).await;
    for number in 0..20 {
        house.put(id(number)).await;
    }
    let used: u64 = files(&dir).values().map(|bytes| bytes.len() as u64).sum();
    dir.set_capacity(used + 1000);
    house.put(id(50)).await;
    assert!(!house.has(id(50)).await);
    assert_eq!(house.metric(r#"failures_total{operation="write"}"#), 1);
    let after: u64 = files(&dir).values().map(|bytes| bytes.len() as u64).sum();
    assert!(after < used, "the oldest made room for others");
    assert!(house.has(id(19)).await, "what is there is read");
    house.put(id(51)).await;
    assert!(!house.has(id(51)).await, "nothing is tried for a while");
    assert_eq!(house.metric(r#"writes_total{result="dropped"}"#), 1);
    tokio::time::sleep(PAUSE).await;
    house.put(id(52)).await;
    assert!(house.has(id(52)).await, "there is room now");
    assert_eq!(house.metric(r#"failures_total{operation="write"}"#), 1);
    house.stop().await;
    let house = House::open(SMALL, &dir).await;
    assert!(house.has(id(19)).await && house.has(id(52)).await);
}

#[tokio::test(start_paused = true)]
async fn a_disk_that_cannot_be_written_is_read() {
    let dir = SimDir::new(1);
    let house = House::open(SMALL, &dir).await;
    house.put(id(1)).await;
    dir.set_read_only(true);
    for _ in 0..5 {
        house.put(id(2)).await;
        tokio::time::sleep(PAUSE).await;
    }
    assert_eq!(house.metric(r#"failures_total{operation="write"}"#), 5);
    assert!(house.has(id(1)).await && !house.has(id(2)).await);
    dir.set_read_only(false);
    house.put(id(2)).await;
    assert!(house.has(id(2)).await);
}

#[tokio::test(start_paused = true)]
async fn a_directory_that_takes_no_lock_is_refused() {
    let dir = SimDir::new(1);
    dir.set_read_only(true);
    assert!(House::try_open(SMALL, env(), Arc::new(dir)).await.is_err());
}

#[tokio::test(start_paused = true)]
async fn what_does_not_fit_into_the_queue_is_dropped() {
    let dir = SimDir::new(1);
    let bounds = Bounds { waiting_bytes: 10_000, ..SMALL };
    let house = House::open(bounds, &dir).await;
    for number in 0..20 {
        house.offer(id(number), Admission::AtOnce);
    }
    house.idle().await;
    assert_eq!(house.metric(r#"writes_total{result="written"}"#), 4);
    assert_eq!(house.metric(r#"writes_total{result="dropped"}"#), 16);
    house.put(id(19)).await;
    assert!(house.has(id(19)).await, "there is room again");
}

#[tokio::test(start_paused = true)]
async fn what_waits_at_the_end_is_written() {
    let dir = SimDir::new(1);
    let house = House::open(SMALL, &dir).await;
    for number in 0..10 {
        house.offer(id(number), Admission::AtOnce);
    }
    house.stop().await;
    let house = House::open(SMALL, &dir).await;
    for number in 0..10 {
        assert!(house.has(id(number)).await);
    }
}

#[tokio::test(start_paused = true)]
async fn reads_that_fail_are_misses_and_the_disk_is_left_alone() {
    let dir = Failing::default();
    let house = House::try_open(SMALL, env(), Arc::new(dir.clone())).await.unwrap();
    for number in 0..4 {
        house.put(id(number)).await;
    }
    dir.fails.store(true, Ordering::Relaxed);
    assert!(!house.has(id(0)).await);
    dir.fails.store(false, Ordering::Relaxed);
    assert!(!house.has(id(1)).await, "nothing is tried for a while");
    assert_eq!(house.metric(r#"failures_total{operation="read"}"#), 1);
    tokio::time::sleep(PAUSE).await;
    assert!(house.has(id(1)).await && !house.has(id(0)).await);
    assert_eq!(house.metric("damaged_total"), 0);
}

/// The disk answers when it likes, in a thread of its own: time stands still meanwhile, and only a deadline ends the wait.
#[test]
fn a_disk_that_hangs_is_waited_for_no_longer_than_the_deadline() {
    let mut builder = tokio::runtime::Builder::new_current_thread();
    let runtime = builder.enable_time().build().unwrap();
    let (dir, hold) = (Failing::default(), Arc::new(std::sync::Mutex::new(())));
    let dir = Failing { hold: Arc::clone(&hold), ..dir };
    let env = larch_runtime::Env { compute: larch_runtime::Compute::Threads, ..env() };
    let house = runtime.block_on(async {
        let house = House::try_open(SMALL, env, Arc::new(dir.clone())).await.unwrap();
        house.put(id(1)).await;
        house
    });
    let held = hold.lock().unwrap();
    runtime.block_on(async {
        let (asked, ranges) = (id(1), [id(1).range()]);
        let (tenant, segment) = (asked.tenant(), asked.segment());
        let mut read = std::pin::pin!(house.cache.read(&tenant, segment, &ranges));
        // It has begun, and nobody waits for it any more.
        assert!(futures_util::poll!(read.as_mut()).is_pending());
        tokio::time::pause();
        tokio::time::advance(Duration::from_secs(11)).await;
        assert_eq!(read.await, [None]);
        tokio::time::resume();
    });
    assert_eq!(house.metric(r#"failures_total{operation="read"}"#), 1);
    drop(held);
}

/// A directory whose files cannot be read on demand, or only by whoever holds the lock.
#[derive(Debug, Clone)]
struct Failing {
    dir: SimDir,
    fails: Arc<AtomicBool>,
    hold: Arc<std::sync::Mutex<()>>,
}

impl Default for Failing {
    fn default() -> Self {
        Self { dir: SimDir::new(1), fails: Arc::default(), hold: Arc::default() }
    }
}

impl Dir for Failing {
    fn blocks(&self) -> bool {
        true
    }

    fn lock(&self) -> Result<Box<dyn DirLock>, LockError> {
        self.dir.lock()
    }

    fn list(&self) -> io::Result<Vec<FileName>> {
        self.dir.list()
    }

    fn create(&self, name: &FileName) -> io::Result<Box<dyn DirFile>> {
        self.dir.create(name)
    }

    fn open(&self, name: &FileName) -> io::Result<Box<dyn DirFile>> {
        drop(self.hold.lock());
        if self.fails.load(Ordering::Relaxed) {
            return Err(io::Error::other("simulated: unreadable"));
        }
        self.dir.open(name)
    }

    fn rename(&self, from: &FileName, to: &FileName) -> io::Result<()> {
        self.dir.rename(from, to)
    }

    fn remove(&self, name: &FileName) -> io::Result<()> {
        self.dir.remove(name)
    }

    fn sync(&self) -> io::Result<()> {
        self.dir.sync()
    }

    fn space(&self) -> io::Result<Space> {
        self.dir.space()
    }
}
