//! One ingester: what it knows of itself, what it holds, and what it may take.

use std::sync::atomic::{AtomicBool, AtomicIsize, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

use larch_launch::TenantLimits;
use larch_membership::{Members, Part};
use larch_proto::{ReadHead, RingDigest, WalPosition};
use larch_rpc::CallError;
use larch_runtime::{BufferPool, Env, Scope};
use larch_store::{Catalog, Store};
use larch_types::{Address, ErrorKind, NodeId, Timestamp};
use larch_wal::{Dir, Log, Position};
use tokio::sync::Notify;

use crate::append::Waiting;
use crate::disk::Disk;
use crate::leaving::{Left, OnItsWay, Pushes};
use crate::metrics::Metrics;
use crate::replay::Replayed;
use crate::rhythm::Rhythm;
use crate::segment_file::SegmentFile;
use crate::set_aside::Budget;
use crate::tails::Tails;
use crate::tenant::Tenant;
use crate::tenants::Tenants;
use crate::upload::{HandOvers, Queue, Rewrites, UploadSettings};

/// What a tenant takes on a node before it has a row: its tables and its name.
const TENANT_BYTES: usize = 4096;

/// Tails of segment files that are read from may take such a part of what rows may.
const TAILS_SHARE: usize = 4;

/// What records leave between each other: some pushes of usual size, which have a megabyte.
const IDLE_BUFFER_BYTES: usize = 8 << 20;

pub(crate) struct Node {
    pub(crate) id: NodeId,
    /// The module's own.
    pub(crate) scope: Scope,
    pub(crate) env: Env,
    pub(crate) limits: TenantLimits,
    pub(crate) members: Members,
    pub(crate) here: Address,
    pub(crate) replication: usize,
    pub(crate) bounds: Bounds,
    pub(crate) started: Timestamp,
    pub(crate) synced: bool,
    pub(crate) metrics: Metrics,
    pub(crate) log: Log<Waiting>,
    /// For records on their way into the log.
    pub(crate) buffers: BufferPool,
    /// Where the log is, and segment files beside it.
    pub(crate) dir: Arc<dyn Dir>,
    pub(crate) disk: Disk,
    /// For rows that cannot be cut.
    pub(crate) aside: Budget,
    pub(crate) store: Store,
    pub(crate) catalog: Catalog,
    pub(crate) uploading: UploadSettings,
    /// Files that are not uploaded.
    pub(crate) uploads: Queue,
    pub(crate) rewrites: Rewrites,
    /// Segments that are named to readers.
    pub(crate) handed_over: HandOvers,
    pub(crate) tenants: Tenants,
    pub(crate) tails: Tails,
    /// Told when a tenant has rows enough to cut.
    pub(crate) wake_cutter: Notify,
    /// Told when the disk is short of room and uploaded files are there.
    pub(crate) wake_remover: Notify,
    pub(crate) rhythm: Rhythm,
    /// Somebody wants all rows to be cut.
    flush_asked: AtomicBool,
    leaving: AtomicBool,
    pub(crate) pushes: Pushes,
    /// How it is to stop, if somebody has said so.
    shutdown: OnceLock<Shutdown>,
    applied: AtomicU64,
    /// Of rows.
    held_bytes: AtomicIsize,
}

/// What the configuration allows.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Bounds {
    /// All rows in memory, with their tables.
    pub(crate) memory_bytes: usize,
    /// Log and segment files on the disk; 0 leaves it to the disk.
    pub(crate) disk_bytes: u64,
    /// Copies of rows that cannot be cut, on top of that.
    pub(crate) aside_bytes: u64,
    /// Share of the disk, and of its budget, from which no rows are taken; 0 means never.
    pub(crate) disk_threshold: f64,
    /// Refused rows that an answer names; 0 names all.
    pub(crate) named_rows: u32,
    /// Dropped rows that a live tail names.
    pub(crate) named_dropped: usize,
}

