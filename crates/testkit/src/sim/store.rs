//! An object store that is slow, refuses, loses answers, does what it is told late or twice, and whose
//! lists lag and are torn.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, UNIX_EPOCH};

use async_trait::async_trait;
use futures_util::stream::BoxStream;
use futures_util::{StreamExt, TryStreamExt, stream};
use larch_runtime::{Clock, Env};
use larch_types::{Monotonic, Timestamp};
use object_store::client::{HttpError, HttpErrorKind};
use object_store::memory::InMemory;
use object_store::multipart::{MultipartStore, PartId};
use object_store::path::Path;
use object_store::{
    CopyOptions, GetOptions, GetResult, ListResult, MultipartId, MultipartUpload, ObjectMeta, ObjectStore,
    ObjectStoreExt, PutMultipartOptions, PutOptions, PutPayload, PutResult, Result,
};

use super::clock::SimClock;
use super::fuse::Fuse;

/// In memory, with faults on demand and a fuse. Clones are the same store.
#[derive(Debug, Clone)]
pub struct SimStore(Arc<Inner>, Fuse);

#[derive(Debug)]
struct Inner {
    env: Env,
    /// Its own: it does not step with the machines' that use the store.
    clock: SimClock,
    objects: InMemory,
    /// When each object was put, by both clocks.
    put_at: Mutex<BTreeMap<Path, (Monotonic, Timestamp)>>,
    /// Puts that are on their way, by when they arrive.
    on_the_way: Mutex<Vec<(Monotonic, Path, PutPayload)>>,
    latency_ms: AtomicU64,
    refused_per_mille: AtomicU64,
    lost_answers_per_mille: AtomicU64,
    late_puts_per_mille: AtomicU64,
    repeated_puts_per_mille: AtomicU64,
    put_delay_ms: AtomicU64,
    list_lag_ms: AtomicU64,
    list_page: AtomicU64,
}

/// A fault that the simulation chose.
#[derive(Debug, thiserror::Error)]
enum Fault {
    #[error("simulated: the answer was lost")]
    Lost,
    #[error("simulated: refused")]
    Refused,
    #[error("simulated: still on the way")]
    Late,
}

impl SimStore {
    pub fn new(env: Env) -> Self {
        let inner = Inner {
            env,
            clock: SimClock::new(),
            objects: InMemory::new(),
            put_at: Mutex::default(),
            on_the_way: Mutex::default(),
            latency_ms: AtomicU64::new(5),
            refused_per_mille: AtomicU64::new(0),
            lost_answers_per_mille: AtomicU64::new(0),
            late_puts_per_mille: AtomicU64::new(0),
            repeated_puts_per_mille: AtomicU64::new(0),
            put_delay_ms: AtomicU64::new(0),
            list_lag_ms: AtomicU64::new(0),
            list_page: AtomicU64::new(u64::MAX),
        };
        Self(Arc::new(inner), Fuse::default())
    }

    /// Its calls count for the fuse, and fail with it.
    #[must_use]
    pub(super) fn with_fuse(self, fuse: &Fuse) -> Self {
        Self(self.0, fuse.clone())
    }

    /// Every call takes between one and two times so long.
    pub fn set_latency(&self, latency: Duration) {
        self.0.latency_ms.store(millis(latency), Ordering::Relaxed);
    }

    /// So many of a thousand calls fail and do nothing.
    pub fn refuse(&self, per_mille: u64) {
        self.0.refused_per_mille.store(per_mille, Ordering::Relaxed);
    }

    /// So many of a thousand calls that change something do it and then fail.
    pub fn lose_answers(&self, per_mille: u64) {
        self.0.lost_answers_per_mille.store(per_mille, Ordering::Relaxed);
    }

    /// So many of a thousand puts fail, and are done at some moment within the delay.
    pub fn delay_puts(&self, per_mille: u64, delay: Duration) {
        self.0.late_puts_per_mille.store(per_mille, Ordering::Relaxed);
        self.0.put_delay_ms.store(millis(delay), Ordering::Relaxed);
    }

