//! Brings back what tenants had when the process starts: segment files, and from the log what is not in
//! them.

use std::collections::{HashMap, HashSet};
use std::convert::Infallible;
use std::io;
use std::sync::Arc;

use bytes::Bytes;
use larch_launch::TenantLimits;
use larch_proto::{AppendRequest, WalPosition};
use larch_runtime::{Env, StartError};
use larch_types::{StreamId, TenantId};
use larch_wal::{Dir, FileName, LogMetrics, LogSettings, Position, Recovery};
use tracing::{error, info, warn};

use crate::metrics::Metrics;
use crate::record::{self, Content, Cut, Record, RecordError};
use crate::segment_file::{SegmentFile, file_name, parse_name};
use crate::streams::StreamLimits;
use crate::tenants::Tenants;

/// What reading the log back needs of the process.
pub(crate) struct Replay {
    pub(crate) env: Env,
    pub(crate) limits: TenantLimits,
    pub(crate) metrics: Metrics,
    pub(crate) log_metrics: LogMetrics,
    /// Memory that rows should not exceed.
    pub(crate) ceiling: usize,
}

/// What was read back.
#[derive(Default)]
pub(crate) struct Replayed {
    pub(crate) tenants: Tenants,
    pub(crate) held_bytes: isize,
    /// The last record.
    pub(crate) last: u64,
}

/// The last cut of each tenant, and the position of the record that says so.
type Cuts = HashMap<TenantId, (Cut, WalPosition)>;

impl Replay {
    /// Takes the log's directory and reads all of it, one record at a time. It blocks.
    pub(crate) fn run(
        self,
        dir: &Arc<dyn Dir>,
        settings: LogSettings,
    ) -> Result<(Recovery, Replayed), StartError> {
        let mut recovery = Recovery::open(Arc::clone(dir), settings, &self.env, &self.log_metrics)
            .map_err(|error| StartError::caused_by("open the log in ingester.wal.dir", error))?;
        let mut replayed = Replayed::default();
        let started = self.env.clock.monotonic();
        self.metrics.replay_active.set(1);
        // Twice, because a cut stands behind the pushes that it makes superfluous.
        let mut cuts = Cuts::new();
        let first = read_back(&mut recovery, |position, bytes| find_cut(&mut cuts, position, bytes))?;
        let others = restore_files(&**dir, &cuts, &replayed)?;
        // A log that lost something may have lost the record that names a file, which is then the only copy
        // of its rows.
        let is_whole = first.records > 0 && first.corruptions == 0;
        settle_others(&**dir, others, is_whole)?;
        let found = read_back(&mut recovery, |position, bytes| {
            self.bring_back(&mut replayed, &cuts, WalPosition(position.0), bytes);
        })?;
        self.metrics.replay_active.set(0);
        let took = self.env.clock.monotonic().since(started);
        info!(
            node = %recovery.node(),
            records = found.records,
            bytes = found.bytes,
            corruptions = found.corruptions,
            torn_bytes = found.torn_bytes,
            duration = ?took,
            "log read back"
        );
        if replayed.held_bytes > self.ceiling as isize {
            let bytes = replayed.held_bytes;
            warn!(bytes, "the log's rows take more memory than ingester.wal.replay_memory_ceiling");
        }
        Ok((recovery, replayed))
    }

    /// A record that means nothing is stepped over, loudly: the others are as good as before.
    fn bring_back(&self, replayed: &mut Replayed, cuts: &Cuts, position: WalPosition, bytes: &[u8]) {
        replayed.last = position.0;
        self.metrics.recovered_bytes.add(bytes.len() as u64);
        match decode(bytes) {
            Ok(Record { tenant, content: Content::Push(push) }) => {
                if cuts.get(&tenant).is_none_or(|(cut, _)| cut.position < position) {
                    self.apply(replayed, &tenant, position, push);
                }
            }
            Ok(Record { content: Content::Cut(_), .. }) => {}
            Err(problem) => {
                self.metrics.unreadable_records.inc();
                error!(position = position.0, error = %problem, "a record of the log is skipped");
            }
        }
    }

    fn apply(&self, replayed: &mut Replayed, tenant: &TenantId, position: WalPosition, push: AppendRequest) {
        let now = self.env.clock.monotonic();
        let limits = StreamLimits::of(&self.limits.limits(tenant), 1, 1);
        let tenant = replayed.tenants.find_or_make(tenant);
        for stream in &push.streams {
            tenant.streams.recall(StreamId::of_canonical(&stream.labels), limits, now);
            self.metrics.recovered_rows.add(stream.entries.len() as u64);
        }
        if let Err(problem) = tenant.apply(&Arc::new(push), position, now) {
            self.metrics.unreadable_records.inc();
            error!(position = position.0, error = %problem, "a record of the log is skipped");
        }
        replayed.held_bytes += tenant.memory_change();
    }
}

fn find_cut(cuts: &mut Cuts, position: Position, bytes: &[u8]) {
    // What means nothing is counted and said when the record comes again.
    if record::is_cut(bytes)
        && let Ok(Record { tenant, content: Content::Cut(cut) }) = decode(bytes)
    {
        cuts.insert(tenant, (cut, WalPosition(position.0)));
    }
}

/// Puts the files that the log names back. Gives the others: their names, and whether they were finished.
fn restore_files(
    dir: &dyn Dir,
    cuts: &Cuts,
    replayed: &Replayed,
) -> Result<Vec<(FileName, bool)>, StartError> {
    let mut found = HashSet::new();
    let mut others = Vec::new();
    for name in dir.list().map_err(failed)? {
        match parse_name(&name) {
            Some((id, true)) => drop(found.insert(id)),
            Some((_, false)) => others.push((name, false)),
            None => {}
        }
    }
    for (tenant, (cut, described)) in cuts {
        for id in &cut.files {
            // Without it, answers would be silent about its rows.
            if !found.remove(id) {
                return Err(StartError::new(format!("segment file {id} is not in ingester.wal.dir")));
            }
        }
        let files = cut.files.iter().map(|id| Arc::new(SegmentFile::new(*id))).collect();
        replayed.tenants.find_or_make(tenant).shelf.restore(files, *described, cut.position);
    }
    others.extend(found.into_iter().map(|id| (file_name(id), true)));
    Ok(others)
}

/// Removes files that the log does not name, because their rows are in the log: those that were not finished
/// always, finished ones only if the log has lost nothing. Others stay, and are said.
fn settle_others(dir: &dyn Dir, others: Vec<(FileName, bool)>, is_whole: bool) -> Result<(), StartError> {
    for (name, is_finished) in others {
        if is_finished && !is_whole {
            error!(file = %name, "the log is damaged and does not name this segment file; it is kept, and not read");
            continue;
        }
        info!(file = %name, "a segment file that the log does not name is removed");
        dir.remove(&name).map_err(failed)?;
    }
    Ok(())
}

fn failed(error: io::Error) -> StartError {
    StartError::caused_by("look through ingester.wal.dir", error)
}

fn decode(bytes: &[u8]) -> Result<Record, RecordError> {
    record::decode(Bytes::copy_from_slice(bytes))
}

fn read_back(
    recovery: &mut Recovery,
    mut visit: impl FnMut(Position, &[u8]),
) -> Result<larch_wal::Replayed, StartError> {
    let visited = recovery.replay(|position, bytes| {
        visit(position, bytes);
        Ok::<(), Infallible>(())
    });
    visited.map_err(|error| StartError::caused_by("read the log back", error))
}