/// How a node was told to stop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Shutdown {
    /// All rows are cut and uploaded before.
    pub(crate) flush: bool,
    /// The next start is another node.
    pub(crate) forget_identity: bool,
    /// The whole process stops, and not the ingester alone.
    pub(crate) terminate: bool,
}

/// What a node is made of.
pub(crate) struct Parts {
    pub(crate) id: NodeId,
    pub(crate) scope: Scope,
    pub(crate) env: Env,
    pub(crate) limits: TenantLimits,
    pub(crate) members: Members,
    pub(crate) here: Address,
    pub(crate) replication: usize,
    pub(crate) bounds: Bounds,
    pub(crate) synced: bool,
    pub(crate) metrics: Metrics,
    pub(crate) log: Log<Waiting>,
    pub(crate) dir: Arc<dyn Dir>,
    pub(crate) store: Store,
    pub(crate) catalog: Catalog,
    pub(crate) uploading: UploadSettings,
    /// With what came back from the log.
    pub(crate) replayed: Replayed,
}

impl Node {
    pub(crate) fn new(parts: Parts) -> Self {
        let Parts {
            id,
            scope,
            env,
            limits,
            members,
            here,
            replication,
            bounds,
            synced,
            metrics,
            log,
            dir,
            store,
            catalog,
            uploading,
            replayed,
        } = parts;
        let started = env.clock.now();
        let rewrites = Rewrites::new(env.clone(), uploading.longest_wait);
        let node = Self {
            id,
            scope,
            env,
            limits,
            members,
            here,
            replication,
            bounds,
            started,
            synced,
            metrics,
            log,
            buffers: BufferPool::new(IDLE_BUFFER_BYTES),
            dir,
            disk: Disk::new(bounds.disk_bytes, bounds.disk_threshold),
            aside: Budget::new(bounds.aside_bytes),
            store,
            catalog,
            uploading,
            uploads: Queue::default(),
            rewrites,
            handed_over: HandOvers::default(),
            tenants: replayed.tenants,
            tails: Tails::new(bounds.memory_bytes / TAILS_SHARE),
            wake_cutter: Notify::new(),
            wake_remover: Notify::new(),
            rhythm: Rhythm::default(),
            flush_asked: AtomicBool::new(false),
            leaving: AtomicBool::new(false),
            pushes: Pushes::default(),
            shutdown: OnceLock::new(),
            applied: AtomicU64::new(replayed.last),
            held_bytes: AtomicIsize::new(replayed.held_bytes),
        };
        node.aside.add(replayed.aside_bytes);
        for tenant in node.tenants.all() {
            node.wait_for_upload(&tenant, &tenant.shelf.files());
            for handed in tenant.shelf.handed_over() {
                node.disk.add_uploaded(handed.bytes());
                node.handed_over.put(&tenant, handed);
            }
        }
        node
    }

    /// Files that are to be uploaded.
    pub(crate) fn wait_for_upload(&self, tenant: &Arc<Tenant>, files: &[Arc<SegmentFile>]) {
        self.disk.add(files.iter().map(|file| file.bytes).sum());
        self.uploads.put(tenant, files);
    }

    /// From now on no rows are taken; readers are still answered.
    pub(crate) fn leave(&self) {
        self.leaving.store(true, Ordering::SeqCst);
    }

    /// Stops taking rows, and notes how it is to stop. `false` if it is stopping already.
    pub(crate) fn begin_shutdown(&self, shutdown: Shutdown) -> bool {
        let begins = !self.leaving.swap(true, Ordering::SeqCst);
        begins && self.shutdown.set(shutdown).is_ok()
    }

    pub(crate) fn shutdown(&self) -> Option<Shutdown> {
        self.shutdown.get().copied()
    }

    pub(crate) fn is_leaving(&self) -> bool {
        self.leaving.load(Ordering::SeqCst)
    }

    /// Lets a push in, unless no rows are taken any more. It counts until its rows are in memory.
    pub(crate) fn begin_push(&self) -> Result<OnItsWay, CallError> {
        let push = self.pushes.begin();
        if self.is_leaving() { Err(unavailable("Ingester is shutting down")) } else { Ok(push) }
    }

