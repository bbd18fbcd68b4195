//! The ingester's write-ahead log.

use larch_types::{ByteSize, InvalidSetting, Span, ensure};
use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct WalSettings {
    /// Off means the same as `sync: never`: rows are written to the log all the same, because that is how
    /// they come in.
    pub enabled: bool,
    /// Directory of the log, and of segments that wait for their upload.
    pub dir: String,
    /// When the disk is told to keep what was written.
    pub sync: WalSync,
    /// How often, with `sync: interval`.
    pub sync_interval: Span,
    /// Cuts and uploads all rows when the process stops.
    pub flush_on_shutdown: bool,
    /// Memory for rows that are read back at start; over it they are cut.
    pub replay_memory_ceiling: ByteSize,
    /// Most bytes of the log and of segment files beside it; 0 leaves it to the disk.
    pub disk_budget: ByteSize,
    /// Most bytes, besides, of files with rows of tenants whose rows cannot be cut.
    pub set_aside_budget: ByteSize,
    /// Share of the budget and of the disk, from 0 to 1, from which pushes are refused; 0 means never.
    pub disk_full_threshold: f64,
}

/// When the disk is told to keep what was written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum WalSync {
    /// Before a push is answered: what was answered survives a loss of power.
    #[default]
    Always,
    /// Every `sync_interval`: a loss of power takes that much with it, a crash of the process nothing.
    Interval,
    /// When the system pleases.
    Never,
}

impl Default for WalSettings {
    fn default() -> Self {
        Self {
            enabled: true,
            dir: "wal".to_owned(),
            sync: WalSync::default(),
            sync_interval: Span::from_secs(1),
            flush_on_shutdown: false,
            replay_memory_ceiling: ByteSize::gib(4),
            disk_budget: ByteSize::bytes(0),
            // A few tenants of usual size: their rows stay in memory too, of which this is an eighth.
            set_aside_budget: ByteSize::mib(512),
            // Loki takes 0.9. The rest of the disk is needed for cutting what the log holds.
            disk_full_threshold: 0.85,
        }
    }
}

impl WalSettings {
    pub(super) fn check_at(&self, at: &str) -> Result<(), InvalidSetting> {
        ensure(!self.enabled || !self.dir.is_empty(), &format!("{at}dir"), "is missing")?;
        ensure(self.sync_interval > Span::ZERO, &format!("{at}sync_interval"), "must be above 0")?;
        let ceiling = self.replay_memory_ceiling.as_u64();
        ensure(ceiling > 0, &format!("{at}replay_memory_ceiling"), "must be above 0")?;
        ensure(
            (0.0..=1.0).contains(&self.disk_full_threshold),
            &format!("{at}disk_full_threshold"),
            "must be between 0 and 1",
        )
    }
}
