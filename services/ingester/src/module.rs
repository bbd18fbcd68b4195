//! The ingester's life: it reads its log back, takes rows, and leaves.

use std::path::Path;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use futures_util::future::BoxFuture;
use larch_launch::Frame;
use larch_membership::{Member, Part};
use larch_runtime::{Job, Module, Next, Rhythm, Scope, Stage, StartError, spawn_job};
use larch_types::{Monotonic, NodeId, Timestamp};
use larch_wal::{Dir, Log, LogMetrics, LogSettings, SyncMode, forget_node};
use tracing::error;

use crate::append::{Waiting, apply_committed};
use crate::cut::{MOST_LOG_FILES, cut_when_due};
use crate::flush::flush_all;
use crate::http::Marker;
use crate::leaving::Left;
use crate::metrics::Metrics;
use crate::node::{Bounds, Node, Parts, Shutdown};
use crate::patterns::Patterns;
use crate::replay::{Replay, Replayed};
use crate::restate::restate;
use crate::segment_file::blocking;
use crate::service::Door;
use crate::settings::{IngesterSettings, WalSync};
use crate::upload::{UploadSettings, forget_when_due, upload_waiting};

/// How often streams that nobody pushes to any more are forgotten.
const FORGET_EVERY: Duration = Duration::from_mins(1);

pub(crate) struct IngesterModule {
    pub(crate) frame: Frame,
    pub(crate) settings: IngesterSettings,
    pub(crate) metrics: Metrics,
    pub(crate) log_metrics: LogMetrics,
    pub(crate) door: Arc<Door>,
    /// Somebody may ask for a flush on the next stop.
    pub(crate) marker: Marker,
    /// If patterns are mined.
    pub(crate) patterns: Option<Arc<Patterns>>,
    /// Since when it takes rows.
    pub(crate) open_since: OnceLock<Monotonic>,
}

impl Module for IngesterModule {
    fn name(&self) -> &'static str {
        crate::role::NAME
    }

    fn start<'a>(&'a self, scope: &'a Scope) -> BoxFuture<'a, Result<(), StartError>> {
        Box::pin(self.open(scope))
    }

    /// Whoever restarts ingesters one after the other waits for each; a while after it is well, if that is
    /// wanted.
    fn unready(&self) -> Option<String> {
        if self.door.node().is_ok_and(|node| node.is_leaving()) {
            return Some("Ingester not ready: it is shutting down".to_owned());
        }
        let wait = self.settings.lifecycler.min_ready_duration;
        let since = self.open_since.get()?;
        let is_waiting = self.frame.env.clock.monotonic().since(*since) < wait.to_std();
        is_waiting.then(|| format!("Ingester not ready: waiting for {wait} after being ready"))
    }

    fn stop(&self, stage: Stage) -> BoxFuture<'_, ()> {
        Box::pin(async move {
            let Ok(node) = self.door.node() else { return };
            match stage {
                Stage::Refuse => node.leave(),
                Stage::Drain => {}
                Stage::Cut if self.empties_on_stop(node) => {
                    flush_all(node).await;
                    self.marker.clear();
                }
                Stage::Cut => {}
                Stage::Leave => {
                    self.say_what_is_left(node);
                    leave(&self.frame, node);
                }
                Stage::Close => {
                    node.log.close().await;
                    if let Some(Shutdown { forget_identity: true, flush, .. }) = node.shutdown() {
                        forget_identity(node, flush).await;
                    }
                }
            }
        })
    }
}

impl IngesterModule {
    async fn open(&self, scope: &Scope) -> Result<(), StartError> {
        let frame = &self.frame;
        let dir = (frame.open_dir)(Path::new(&self.settings.wal.dir))
            .map_err(|error| StartError::caused_by("open ingester.wal.dir", error))?;
        let blocks = dir.blocks();
        let replay = Replay {
            env: frame.env.clone(),
            limits: frame.limits.clone(),
            metrics: self.metrics.clone(),
            log_metrics: self.log_metrics.clone(),
            ceiling: self.settings.wal.replay_memory_ceiling.as_usize(),
        };
        let settings = self.log_settings(dir.space().map_or(0, |space| space.total));
        let (recovery, replayed) = if blocks {
            let dir = Arc::clone(&dir);
            let reading = tokio::task::spawn_blocking(move || replay.run(&dir, settings));
            reading.await.map_err(|error| StartError::caused_by("read the log back", error))??
        } else {
            replay.run(&dir, settings)?
        };
        let id = recovery.node();
        let (log, committed) = recovery.start(scope);
        let node = self.node(id, scope, log, dir, replayed);
        scope.spawn("ingester-apply", apply_committed(Arc::clone(&node), committed));
        // What was found and is not named yet; what fails is said and tried again.
        restate(&node).await;
        scope.spawn("ingester-upload", upload_waiting(Arc::clone(&node), scope.clone()));
        scope.spawn("ingester-forget", forget_when_due(Arc::clone(&node), scope.clone()));
        let max_age = self.settings.max_chunk_age.to_std();
        scope.spawn("ingester-cut", cut_when_due(Arc::clone(&node), max_age, scope.clone()));
        spawn_job(scope, &frame.env, Rhythm::every(FORGET_EVERY), Forget { node: Arc::downgrade(&node) });
        if let Some(patterns) = &self.patterns {
            patterns.start(scope);
        }
        self.metrics.standing.mark(self.marker.is_set());
        self.door.open(node);
        self.metrics.standing.begin_limiting();
        self.open_since.get_or_init(|| frame.env.clock.monotonic());
        frame.local.add_ingester(frame.here.clone(), Arc::clone(&self.door) as Arc<_>);
        frame.local.add_tail(frame.here.clone(), Arc::clone(&self.door) as Arc<_>);
        frame.members.enter(Member { part: Part::Ingester, node: id, address: frame.here.clone() });
        Ok(())
    }

