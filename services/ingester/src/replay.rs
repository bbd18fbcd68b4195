//! Brings the rows of the log back into memory when the process starts.

use std::convert::Infallible;
use std::sync::Arc;

use bytes::Bytes;
use larch_launch::TenantLimits;
use larch_proto::WalPosition;
use larch_runtime::{Env, StartError};
use larch_types::StreamId;
use larch_wal::{Dir, LogMetrics, LogSettings, Recovery};
use tracing::{error, info, warn};

use crate::metrics::Metrics;
use crate::record;
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
    pub(crate) held_bytes: usize,
    /// The last record.
    pub(crate) last: u64,
}

impl Replay {
    /// Takes the log's directory and reads all of it, one record at a time. It blocks.
    pub(crate) fn run(
        self,
        dir: Arc<dyn Dir>,
        settings: LogSettings,
    ) -> Result<(Recovery, Replayed), StartError> {
        let mut recovery = Recovery::open(dir, settings, &self.env, &self.log_metrics)
            .map_err(|error| StartError::caused_by("open the log in ingester.wal.dir", error))?;
        let mut replayed = Replayed::default();
        let started = self.env.clock.monotonic();
        self.metrics.replay_active.set(1);
        let found = recovery
            .replay(|position, record| {
                self.bring_back(&mut replayed, WalPosition(position.0), record);
                Ok::<(), Infallible>(())
            })
            .map_err(|error| StartError::caused_by("read the log back", error))?;
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
        if replayed.held_bytes > self.ceiling {
            let bytes = replayed.held_bytes;
            warn!(bytes, "the log's rows take more memory than ingester.wal.replay_memory_ceiling");
        }
        Ok((recovery, replayed))
    }

    /// A record that means nothing is stepped over, loudly: the others are as good as before.
    fn bring_back(&self, replayed: &mut Replayed, position: WalPosition, bytes: &[u8]) {
        replayed.last = position.0;
        self.metrics.recovered_bytes.add(bytes.len() as u64);
        let push = match record::decode(Bytes::copy_from_slice(bytes)) {
            Ok(push) => push,
            Err(problem) => {
                self.metrics.unreadable_records.inc();
                error!(position = position.0, error = %problem, "a record of the log is skipped");
                return;
            }
        };
        let now = self.env.clock.monotonic();
        let tenant = replayed.tenants.find_or_make(&push.tenant);
        let limits = StreamLimits::of(&self.limits.limits(&push.tenant), 1, 1);
        for stream in &push.request.streams {
            tenant.streams.recall(StreamId::of_canonical(&stream.labels), limits, now);
            self.metrics.recovered_rows.add(stream.entries.len() as u64);
        }
        match tenant.apply(&Arc::new(push.request), position, now) {
            Ok((_, grown)) => replayed.held_bytes += grown,
            Err(problem) => {
                self.metrics.unreadable_records.inc();
                error!(position = position.0, error = %problem, "a record of the log is skipped");
            }
        }
    }
}
