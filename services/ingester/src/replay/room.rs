//! Keeps what is read back within its memory: the largest tenants' rows go into files on the way.

use larch_types::NodeId;
use larch_wal::Dir;
use tracing::{info, warn};

use super::{Replay, Replayed};
use crate::cut::{CutError, write_files};
use crate::tenant::Tenant;

/// Shares of the ceiling at which rows are cut, and down to which: far enough apart that files are large.
const CUT_FROM: f64 = 0.75;
const CUT_DOWN_TO: f64 = 0.25;

/// Where rows go that do not fit.
pub(super) struct Room<'a> {
    dir: &'a dyn Dir,
    node: NodeId,
    ceiling: usize,
    /// From how many bytes on rows are cut.
    cut_from: usize,
}

impl<'a> Room<'a> {
    pub(super) fn new(dir: &'a dyn Dir, node: NodeId, ceiling: usize) -> Self {
        Self { dir, node, ceiling, cut_from: share(ceiling, CUT_FROM) }
    }

    /// The log does not name the files yet. A crash before it does leaves rows in the log and files that the
    /// next start removes.
    pub(super) fn make(&mut self, replay: &Replay, replayed: &mut Replayed) {
        if replayed.held_bytes <= self.cut_from as isize {
            return;
        }
        replay.metrics.replay.flushing.set(1);
        let mut tenants = replayed.tenants.all();
        tenants.sort_by_key(|tenant| std::cmp::Reverse(tenant.shelf.holdings().memory_bytes));
        let mut failed = false;
        for tenant in tenants {
            if replayed.held_bytes <= share(self.ceiling, CUT_DOWN_TO) as isize {
                break;
            }
            if let Err(problem) = self.cut(replay, &tenant) {
                replay.metrics.checkpoints.failed_creations.inc();
                let source = std::error::Error::source(&problem).map(ToString::to_string);
                warn!(tenant = %tenant.id, error = %problem, source, "rows that are read back stay in memory");
                failed = true;
            }
            replayed.held_bytes += tenant.memory_change();
        }
        if failed {
            // Rows must come back all the same; it is tried again when there are some more.
            self.cut_from = replayed.held_bytes.max(0) as usize + self.ceiling / 8;
        }
        replay.metrics.replay.flushing.set(0);
    }

    fn cut(&self, replay: &Replay, tenant: &Tenant) -> Result<(), CutError> {
        tenant.shelf.begin_cut();
        while let Some(cut) = tenant.shelf.oldest_cut() {
            let started = replay.env.clock.monotonic();
            replay.metrics.checkpoints.creations.inc();
            let written = write_files(self.dir, &tenant.id, &cut.rows, &replay.env, self.node)?;
            let files = replay.metrics.cut.count_files(written);
            let bytes = files.iter().map(|file| file.bytes).sum();
            replay.metrics.checkpoints.made(bytes, replay.env.clock.monotonic().since(started));
            replay.metrics.cuts.inc();
            info!(tenant = %tenant.id, rows = cut.rows.held().rows, files = files.len(), "rows cut while the log is read back");
            tenant.shelf.finish_cut(files, None);
        }
        Ok(())
    }
}

fn share(bytes: usize, share: f64) -> usize {
    (bytes as f64 * share) as usize
}
