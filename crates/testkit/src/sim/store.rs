//! An object store that is slow, loses answers, and whose lists lag.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use futures_util::stream::BoxStream;
use futures_util::{StreamExt, TryStreamExt, future, stream};
use larch_runtime::Env;
use larch_types::Monotonic;
use object_store::memory::InMemory;
use object_store::path::Path;
use object_store::{
    CopyOptions, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta, ObjectStore,
    PutMultipartOptions, PutOptions, PutPayload, PutResult, Result,
};

/// In memory, with faults on demand. Clones are the same store.
#[derive(Debug, Clone)]
pub struct SimStore(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    env: Env,
    objects: InMemory,
    /// When each object was put, for lists that lag.
    put_at: Mutex<BTreeMap<Path, Monotonic>>,
    latency_ms: AtomicU64,
    lost_answers_per_mille: AtomicU64,
    list_lag_ms: AtomicU64,
}

impl SimStore {
    pub fn new(env: Env) -> Self {
        Self(Arc::new(Inner {
            env,
            objects: InMemory::new(),
            put_at: Mutex::default(),
            latency_ms: AtomicU64::new(5),
            lost_answers_per_mille: AtomicU64::new(0),
            list_lag_ms: AtomicU64::new(0),
        }))
    }

    /// Every call takes between one and two times so long.
    pub fn set_latency(&self, latency: Duration) {
        self.0.latency_ms.store(millis(latency), Ordering::Relaxed);
    }

    /// So many of a thousand calls that change something do it and then fail.
    pub fn lose_answers(&self, per_mille: u64) {
        self.0.lost_answers_per_mille.store(per_mille, Ordering::Relaxed);
    }

    /// Lists do not show objects that are younger.
    pub fn set_list_lag(&self, lag: Duration) {
        self.0.list_lag_ms.store(millis(lag), Ordering::Relaxed);
    }

    async fn travel(&self) {
        let latency = Duration::from_millis(self.0.latency_ms.load(Ordering::Relaxed));
        self.0.env.sleep(self.0.env.random.jitter(latency, 1.0)).await;
    }

    /// The way back of a call that has changed something.
    fn answer<T>(&self, done: T) -> Result<T> {
        if self.0.env.random.below(1000) < self.0.lost_answers_per_mille.load(Ordering::Relaxed) {
            let source = "simulated: the answer was lost".into();
            return Err(object_store::Error::Generic { store: "sim", source });
        }
        Ok(done)
    }

    fn note_put(&self, path: &Path) {
        let mut put_at = self.0.put_at.lock().unwrap_or_else(PoisonError::into_inner);
        put_at.entry(path.clone()).or_insert_with(|| self.0.env.clock.monotonic());
    }

    fn is_listed(&self, path: &Path) -> bool {
        let lag = Duration::from_millis(self.0.list_lag_ms.load(Ordering::Relaxed));
        let put_at = self.0.put_at.lock().unwrap_or_else(PoisonError::into_inner);
        put_at.get(path).is_none_or(|put| self.0.env.clock.monotonic().since(*put) >= lag)
    }
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
        self.travel().await;
        let done = self.0.objects.put_opts(path, payload, options).await?;
        self.note_put(path);
        self.answer(done)
    }

    async fn put_multipart_opts(
        &self,
        path: &Path,
        options: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        self.travel().await;
        self.note_put(path);
        self.0.objects.put_multipart_opts(path, options).await
    }

    async fn get_opts(&self, path: &Path, options: GetOptions) -> Result<GetResult> {
        self.travel().await;
        self.0.objects.get_opts(path, options).await
    }

    fn delete_stream(&self, paths: BoxStream<'static, Result<Path>>) -> BoxStream<'static, Result<Path>> {
        let store = self.clone();
        let deleted = self.0.objects.delete_stream(paths);
        deleted
            .then(move |path| {
                let store = store.clone();
                async move {
                    store.travel().await;
                    store.answer(path?)
                }
            })
            .boxed()
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        let (store, all) = (self.clone(), self.0.objects.list(prefix));
        let traveller = self.clone();
        let listing = async move {
            traveller.travel().await;
            all
        };
        stream::once(listing)
            .flatten()
            .try_filter(move |object| future::ready(store.is_listed(&object.location)))
            .boxed()
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        self.travel().await;
        let mut found = self.0.objects.list_with_delimiter(prefix).await?;
        found.objects.retain(|object| self.is_listed(&object.location));
        Ok(found)
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        self.travel().await;
        self.0.objects.copy_opts(from, to, options).await?;
        self.note_put(to);
        self.answer(())
    }
}
