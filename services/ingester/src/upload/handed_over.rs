//! What was announced a while ago: named to readers until every view of the catalog has it, then forgotten.

use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::pin::pin;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::future::select;
use larch_proto::{SegmentEntry, WalPosition};
use larch_runtime::Scope;
use larch_types::{Monotonic, SegmentId, TenantId};
use larch_wal::Dir;
use tracing::warn;

use crate::node::Node;
use crate::note::{NoteError, begin_note};
use crate::record::encode_forgotten;
use crate::segment_file::{SegmentFile, blocking};
use crate::tenant::Tenant;

/// How often it is looked for files that may go.
const LOOK_EVERY: Duration = Duration::from_secs(5);

/// A file whose segment the catalog has.
pub(crate) struct HandedOver {
    file: Arc<SegmentFile>,
    pub(crate) entry: SegmentEntry,
    since: Monotonic,
    /// The record that says so.
    logged: AtomicU64,
    /// The file is gone, and the segment is named all the same.
    is_removed: AtomicBool,
}

impl HandedOver {
    pub(crate) fn new(
        file: Arc<SegmentFile>,
        entry: SegmentEntry,
        since: Monotonic,
        logged: WalPosition,
    ) -> Self {
        let (logged, is_removed) = (AtomicU64::new(logged.0), AtomicBool::new(false));
        Self { file, entry, since, logged, is_removed }
    }

    /// One whose file an earlier life has removed.
    pub(crate) fn without_file(
        file: Arc<SegmentFile>,
        entry: SegmentEntry,
        since: Monotonic,
        logged: WalPosition,
    ) -> Self {
        Self { is_removed: AtomicBool::new(true), ..Self::new(file, entry, since, logged) }
    }

    pub(crate) fn file(&self) -> SegmentId {
        self.file.id()
    }

    pub(crate) fn bytes(&self) -> u64 {
        self.file.bytes
    }

    pub(crate) fn logged(&self) -> WalPosition {
        WalPosition(self.logged.load(Ordering::Acquire))
    }

    /// The record was written again.
    pub(crate) fn log_again(&self, logged: WalPosition) {
        self.logged.store(logged.0, Ordering::Release);
    }

    fn is_removed(&self) -> bool {
        self.is_removed.load(Ordering::Acquire)
    }

    /// Whether somebody who began before it was announced still reads it.
    fn is_read(&self) -> bool {
        Arc::strong_count(&self.file) > 1
    }
}

/// All that is named at present, the oldest first.
#[derive(Default)]
pub(crate) struct HandOvers {
    named: Mutex<VecDeque<Named>>,
    /// Not named any more, with files that could not be removed.
    unnamed: Mutex<Vec<Named>>,
}

#[derive(Clone)]
struct Named {
    tenant: Arc<Tenant>,
    handed: Arc<HandedOver>,
}

impl HandOvers {
    fn lock(&self) -> MutexGuard<'_, VecDeque<Named>> {
        self.named.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn unnamed(&self) -> MutexGuard<'_, Vec<Named>> {
        self.unnamed.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn put(&self, tenant: &Arc<Tenant>, handed: Arc<HandedOver>) {
        self.lock().push_back(Named { tenant: Arc::clone(tenant), handed });
    }

    /// Takes those out that were named for long enough and that nobody reads.
    fn take_due(&self, now: Monotonic, keep: Duration) -> Vec<Named> {
        let mut all = self.lock();
        let due = all.partition_point(|named| now.since(named.handed.since) >= keep);
        let mut taken = Vec::new();
        let mut read = VecDeque::new();
        for named in all.drain(..due) {
            if named.handed.is_read() {
                read.push_back(named);
            } else {
                taken.push(named);
            }
        }
        read.append(&mut all);
        *all = read;
        taken
    }

    /// The oldest whose files are there and that nobody reads, of so many bytes or a little more.
    fn oldest_files(&self, mut bytes: u64) -> Vec<Named> {
        let mut oldest = Vec::new();
        for named in self.lock().iter() {
            if bytes == 0 {
                break;
            }
            let handed = &named.handed;
            if !handed.is_removed() && !handed.is_read() {
                bytes = bytes.saturating_sub(handed.file.bytes);
                oldest.push(named.clone());
            }
        }
        oldest
    }
}

