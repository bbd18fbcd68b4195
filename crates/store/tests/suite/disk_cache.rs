//! Segments read through the cache on disk: what is there is not asked of the store, and what is wrong there is.

use std::ops::Range;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use larch_proto::{Partition, SegmentEntry};
use larch_runtime::{Env, Scope};
use larch_segment::{Columns, Effort, Provenance, Row, Segment, SegmentBuilder};
use larch_store::{
    Backing, Catalog, ChunkStoreSettings, Key, OpenCacheError, Segments, Store, StoreOptions, entry_of,
};
use larch_telemetry::Registry;
use larch_types::{NodeId, SegmentId, TenantId, Timestamp};
use larch_wal::OsDir;

use crate::harness::metrics;

const ROWS: i64 = 3000;

fn tenant() -> TenantId {
    "t".parse().unwrap()
}

/// A segment and its object.
fn segment(id: u128) -> (Bytes, SegmentEntry) {
    let mut builder = SegmentBuilder::new();
    for number in 0..ROWS {
        let labels = format!(r#"{{app="a", pod="{}"}}"#, number % 3);
        let stream = builder.stream(&labels.parse().unwrap()).unwrap();
        let line = format!("request {number} took {} ms, user {}", number * 7919 % 1000, number * 104_729);
        let timestamp = Timestamp::from_secs(number);
        let row = Row { timestamp, line: line.as_bytes(), metadata: &[], level: None };
        builder.push(stream, &row, None).unwrap();
    }
    let (inputs, siblings, tombstones) = (Vec::new(), Vec::new(), Vec::new());
    let (id, uploader) = (SegmentId::from_u128(id), NodeId::from_u128(1));
    let provenance = Provenance { id, uploader, inputs, siblings, tombstones };
    let bytes: Bytes = builder.finish(provenance, Effort::Fresh).unwrap().bytes.into();
    let opened = Segment::open(&bytes, bytes.len() as u64).unwrap();
    let entry = entry_of(&opened, bytes.len() as u64).unwrap();
    (bytes, entry)
}

/// One process over objects and a directory that outlive it.
struct Process {
    segments: Segments,
    registry: Registry,
    scope: Scope,
}

impl Process {
    async fn start(backing: &Backing, folder: &Path) -> Self {
        let (env, registry, scope) = (Env::system(), Registry::default(), Scope::default());
        let store = Store::new(backing.clone(), StoreOptions::default(), env.clone(), &registry);
        let catalog = Catalog::new(store, env, &registry);
        let segments = Segments::new(catalog, &ChunkStoreSettings::default(), &registry);
        let dir = Arc::new(OsDir::open(folder).unwrap());
        segments.open_disk_cache(dir, &scope).await.unwrap();
        Self { segments, registry, scope }
    }

    /// All pages of all segments, checked by reading the lines.
    async fn read(&self, entries: &[SegmentEntry]) -> Vec<Bytes> {
        let mut all = Vec::new();
        for entry in entries {
            let opened = self.segments.open(&tenant(), entry).await.unwrap();
            let mut rows = 0;
            for chunk in 0..opened.totals().chunks {
                let refs = opened.pages(chunk, Columns::ALL);
                let ranges: Vec<Range<u64>> = refs.iter().map(|page| page.range.clone()).collect();
                let fetched = self.segments.pages(&tenant(), entry, &ranges).await.unwrap();
                all.extend(fetched.pages.iter().cloned());
                let read = opened.chunk(chunk, refs.into_iter().zip(fetched.pages).collect());
                rows += read.times().unwrap().len();
            }
            assert_eq!(rows as i64, ROWS);
        }
        all
    }

    fn count(&self, name: &str) -> u64 {
        let text = metrics(&self.registry);
        let lines = text.lines().filter_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        lines.map(|value| value.parse::<f64>().unwrap() as u64).sum()
    }

    fn requests(&self, cache: &str, result: &str) -> u64 {
        self.count(&format!(r#"larch_segment_cache_requests_total{{cache="{cache}",result="{result}"}}"#))
    }

    fn bytes_from_store(&self) -> u64 {
        self.count(r#"larch_store_bytes_total{operation="get_range"}"#)
    }

    async fn stop(self) {
        self.scope.close(Duration::from_secs(60)).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_warm_directory_spares_the_store() {
    let folder = tempfile::tempdir().unwrap();
    let directory = folder.path().join("made/for/it");
    let backing = Backing::memory();
    let mut entries = Vec::new();
    let store = Store::new(backing.clone(), StoreOptions::default(), Env::system(), &Registry::default());
    for id in 1..4 {
        let (bytes, entry) = segment(id);
        let partition = Partition::Day(Timestamp::EPOCH.day());
        assert_eq!(entry.partition, partition);
        store.put(&Key::segment(&tenant(), partition, entry.id), bytes).await.unwrap();
        entries.push(entry);
    }

    let cold = Process::start(&backing, &directory).await;
    let wanted = cold.read(&entries).await;
    let pages = wanted.len() as u64;
    assert_eq!((cold.requests("footers", "miss"), cold.requests("pages", "miss")), (3, pages));
    assert!(cold.bytes_from_store() > 0);
    assert_eq!(cold.read(&entries).await, wanted);
    assert_eq!(cold.requests("pages", "hit"), pages);
    let other =
        Segments::new(cold.segments.catalog().clone(), &ChunkStoreSettings::default(), &Registry::default());
    let refused = other.open_disk_cache(Arc::new(OsDir::open(&directory).unwrap()), &Scope::default()).await;
    assert!(matches!(refused, Err(OpenCacheError::Lock(_))), "a directory is one process's");
    cold.stop().await;

    let warm = Process::start(&backing, &directory).await;
    assert_eq!(warm.read(&entries).await, wanted);
    assert_eq!((warm.requests("footers", "disk"), warm.requests("pages", "disk")), (3, pages));
    assert_eq!((warm.requests("footers", "miss"), warm.requests("pages", "miss")), (0, 0));
    assert_eq!(warm.bytes_from_store(), 0, "nothing is asked of the store");
    assert_eq!(warm.count("larch_segment_disk_cache_entries"), 3 + pages);
    warm.stop().await;

    damage(&directory);
    let damaged = Process::start(&backing, &directory).await;
    assert_eq!(damaged.read(&entries).await, wanted);
    assert_eq!(damaged.requests("footers", "disk") + damaged.requests("pages", "disk"), 0);
    assert_eq!(damaged.count("larch_segment_disk_cache_damaged_total"), 3 + pages);
    // Footers are there again, and pages are once they are asked for again.
    assert_eq!(damaged.read(&entries).await, wanted);
    damaged.stop().await;
    let mended = Process::start(&backing, &directory).await;
    assert_eq!(mended.read(&entries).await, wanted);
    assert_eq!(mended.bytes_from_store(), 0);
    mended.stop().await;
}

/// Turns one bit in each 16 bytes of all entries, and leaves the tables whole.
fn damage(directory: &Path) {
    for file in std::fs::read_dir(directory).unwrap() {
        let path = file.unwrap().path();
        if path.extension().is_none_or(|extension| extension != "slab") {
            continue;
        }
        let mut bytes = std::fs::read(&path).unwrap();
        let trailer = bytes.len() - 24;
        let table = u32::from_le_bytes(bytes[trailer + 8..trailer + 12].try_into().unwrap()) as usize;
        for byte in bytes[24..table].iter_mut().step_by(16) {
            *byte ^= 0x10;
        }
        std::fs::write(&path, bytes).unwrap();
    }
}

/// What the store gave wrongly is not kept for ever.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pages_that_are_forgotten_come_from_the_store_again() {
    let folder = tempfile::tempdir().unwrap();
    let backing = Backing::memory();
    let store = Store::new(backing.clone(), StoreOptions::default(), Env::system(), &Registry::default());
    let (bytes, entry) = segment(1);
    let key = Key::segment(&tenant(), entry.partition, entry.id);
    let mut wrong = bytes.to_vec();
    wrong[100] ^= 1;
    store.put(&key, wrong.into()).await.unwrap();
    let ranges = [90..110, 200..300];
    let process = Process::start(&backing, folder.path()).await;
    for _ in 0..2 {
        process.segments.pages(&tenant(), &entry, &ranges).await.unwrap();
    }
    process.stop().await;
    let process = Process::start(&backing, folder.path()).await;
    process.segments.pages(&tenant(), &entry, &ranges).await.unwrap();
    assert_eq!(process.requests("pages", "disk"), 2);
    process.segments.forget(&tenant(), &entry, &ranges[..1]).await;
    process.stop().await;
    store.delete(&key).await.unwrap();
    store.put(&key, bytes.clone()).await.unwrap();
    let process = Process::start(&backing, folder.path()).await;
    let fetched = process.segments.pages(&tenant(), &entry, &ranges).await.unwrap();
    assert_eq!(fetched.pages, [bytes.slice(90..110), bytes.slice(200..300)]);
    assert_eq!((process.requests("pages", "disk"), process.requests("pages", "miss")), (1, 1));
    process.stop().await;
}
