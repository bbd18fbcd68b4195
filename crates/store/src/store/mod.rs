//! [`Store`]: the few requests that the rest of Larch makes of object storage.
//!
//! Every request has a limit of time for each try, a budget for all of them, and waits its turn behind a
//! bound on how many are under way. Only what may pass is tried again. Dropping a future ends its request;
//! of an upload in parts the parts may stay behind, which a rule of the bucket should clear away.

mod attempt;
mod hedge;
mod list;
mod long_names;
mod metrics;
mod ranges;
mod read;
mod source;
mod write;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use larch_runtime::Env;
use larch_telemetry::Registry;
use larch_types::TenantId;
use object_store::path::Path;
use tokio::sync::Semaphore;

use crate::backing::{Backing, Sse};
use crate::key::{Folder, Key};
use crate::settings::HedgingSettings;
use hedge::Hedging;
use metrics::StoreMetrics;

pub use list::{Listed, Listing};
pub use read::{ObjectInfo, Tail};
pub use source::{FileSource, Source};

/// How long and how often a request is tried.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Patience {
    /// At least one.
    pub tries: u32,
    /// Before the second try; each further wait is twice as long.
    pub first_wait: Duration,
    pub longest_wait: Duration,
    /// No try begins later than this after the first.
    pub budget: Duration,
    /// For one try; `None` gives it a minute, and time to transfer what is to be transferred.
    pub try_timeout: Option<Duration>,
}

impl Default for Patience {
    fn default() -> Self {
        Self {
            tries: 10,
            first_wait: Duration::from_millis(100),
            longest_wait: Duration::from_secs(3),
            // As long as a query may take by default; uploads are queued again by who made them.
            budget: Duration::from_secs(60),
            try_timeout: None,
        }
    }
}

/// What belongs to the use of a store rather than to the store.
#[derive(Clone)]
pub struct StoreOptions {
    /// Folders before every key, without slashes around them; may be empty.
    pub prefix: String,
    pub patience: Patience,
    /// Most reads under way.
    pub max_reads: usize,
    /// Second requests for slow reads.
    pub hedging: HedgingSettings,
    /// From which size on objects are uploaded in parts of this size; 0 lets it follow from the object.
    pub part_bytes: u64,
    /// How a tenant's objects are to be encrypted, if not as all others.
    pub sse: TenantSse,
}

/// Looked up before every write, for settings of tenants change.
pub type TenantSse = Arc<dyn Fn(&TenantId) -> Option<Sse> + Send + Sync>;

impl Default for StoreOptions {
    fn default() -> Self {
        Self {
            prefix: String::new(),
            patience: Patience::default(),
            max_reads: 150,
            hedging: HedgingSettings::default(),
            part_bytes: 0,
            sse: Arc::new(|_| None),
        }
    }
}

/// Object storage as the rest of Larch knows it. Clones are the same store.
#[derive(Clone)]
pub struct Store(Arc<Inner>);

struct Inner {
    backing: Backing,
    options: StoreOptions,
    env: Env,
    reads: Semaphore,
    writes: Semaphore,
    hedging: Option<Hedging>,
    metrics: StoreMetrics,
}

/// Uploads under way. Each holds some parts in memory; as many as Loki flushes at a time.
const MAX_WRITES: usize = 32;

impl Store {
    /// Nothing is asked of the store yet.
    pub fn new(backing: Backing, options: StoreOptions, env: Env, registry: &Registry) -> Self {
        let metrics = StoreMetrics::new(registry, &backing);
        let hedging = Hedging::new(&options.hedging, &env, registry);
        Self(Arc::new(Inner {
            reads: Semaphore::new(options.max_reads.max(1)),
            writes: Semaphore::new(MAX_WRITES),
            backing,
            options,
            env,
            hedging,
            metrics,
        }))
    }

    /// Where objects are kept, for logs.
    pub fn name(&self) -> String {
        self.0.backing.to_string()
    }

    fn path(&self, key: &Key) -> Path {
        self.below(key.as_str())
    }

    fn folder(&self, folder: &Folder) -> Path {
        self.below(folder.as_str())
    }

    #[expect(clippy::expect_used, reason = "keys are made of ids and encoded text only")]
    fn below(&self, rest: &str) -> Path {
        let key = format!("{}/{}", self.0.options.prefix, rest);
        Path::parse(long_names::split(&key)).expect("a key is a path")
    }
}

impl fmt::Debug for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Store")
            .field("backing", &self.name())
            .field("prefix", &self.0.options.prefix)
            .finish_non_exhaustive()
    }
}
