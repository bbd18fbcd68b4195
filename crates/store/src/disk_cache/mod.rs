//! Ranges of stored segments on a local disk, behind the caches in memory and before the store.
//!
//! It outlives the process, and losing any of it costs a request to the store and nothing else. So nothing is
//! synced and nothing is promised; but what is given out is right. Each range lies there with tenant, segment,
//! place and a checksum over all of it, which are held against what was asked for at each read. What is damaged,
//! torn, cut off or of somebody else is a miss, and counted.
//!
//! Ranges lie in *slabs*, files of some ten megabytes that are only appended to. A file for each range would be
//! hundreds of thousands of files, whose names and blocks cost more than small ranges have bytes, and which a start
//! would have to visit one by one. A file for each segment would be rewritten to get rid of a part of it. A slab is
//! written in one go, goes with one removal, and says at its end what is in it, so that a start reads a table for
//! each slab. The price is that room is made a slab at a time: the oldest goes, and what was asked for since it was
//! written is written again, as far as that is no more than half of the slab. Thereby eviction goes by use, and what
//! is written at most doubles.
//!
//! A footer is kept when it is first read, for there are few and every plan needs them. Other ranges are kept when
//! they are asked for the second time: one query that reads everything once must not drive out what is read daily.
//!
//! Nobody waits for writing: what waits for it is bounded, and what comes on top is dropped. Reads have a deadline.
//! A disk that fails or is full is left alone for a while.

mod entry;
mod error;
mod index;
mod metrics;
mod read;
mod seen;
mod slab;
mod state;
#[cfg(test)]
mod tests;
mod worker;
mod writer;

use std::ops::Range;
use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use larch_runtime::{Env, Scope};
use larch_telemetry::Registry;
use larch_types::{SegmentId, TenantId};
use larch_wal::{Dir, DirLock};

use crate::settings::DiskCacheSettings;
use entry::EntryKey;
use metrics::CacheMetrics;
use state::{Bounds, Shared};
use writer::Writer;

pub use error::OpenCacheError;
pub use slab::fuzz_slab;

/// Finds nothing and keeps nothing until it is opened.
pub(crate) struct DiskCache {
    env: Env,
    bounds: Bounds,
    metrics: CacheMetrics,
    opened: Arc<OnceLock<Arc<Shared>>>,
}

/// When a range is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Admission {
    AtOnce,
    /// When it is asked for again.
    SecondTime,
}

impl DiskCache {
    pub(crate) fn new(env: Env, settings: &DiskCacheSettings, registry: &Registry) -> Self {
        let opened: Arc<OnceLock<Arc<Shared>>> = Arc::default();
        let metrics = CacheMetrics::new(registry, Arc::clone(&opened));
        Self { env, bounds: Bounds::new(settings), metrics, opened }
    }

    /// Takes the directory, looks what is in it, and goes on with that. What is written goes through a task of the
    /// scope, which at the end writes what waits.
    pub(crate) async fn open(&self, dir: Arc<dyn Dir>, scope: &Scope) -> Result<(), OpenCacheError> {
        let shared = Arc::new(Shared::new(self.bounds, self.env.clone(), self.metrics.clone(), dir));
        let begin = Arc::clone(&shared);
        let begun = self.env.compute(move || begin_in(begin)).await;
        let (lock, writer) = begun.map_err(|_| OpenCacheError::Stopped)??;
        if self.opened.set(Arc::clone(&shared)).is_err() {
            return Err(OpenCacheError::Twice);
        }
        scope.spawn("segment cache on disk", worker::run(shared, writer, lock, scope.clone()));
        Ok(())
    }

    /// What of the ranges is there, by their order.
    ///
    /// # Cancel safety
    /// As all calls here, it may be dropped at any time.
    pub(crate) async fn read(
        &self,
        tenant: &TenantId,
        segment: SegmentId,
        ranges: &[Range<u64>],
    ) -> Vec<Option<Bytes>> {
        match self.opened.get() {
            Some(shared) => read::read(shared, tenant, segment, ranges).await,
            None => vec![None; ranges.len()],
        }
    }

    /// Says that ranges were used, and what is in them.
    pub(crate) fn offer<'a>(
        &self,
        tenant: &TenantId,
        segment: SegmentId,
        admission: Admission,
        ranges: impl Iterator<Item = (&'a Range<u64>, &'a Bytes)>,
    ) {
        let Some(shared) = self.opened.get() else { return };
        let mut is_new = false;
        let mut state = shared.state();
        for (range, bytes) in ranges {
            is_new |= state.offer(tenant, segment, admission, range.start, bytes);
        }
        drop(state);
        if is_new {
            shared.wake.notify_one();
        }
    }

    /// Ranges that turned out to be wrong, although they are as they were read from the store.
    pub(crate) fn forget(&self, tenant: &TenantId, segment: SegmentId, ranges: &[Range<u64>]) {
        let Some(shared) = self.opened.get() else { return };
        let mut state = shared.state();
        for range in ranges {
            if let Some(key) = EntryKey::of(tenant, segment, range) {
                state.forget(&key);
            }
        }
        drop(state);
        shared.wake.notify_one();
    }
}

type Begun = (Box<dyn DirLock>, Writer);

fn begin_in(shared: Arc<Shared>) -> Result<Begun, OpenCacheError> {
    let lock = shared.dir.lock().map_err(OpenCacheError::Lock)?;
    let writer = Writer::begin(shared).map_err(OpenCacheError::Read)?;
    Ok((lock, writer))
}