    fn node(
        &self,
        id: NodeId,
        scope: &Scope,
        log: Log<Waiting>,
        dir: Arc<dyn Dir>,
        replayed: Replayed,
    ) -> Arc<Node> {
        let frame = &self.frame;
        Arc::new(Node::new(Parts {
            id,
            scope: scope.clone(),
            env: frame.env.clone(),
            limits: frame.limits.clone(),
            members: frame.members.clone(),
            here: frame.here.clone(),
            replication: frame.settings.common.replication_factor as usize,
            bounds: Bounds {
                memory_bytes: self.settings.wal.replay_memory_ceiling.as_usize(),
                disk_bytes: self.settings.wal.disk_budget.as_u64(),
                aside_bytes: self.settings.wal.set_aside_budget.as_u64(),
                disk_threshold: self.settings.wal.disk_full_threshold,
                named_rows: self.settings.max_returned_stream_errors,
                named_dropped: self.settings.max_dropped_streams as usize,
            },
            synced: self.sync_mode() == SyncMode::Always,
            metrics: self.metrics.clone(),
            log,
            dir,
            store: frame.store.clone(),
            catalog: frame.catalog.clone(),
            uploading: UploadSettings::new(&self.settings),
            replayed,
        }))
    }

    /// Whether a stop leaves nothing on this disk that the store does not have.
    fn empties_on_stop(&self, node: &Node) -> bool {
        let wal = &self.settings.wal;
        let is_usual = wal.flush_on_shutdown || !wal.enabled || self.marker.is_set();
        node.shutdown().map_or(is_usual, |shutdown| shutdown.flush)
    }

    /// Where a stop was to put all into the store and could not, in the time that it has.
    fn say_what_is_left(&self, node: &Node) {
        let left = node.left();
        if !left.is_nothing() && self.empties_on_stop(node) {
            let Left { rows, files, pushes } = left;
            error!(
                rows,
                files,
                pushes,
                dir = self.settings.wal.dir,
                "rows are not in the store, and are lost if ingester.wal.dir is; the next start goes on with them"
            );
        }
    }

    fn sync_mode(&self) -> SyncMode {
        let wal = &self.settings.wal;
        match wal.sync {
            // The log is how rows come in; without it they still survive a crash of the process.
            _ if !wal.enabled => SyncMode::Never,
            WalSync::Always => SyncMode::Always,
            WalSync::Interval => SyncMode::Interval(wal.sync_interval.to_std()),
            WalSync::Never => SyncMode::Never,
        }
    }

    /// `disk_bytes` is what the disk holds, or 0 if that is not known.
    fn log_settings(&self, disk_bytes: u64) -> LogSettings {
        let wal = &self.settings.wal;
        LogSettings {
            sync: self.sync_mode(),
            file_bytes: log_file_bytes(wal.disk_budget.as_u64(), disk_bytes),
            full_threshold: wal.disk_full_threshold,
            ..LogSettings::default()
        }
    }
}

/// The log is given back file by file, and rows are cut for it once there are more files than may be kept. These
/// are half of the budget or of the disk then; the other half is for segment files. 0 is no bound.
fn log_file_bytes(budget: u64, disk: u64) -> u64 {
    let usual = LogSettings::default().file_bytes;
    let room = [budget, disk].into_iter().filter(|bytes| *bytes > 0).min();
    room.map_or(usual, |room| usual.min(room / (2 * MOST_LOG_FILES as u64)))
}

/// Nobody is sent here any more.
///
/// All who read are in this process: its catalog has what was uploaded last, and what is in memory only goes with
/// them. Once others read, a member that leaves has to be asked until every view of theirs has its uploads, which is
/// as long as it names them, and one that leaves with rows has to count as one that does not answer.
pub(crate) fn leave(frame: &Frame, node: &Node) {
    frame.members.leave(Part::Ingester, node.id);
    frame.local.remove(&frame.here);
}

/// The next start makes another id. Where rows were to go before and have not, they stay those of this node.
async fn forget_identity(node: &Node, is_to_be_empty: bool) {
    let left = node.left();
    if is_to_be_empty && !left.is_nothing() {
        let Left { rows, files, pushes } = left;
        error!(node = %node.id, rows, files, pushes, "rows are not in the store, and the node's id stays");
        return;
    }
    let dir = Arc::clone(&node.dir);
    let forgotten = blocking(&*node.dir, move || forget_node(&*dir)).await;
    let failed = match forgotten {
        Ok(Ok(())) => return,
        Ok(Err(problem)) => problem.to_string(),
        Err(problem) => problem.to_string(),
    };
    error!(node = %node.id, error = %failed, "the node's id stays");
}

/// Gives back what nobody needs any more.
struct Forget {
    node: std::sync::Weak<Node>,
}

impl Job for Forget {
    const NAME: &'static str = "ingester-forget";

    async fn run_once(&mut self, _: Timestamp) -> Next {
        let Some(node) = self.node.upgrade() else { return Next::Stop };
        node.forget_idle();
        Next::Wait
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_of_the_log_are_little_of_what_there_is() {
        for (budget, disk, want) in [
            (0, 0, 64 << 20),
            (1 << 40, 1 << 40, 64 << 20),
            (400, 0, 25),
            (400, 1 << 40, 25),
            (0, 400, 25),
            (1 << 40, 400, 25),
        ] {
            assert_eq!(log_file_bytes(budget, disk), want, "{budget} {disk}");
        }
    }
}