    /// What the store does not have.
    pub(crate) fn left(&self) -> Left {
        Left::of(self)
    }

    /// Room for rows, with what they take besides their bytes. Rows on their way into memory are not
    /// counted; the log's queue bounds those.
    pub(crate) fn check_room(&self, bytes: usize) -> Result<(), CallError> {
        let held = self.held_bytes();
        let most = self.bounds.memory_bytes;
        if held.saturating_add(bytes) <= most {
            return Ok(());
        }
        let text = format!("the ingester holds {held} bytes of rows in memory, of {most} that it may hold");
        Err(CallError::new(ErrorKind::TooMany, text))
    }

    /// Room for what is logged now, until its rows are uploaded.
    pub(crate) fn check_disk(&self) -> Result<(), CallError> {
        self.disk.check_room(self.log.used_bytes(), || self.uploads.failure())
    }

    /// Forgets streams that are idle, tenants that have none and nothing else here, and memory that nobody needs.
    pub(crate) fn forget_idle(&self) {
        let now = self.env.clock.monotonic();
        for tenant in self.tenants.all() {
            tenant.streams.forget_idle(now);
            tenant.feed.forget_if_left(now);
        }
        for tenant in self.tenants.forget_idle() {
            self.held_bytes.fetch_sub(tenant.noted_memory() as isize, Ordering::Relaxed);
            self.metrics.forget_tenant(&tenant.id);
        }
        self.tenants.forget_spares();
    }

    /// How many ingesters share a tenant's streams.
    pub(crate) fn ingesters(&self) -> usize {
        self.members.view().of(Part::Ingester).count()
    }

    /// The last record whose rows readers see.
    pub(crate) fn applied(&self) -> WalPosition {
        WalPosition(self.applied.load(Ordering::Acquire))
    }

    pub(crate) fn set_applied(&self, position: WalPosition) {
        self.applied.store(position.0, Ordering::Release);
    }

    /// Counts what a tenant's rows take in memory now.
    pub(crate) fn note_memory(&self, tenant: &Tenant) {
        self.held_bytes.fetch_add(tenant.memory_change(), Ordering::Relaxed);
    }

    /// All rows, and what tenants take besides.
    pub(crate) fn held_bytes(&self) -> usize {
        let rows = self.held_bytes.load(Ordering::Relaxed).max(0) as usize;
        rows + self.tenants.count() * TENANT_BYTES
    }

    /// What was not uploaded is tried again at once.
    pub(crate) fn hurry_uploads(&self) {
        self.rewrites.hurry();
        self.uploads.hurry();
    }

    /// Wants all rows to be cut, soon.
    pub(crate) fn ask_for_flush(&self) {
        self.flush_asked.store(true, Ordering::Release);
        self.wake_cutter.notify_one();
    }

    /// Whether somebody has asked since this was last looked at.
    pub(crate) fn take_flush(&self) -> bool {
        self.flush_asked.swap(false, Ordering::AcqRel)
    }

    /// Lets go of records that no restart needs.
    pub(crate) fn release_log(&self) {
        // Read first: what is applied from here on is not let go of.
        let mut needed = self.applied().0 + 1;
        for tenant in self.tenants.all() {
            if let Some(oldest) = tenant.shelf.needed() {
                needed = needed.min(oldest.0);
            }
        }
        self.log.release(Position(needed));
    }

    pub(crate) fn ring_digest(&self) -> RingDigest {
        RingDigest(self.members.view().ring_digest())
    }

    /// The head of an answer about rows that are seen after the call.
    pub(crate) fn read_head(&self) -> ReadHead {
        ReadHead {
            node: self.id,
            ring_digest: self.ring_digest(),
            wal_position: self.applied(),
            handed_over: Vec::new(),
            tombstones_applied: Vec::new(),
        }
    }
}

pub(crate) fn unavailable(text: &str) -> CallError {
    CallError::new(ErrorKind::Unavailable, text)
}