/// Forgets what was named for long enough, and makes room on the disk, until the scope is asked to stop.
pub(crate) async fn forget_when_due(node: Arc<Node>, scope: Scope) {
    loop {
        let woken = pin!(node.wake_remover.notified());
        let pause = pin!(node.env.sleep(LOOK_EVERY));
        if scope.until_cancelled(select(woken, pause)).await.is_none() {
            return;
        }
        forget(&node, node.handed_over.take_due(node.env.clock.monotonic(), node.uploading.keep)).await;
        make_room(&node).await;
    }
}

/// First the log says that they are named no more, then the files go: a start would miss a file that the log
/// still names.
async fn forget(node: &Node, due: Vec<Named>) {
    let mut by_tenant: BTreeMap<TenantId, Vec<Named>> = BTreeMap::new();
    for named in due {
        by_tenant.entry(named.tenant.id.clone()).or_default().push(named);
    }
    let mut forgotten = Vec::new();
    for named in by_tenant.into_values() {
        match log_forgotten(node, &named).await {
            Ok(()) => forgotten.extend(named),
            Err(problem) => {
                warn!(tenant = %named[0].tenant.id, error = %problem, "uploaded segment files stay for now");
                // They are the oldest there are.
                let mut all = node.handed_over.lock();
                named.into_iter().rev().for_each(|one| all.push_front(one));
            }
        }
    }
    for Named { tenant, handed } in &forgotten {
        tenant.shelf.forget(handed.file());
        node.tails.forget(handed.file());
    }
    forgotten.append(&mut node.handed_over.unnamed());
    remove_files(node, &forgotten).await;
    forgotten.retain(|named| !named.handed.is_removed());
    node.handed_over.unnamed().append(&mut forgotten);
}

async fn log_forgotten(node: &Node, named: &[Named]) -> Result<(), NoteError> {
    let Some(first) = named.first() else { return Ok(()) };
    let files: Vec<SegmentId> = named.iter().map(|one| one.handed.file()).collect();
    let record = encode_forgotten(&first.tenant.id, &files);
    // Behind every record that names them.
    let noting = first.tenant.shelf.in_order(|| begin_note(node, record))?;
    noting.done().await.map(|_| ())
}

/// Files that are uploaded serve nobody. Where the disk is short of room they go before their time, and their
/// segments are named all the same.
async fn make_room(node: &Node) {
    let short_of = node.disk.short_of(node.log.used_bytes());
    let excess = short_of.max(disk_excess(node).await);
    if excess > 0 {
        remove_files(node, &node.handed_over.oldest_files(excess)).await;
    }
}

/// Bytes beyond what the disk may hold before pushes are nearly refused.
async fn disk_excess(node: &Node) -> u64 {
    let dir = Arc::clone(&node.dir);
    match blocking(&*node.dir, move || dir.space()).await {
        Ok(Ok(space)) => node.disk.excess(space),
        // The log finds out by itself, and says so.
        Ok(Err(_)) | Err(_) => 0,
    }
}

/// What stays counts, and is tried again at the next look or by the next start.
async fn remove_files(node: &Node, named: &[Named]) {
    let there = named.iter().map(|named| &named.handed).filter(|handed| !handed.is_removed());
    let files: Vec<Arc<HandedOver>> = there.cloned().collect();
    if files.is_empty() {
        return;
    }
    let dir = Arc::clone(&node.dir);
    node.metrics.checkpoints.deletions.inc();
    let problem = match blocking(&*node.dir, move || remove_durably(&*dir, files)).await {
        Ok(Removed { gone, problem }) => {
            for handed in gone {
                handed.is_removed.store(true, Ordering::Release);
                node.disk.remove(handed.file.bytes);
            }
            problem.map(|problem| problem.to_string())
        }
        Err(problem) => Some(problem.to_string()),
    };
    if let Some(problem) = problem {
        node.metrics.checkpoints.failed_deletions.inc();
        warn!(error = %problem, "uploaded segment files are not removed");
    }
}

struct Removed {
    /// For good.
    gone: Vec<Arc<HandedOver>>,
    /// The first.
    problem: Option<io::Error>,
}

/// One that cannot be removed keeps no other. It blocks.
fn remove_durably(dir: &dyn Dir, files: Vec<Arc<HandedOver>>) -> Removed {
    let mut removed = Removed { gone: Vec::with_capacity(files.len()), problem: None };
    for handed in files {
        match dir.remove(handed.file.name()) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                removed.problem.get_or_insert(error);
            }
            _ => removed.gone.push(handed),
        }
    }
    match dir.sync() {
        Ok(()) => removed,
        Err(error) => Removed { gone: Vec::new(), problem: Some(error) },
    }
}
