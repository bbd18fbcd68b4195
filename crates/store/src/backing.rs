//! An opened store, before anything of ours is laid over it.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use larch_limits::SseType;
use object_store::memory::InMemory;
use object_store::multipart::MultipartStore;
use object_store::{Attributes, ObjectStore};

use crate::directory::{Directory, SharedDirectory};

/// Which protocol a store speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    Directory,
    Memory,
    S3,
    Gcs,
    Azure,
    /// One that tests bring.
    Other,
}

/// Encryption at rest by the store.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct Sse {
    pub kind: SseType,
    /// Empty means the account's default key.
    pub kms_key_id: String,
    /// As a JSON object; may be empty.
    pub kms_encryption_context: String,
}

/// Cheap to clone.
#[derive(Clone)]
pub struct Backing(Arc<Inner>);

struct Inner {
    kind: Kind,
    bucket: String,
    objects: Arc<dyn ObjectStore>,
    writers: Writers,
}

/// What objects are written through.
#[derive(Clone)]
pub(crate) struct Writer {
    pub(crate) objects: Arc<dyn ObjectStore>,
    /// `None` if objects of any size are written whole.
    pub(crate) parts: Option<Arc<dyn MultipartStore>>,
    pub(crate) directory: Option<Arc<Directory>>,
    /// Of every object.
    pub(crate) attributes: Attributes,
}

enum Writers {
    One(Writer),
    BySse(WritersBySse),
}

/// Encryption belongs to the client, so there is one for each kind of it.
struct WritersBySse {
    default: Writer,
    make: MakeWriter,
    made: Mutex<HashMap<Sse, Writer>>,
}

pub(crate) type MakeWriter = Box<dyn Fn(&Sse) -> object_store::Result<Writer> + Send + Sync>;

/// Tenants with an encryption of their own whose clients are kept; beyond it they are made anew, which
/// costs little: connections and credentials are shared.
const MAX_WRITERS: usize = 1024;

impl Backing {
    /// Nothing outlives the process: for tests and trials.
    pub fn memory() -> Self {
        let memory = Arc::new(InMemory::new());
        Self::build(Kind::Memory, "memory", memory.clone(), Some(memory))
    }

    /// A store that a test brings.
    pub fn other<S: ObjectStore + MultipartStore>(store: Arc<S>) -> Self {
        Self::build(Kind::Other, "test", store.clone(), Some(store))
    }

    pub(crate) fn directory(directory: Arc<Directory>) -> Self {
        let name = directory.to_string();
        let objects: Arc<dyn ObjectStore> = Arc::new(SharedDirectory(directory.clone()));
        let writer = Writer {
            objects: objects.clone(),
            parts: None,
            directory: Some(directory),
            attributes: Attributes::new(),
        };
        Self::new(Kind::Directory, &name, objects, Writers::One(writer))
    }

    pub(crate) fn build(
        kind: Kind,
        bucket: &str,
        objects: Arc<dyn ObjectStore>,
        parts: Option<Arc<dyn MultipartStore>>,
    ) -> Self {
        let writer =
            Writer { objects: objects.clone(), parts, directory: None, attributes: Attributes::new() };
        Self::new(kind, bucket, objects, Writers::One(writer))
    }

    /// A store that encrypts as each tenant wants it.
    pub(crate) fn by_sse(
        bucket: &str,
        objects: Arc<dyn ObjectStore>,
        default: Writer,
        make: MakeWriter,
    ) -> Self {
        let writers = Writers::BySse(WritersBySse { default, make, made: Mutex::default() });
        Self::new(Kind::S3, bucket, objects, writers)
    }

    fn new(kind: Kind, bucket: &str, objects: Arc<dyn ObjectStore>, writers: Writers) -> Self {
        Self(Arc::new(Inner { kind, bucket: bucket.to_owned(), objects, writers }))
    }

    pub fn kind(&self) -> Kind {
        self.0.kind
    }

    /// The name of the bucket, container or directory.
    pub fn bucket(&self) -> &str {
        &self.0.bucket
    }

    pub(crate) fn objects(&self) -> &dyn ObjectStore {
        self.0.objects.as_ref()
    }

    /// Whether the last bytes of an object can be asked for without its size.
    pub(crate) fn reads_tails(&self) -> bool {
        self.0.kind != Kind::Azure
    }

    /// Whether listings come sorted, page by page.
    pub(crate) fn lists_in_order(&self) -> bool {
        matches!(self.0.kind, Kind::S3 | Kind::Gcs | Kind::Azure | Kind::Memory)
    }

    pub(crate) fn writer(&self, sse: Option<&Sse>) -> object_store::Result<Writer> {
        match (&self.0.writers, sse) {
            (Writers::One(writer), _) => Ok(writer.clone()),
            (Writers::BySse(writers), None) => Ok(writers.default.clone()),
            (Writers::BySse(writers), Some(sse)) => writers.of(sse),
        }
    }
}

impl WritersBySse {
    fn of(&self, sse: &Sse) -> object_store::Result<Writer> {
        let mut made = self.made.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(writer) = made.get(sse) {
            return Ok(writer.clone());
        }
        let writer = (self.make)(sse)?;
        if made.len() >= MAX_WRITERS {
            made.clear();
        }
        made.insert(sse.clone(), writer.clone());
        Ok(writer)
    }
}

impl fmt::Display for Backing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} {}", self.0.kind, self.0.bucket)
    }
}

impl fmt::Debug for Backing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Backing({self})")
    }
}