    /// So many of a thousand puts are done once more at some moment within the delay.
    pub fn repeat_puts(&self, per_mille: u64, delay: Duration) {
        self.0.repeated_puts_per_mille.store(per_mille, Ordering::Relaxed);
        self.0.put_delay_ms.store(millis(delay), Ordering::Relaxed);
    }

    /// Lists do not show objects that are younger.
    pub fn set_list_lag(&self, lag: Duration) {
        self.0.list_lag_ms.store(millis(lag), Ordering::Relaxed);
    }

    /// Each page of so many objects shows the store at a moment of its own, at most the lag ago.
    pub fn tear_lists(&self, page: u64) {
        self.0.list_page.store(page.max(1), Ordering::Relaxed);
    }

    /// The way to the store. What is on the way longer arrives meanwhile.
    async fn travel(&self) -> Result<()> {
        self.1.call().map_err(|_| fault(Fault::Refused))?;
        let latency = Duration::from_millis(self.0.latency_ms.load(Ordering::Relaxed));
        self.0.env.sleep(self.0.env.random.jitter(latency, 1.0)).await;
        for (path, payload) in self.arrived() {
            self.0.objects.put(&path, payload).await?;
            self.note_put(&path);
        }
        if self.happens(&self.0.refused_per_mille) { Err(fault(Fault::Refused)) } else { Ok(()) }
    }

    /// Oldest first.
    fn arrived(&self) -> Vec<(Path, PutPayload)> {
        let now = self.0.env.clock.monotonic();
        let mut on_the_way = lock(&self.0.on_the_way);
        let (mut arrived, rest): (Vec<_>, Vec<_>) = on_the_way.drain(..).partition(|(due, ..)| *due <= now);
        *on_the_way = rest;
        arrived.sort_by_key(|(due, ..)| *due);
        arrived.into_iter().map(|(_, path, payload)| (path, payload)).collect()
    }

    fn send_later(&self, path: &Path, payload: PutPayload) {
        let delay = self.0.env.random.below(self.0.put_delay_ms.load(Ordering::Relaxed).saturating_add(1));
        let since_start = self.0.env.clock.monotonic().since(Monotonic::from_start(Duration::ZERO));
        let due = Monotonic::from_start(since_start + Duration::from_millis(delay));
        lock(&self.0.on_the_way).push((due, path.clone(), payload));
    }

    /// The way back of a call that has changed something.
    fn answer<T>(&self, done: T) -> Result<T> {
        if self.happens(&self.0.lost_answers_per_mille) { Err(fault(Fault::Lost)) } else { Ok(done) }
    }

    /// Nothing is drawn for faults that are not on.
    fn happens(&self, per_mille: &AtomicU64) -> bool {
        let per_mille = per_mille.load(Ordering::Relaxed);
        per_mille > 0 && self.0.env.random.below(1000) < per_mille
    }

    fn note_put(&self, path: &Path) {
        let (monotonic, now) = (self.0.env.clock.monotonic(), self.0.clock.now());
        lock(&self.0.put_at).entry(path.clone()).or_insert((monotonic, now));
    }

    /// Gives the object's time by the store's clock.
    fn dated(&self, meta: ObjectMeta) -> ObjectMeta {
        let put = lock(&self.0.put_at).get(&meta.location).copied();
        let nanos = put.and_then(|(_, now)| u64::try_from(now.nanos()).ok()).unwrap_or(0);
        ObjectMeta { last_modified: (UNIX_EPOCH + Duration::from_nanos(nanos)).into(), ..meta }
    }

    async fn list_now(&self, prefix: Option<&Path>) -> Result<Vec<ObjectMeta>> {
        self.travel().await?;
        Ok(self.listed(self.0.objects.list(prefix).try_collect().await?))
    }

