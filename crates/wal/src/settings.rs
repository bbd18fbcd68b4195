//! What whoever keeps a log may choose.

use std::time::Duration;

use crate::frame::MAX_RECORD_BYTES;

/// When the disk is told to keep what was written. Records that make room are durable when they are handed out in
/// all modes, with all that is before them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SyncMode {
    /// Before a record is handed out: what was handed out survives a loss of power.
    Always,
    /// So often: a loss of power takes that much with it, a crash of the process nothing.
    Interval(Duration),
    /// When the system pleases, when a file ends, and when the log is closed.
    Never,
}

impl SyncMode {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Always => "always",
            Self::Interval(_) => "interval",
            Self::Never => "never",
        }
    }
}

#[derive(Debug, Clone, PartialEq)]
pub struct LogSettings {
    pub sync: SyncMode,
    /// A file that would grow beyond this ends, and a new one begins.
    pub file_bytes: u64,
    /// Room for all files of the log; 0 leaves it to the disk.
    pub budget_bytes: u64,
    /// Share of the budget and of the disk from which records are refused, but for those that make room; 0
    /// looks at the budget alone, and lets it be used up.
    pub full_threshold: f64,
    /// How much may wait to be written. Whoever comes then is refused at once.
    pub queue_bytes: u64,
    pub queue_records: usize,
}

impl Default for LogSettings {
    fn default() -> Self {
        Self {
            sync: SyncMode::Always,
            // Small enough that rows which hold an old file alive hold little, large enough that files are
            // begun once in seconds at most.
            file_bytes: 64 << 20,
            budget_bytes: 0,
            full_threshold: 0.85,
            // A second of a fast disk, and one record of any length.
            queue_bytes: MAX_RECORD_BYTES as u64,
            queue_records: 10_000,
        }
    }
}

impl LogSettings {
    /// Bytes from which records are refused. Those that make room may use the rest.
    pub(crate) fn budget_limit(&self, makes_room: bool) -> Option<u64> {
        if self.budget_bytes == 0 {
            return None;
        }
        if makes_room || self.full_threshold <= 0.0 {
            return Some(self.budget_bytes);
        }
        Some((self.budget_bytes as f64 * self.full_threshold.min(1.0)) as u64)
    }

    /// A budget is spent in files, and only whole files are given back.
    pub(crate) fn file_limit(&self) -> u64 {
        // An eighth, so that the one file that is being written is little of what is held.
        if self.budget_bytes == 0 { self.file_bytes } else { self.file_bytes.min(self.budget_bytes / 8) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_budget_keeps_a_reserve() {
        let settings = LogSettings { budget_bytes: 1000, ..LogSettings::default() };
        assert_eq!(settings.budget_limit(false), Some(850));
        assert_eq!(settings.budget_limit(true), Some(1000));
        assert_eq!(settings.file_limit(), 125);
        let all = LogSettings { full_threshold: 0.0, ..settings };
        assert_eq!(all.budget_limit(false), Some(1000));
        let none = LogSettings::default();
        assert_eq!(none.budget_limit(false), None);
        assert_eq!(none.file_limit(), 64 << 20);
    }
}
