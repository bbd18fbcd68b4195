//! Brings back what tenants had when the process starts: segment files, and from the log what is not in
//! them.

mod copies;
mod files;
mod known;
mod room;

use std::collections::HashSet;
use std::convert::Infallible;
use std::sync::Arc;

use bytes::Bytes;
use larch_launch::TenantLimits;
use larch_proto::{AppendRequest, WalPosition};
use larch_runtime::{Env, StartError};
use larch_types::{StreamId, TenantId};
use larch_wal::{Dir, LogMetrics, LogSettings, Position, Recovery};
use tracing::{error, info};

use crate::metrics::Metrics;
use crate::record::{self, Content, Record, RecordError};
use crate::streams::StreamLimits;
use crate::tenant::Taken;
use crate::tenants::Tenants;
use files::Restore;
use known::Known;
use room::Room;

/// What reading the log back needs of the process.
pub(crate) struct Replay {
    pub(crate) env: Env,
    pub(crate) limits: TenantLimits,
    pub(crate) metrics: Metrics,
    pub(crate) log_metrics: LogMetrics,
    /// Memory that rows do not exceed: what would goes into files.
    pub(crate) ceiling: usize,
}

/// What was read back.
#[derive(Default)]
pub(crate) struct Replayed {
    pub(crate) tenants: Tenants,
    pub(crate) held_bytes: isize,
    /// Of copies of rows that were set aside.
    pub(crate) aside_bytes: u64,
    /// The last record.
    pub(crate) last: u64,
}

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
        self.metrics.replay.active.set(1);
        // Twice, because a cut stands behind the pushes that it makes superfluous.
        let mut known = Known::default();
        let first = read_back(&mut recovery, |position, bytes| learn(&mut known, position, bytes))?;
        // A log that lost something may have lost the record that names a file, which is then the only copy
        // of its rows.
        let is_whole = first.records > 0 && first.corruptions == 0;
        let recovered = self.metrics.replay.files.clone();
        let restore = Restore { dir: &**dir, known, is_whole, now: started, recovered };
        let known = restore.run(&replayed.tenants)?;
        let node = recovery.node();
        let aside = copies::bring_back(&self, &**dir, node, &known, &mut replayed)?;
        // Files that were removed on the way stay away.
        dir.sync().map_err(|error| StartError::caused_by("sync ingester.wal.dir", error))?;
        let mut room = Room::new(&**dir, node, self.ceiling);
        let found = read_back(&mut recovery, |position, bytes| {
            self.bring_back(&mut replayed, &known, &aside, WalPosition(position.0), bytes);
            room.make(&self, &mut replayed);
            self.metrics.replay.memory.set(replayed.held_bytes as i64);
        })?;
        self.metrics.replay.memory.set(0);
        self.metrics.replay.active.set(0);
        let took = self.env.clock.monotonic().since(started);
        self.metrics.replay.seconds.set(took.as_secs_f64());
        for tenant in replayed.tenants.all() {
            self.metrics.replay.streams.add(tenant.streams.counts().active as u64);
        }
        info!(
            node = %recovery.node(),
            records = found.records,
            bytes = found.bytes,
            corruptions = found.corruptions,
            torn_bytes = found.torn_bytes,
            duration = ?took,
            "log read back"
        );
        Ok((recovery, replayed))
    }

    /// A record that means nothing is stepped over, loudly: the others are as good as before.
    fn bring_back(
        &self,
        replayed: &mut Replayed,
        known: &Known,
        aside: &HashSet<WalPosition>,
        position: WalPosition,
        bytes: &[u8],
    ) {
        replayed.last = position.0;
        self.metrics.replay.bytes.add(bytes.len() as u64);
        match decode(bytes) {
            Ok(Record { tenant, content: Content::Push(push) }) => {
                if known.upto(&tenant) < position && !aside.contains(&position) {
                    self.apply(replayed, &tenant, position, push);
                }
            }
            Ok(_) => {}
            Err(problem) => {
                self.metrics.replay.unreadable_records.inc();
                error!(position = position.0, error = %problem, "a record of the log is skipped");
            }
        }
    }

    fn apply(&self, replayed: &mut Replayed, tenant: &TenantId, position: WalPosition, push: AppendRequest) {
        let now = self.env.clock.monotonic();
        let limits = self.limits.limits(tenant);
        let tenant = replayed.tenants.find_or_make(tenant);
        for stream in &push.streams {
            let of_policy = StreamLimits::of(&limits, &stream.policy, 1, 1);
            let id = StreamId::of_canonical(&stream.labels);
            tenant.streams.recall(id, stream.labels.len(), of_policy, now);
        }
        let rows = push.streams.iter().map(|stream| stream.entries.len() as u64).sum();
        match tenant.apply(&Arc::new(push), position, now) {
            Ok(Taken { duplicates, unfit }) => {
                self.metrics.count_unfit(&tenant.id, position, unfit);
                self.metrics.replay.rows.add(rows - unfit);
                self.metrics.replay.duplicates.add(duplicates.iter().map(|one| one.rows).sum());
            }
            Err(problem) => {
                self.metrics.replay.unreadable_records.inc();
                self.metrics.replay.count_discarded(rows);
                error!(position = position.0, error = %problem, "a record of the log is skipped");
            }
        }
        replayed.held_bytes += tenant.memory_change();
    }
}

fn learn(known: &mut Known, position: Position, bytes: &[u8]) {
    // What means nothing is counted and said when the record comes again.
    if record::is_about_files(bytes)
        && let Ok(record) = decode(bytes)
    {
        known.learn(WalPosition(position.0), record);
    }
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