    /// The objects that a list shows.
    fn listed(&self, objects: Vec<ObjectMeta>) -> Vec<ObjectMeta> {
        let (now, most) = (self.0.env.clock.monotonic(), self.0.list_lag_ms.load(Ordering::Relaxed));
        let page = self.0.list_page.load(Ordering::Relaxed);
        let mut lag = Duration::from_millis(most);
        let mut shown = Vec::new();
        for (index, meta) in (0_u64..).zip(objects) {
            if page != u64::MAX && index.is_multiple_of(page) {
                lag = Duration::from_millis(self.0.env.random.below(most.saturating_add(1)));
            }
            let put = lock(&self.0.put_at).get(&meta.location).copied();
            if put.is_none_or(|(put, _)| now.since(put) >= lag) {
                shown.push(self.dated(meta));
            }
        }
        shown
    }
}

fn fault(fault: Fault) -> object_store::Error {
    let source = Box::new(HttpError::new(HttpErrorKind::Interrupted, fault));
    object_store::Error::Generic { store: "sim", source }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

impl fmt::Display for SimStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("sim")
    }
}

#[async_trait]
impl ObjectStore for SimStore {
    async fn put_opts(&self, path: &Path, payload: PutPayload, options: PutOptions) -> Result<PutResult> {
        self.travel().await?;
        if self.happens(&self.0.late_puts_per_mille) {
            self.send_later(path, payload);
            return Err(fault(Fault::Late));
        }
        if self.happens(&self.0.repeated_puts_per_mille) {
            self.send_later(path, payload.clone());
        }
        let done = self.0.objects.put_opts(path, payload, options).await?;
        self.note_put(path);
        self.answer(done)
    }

    async fn put_multipart_opts(
        &self,
        path: &Path,
        options: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        self.travel().await?;
        self.note_put(path);
        self.0.objects.put_multipart_opts(path, options).await
    }

    async fn get_opts(&self, path: &Path, options: GetOptions) -> Result<GetResult> {
        self.travel().await?;
        let found = self.0.objects.get_opts(path, options).await?;
        Ok(GetResult { meta: self.dated(found.meta.clone()), ..found })
    }

    fn delete_stream(&self, paths: BoxStream<'static, Result<Path>>) -> BoxStream<'static, Result<Path>> {
        let store = self.clone();
        let delete = move |path: Path| {
            let store = store.clone();
            async move {
                store.travel().await?;
                store.0.objects.delete(&path).await?;
                lock(&store.0.put_at).remove(&path);
                store.answer(path)
            }
        };
        paths.and_then(delete).boxed()
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        let (store, prefix) = (self.clone(), prefix.cloned());
        let listing = async move { store.list_now(prefix.as_ref()).await };
        let each = |shown: Vec<ObjectMeta>| stream::iter(shown.into_iter().map(Ok));
        stream::once(listing).map_ok(each).try_flatten().boxed()
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        self.travel().await?;
        let found = self.0.objects.list_with_delimiter(prefix).await?;
        Ok(ListResult { objects: self.listed(found.objects), ..found })
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        self.travel().await?;
        self.0.objects.copy_opts(from, to, options).await?;
        self.note_put(to);
        self.answer(())
    }
}

/// Parts are refused and their answers lost as whole objects' are; an upload that was completed and not
/// answered is unknown when it is asked for again.
#[async_trait]
impl MultipartStore for SimStore {
    async fn create_multipart(&self, path: &Path) -> Result<MultipartId> {
        self.travel().await?;
        let id = self.0.objects.create_multipart(path).await?;
        self.answer(id)
    }

    async fn put_part(
        &self,
        path: &Path,
        id: &MultipartId,
        index: usize,
        data: PutPayload,
    ) -> Result<PartId> {
        self.travel().await?;
        let part = self.0.objects.put_part(path, id, index, data).await?;
        self.answer(part)
    }

    async fn complete_multipart(
        &self,
        path: &Path,
        id: &MultipartId,
        parts: Vec<PartId>,
    ) -> Result<PutResult> {
        self.travel().await?;
        let done = self.0.objects.complete_multipart(path, id, parts).await?;
        self.note_put(path);
        self.answer(done)
    }

    async fn abort_multipart(&self, path: &Path, id: &MultipartId) -> Result<()> {
        self.travel().await?;
        self.0.objects.abort_multipart(path, id).await?;
        self.answer(())
    }
}
