//! What log and segment files take on the disk, and what they may.

use std::sync::atomic::{AtomicU64, Ordering};

use larch_rpc::CallError;
use larch_types::ErrorKind;
use larch_wal::Space;

/// Uploaded files go before their time where less than this share of what may be taken is left: well before
/// pushes are refused.
const SHORT_OF_ROOM: f64 = 0.9;

/// Segment files beside the log.
pub(crate) struct Disk {
    /// Of files that are not uploaded.
    waiting: AtomicU64,
    /// Of files that are, and are still there.
    uploaded: AtomicU64,
    /// For log and files; 0 leaves it to the disk.
    budget: u64,
    /// Share of the budget and of the disk from which pushes are refused; 0 means never.
    threshold: f64,
}

impl Disk {
    pub(crate) const fn new(budget: u64, threshold: f64) -> Self {
        Self { waiting: AtomicU64::new(0), uploaded: AtomicU64::new(0), budget, threshold }
    }

    pub(crate) fn waiting(&self) -> u64 {
        self.waiting.load(Ordering::Relaxed)
    }

    pub(crate) fn uploaded(&self) -> u64 {
        self.uploaded.load(Ordering::Relaxed)
    }

    /// A file that waits for its upload.
    pub(crate) fn add(&self, bytes: u64) {
        self.waiting.fetch_add(bytes, Ordering::Relaxed);
    }

    /// A file that an earlier life uploaded.
    pub(crate) fn add_uploaded(&self, bytes: u64) {
        self.uploaded.fetch_add(bytes, Ordering::Relaxed);
    }

    pub(crate) fn hand_over(&self, bytes: u64) {
        self.waiting.fetch_sub(bytes, Ordering::Relaxed);
        self.uploaded.fetch_add(bytes, Ordering::Relaxed);
    }

    pub(crate) fn remove(&self, bytes: u64) {
        self.uploaded.fetch_sub(bytes, Ordering::Relaxed);
    }

    /// Whether rows may come in while the log takes so many bytes. `failure` says why uploads do not get on.
    pub(crate) fn check_room(
        &self,
        log_bytes: u64,
        failure: impl FnOnce() -> Option<String>,
    ) -> Result<(), CallError> {
        let Some(limit) = self.limit() else { return Ok(()) };
        let waiting = self.waiting();
        let used = log_bytes + waiting + self.uploaded();
        if used <= limit {
            return Ok(());
        }
        let mut text = format!(
            "log and segment files take {used} bytes, and beyond {limit} no rows are taken; {waiting} bytes wait \
             for their upload"
        );
        if let Some(failure) = failure() {
            text.push_str(", which fails: ");
            text.push_str(&failure);
        }
        Err(CallError::new(ErrorKind::TooMany, text))
    }

    /// Bytes of the budget from which pushes are refused; the rest is for cuts.
    fn limit(&self) -> Option<u64> {
        let share = if self.threshold > 0.0 { self.threshold.min(1.0) } else { 1.0 };
        (self.budget > 0).then_some((self.budget as f64 * share) as u64)
    }

    /// Bytes to be given back so that the budget is not nearly used up.
    pub(crate) fn short_of(&self, log_bytes: u64) -> u64 {
        let Some(limit) = self.limit() else { return 0 };
        let used = log_bytes + self.waiting() + self.uploaded();
        used.saturating_sub((limit as f64 * SHORT_OF_ROOM) as u64)
    }

    /// The same for the disk.
    pub(crate) fn excess(&self, space: Space) -> u64 {
        if self.threshold <= 0.0 {
            return 0;
        }
        let used = space.total.saturating_sub(space.available);
        used.saturating_sub((space.total as f64 * self.threshold.min(1.0) * SHORT_OF_ROOM) as u64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_budget_is_for_log_and_files_together() {
        let disk = Disk::new(1000, 0.8);
        disk.add(500);
        assert!(disk.check_room(300, || None).is_ok());
        assert_eq!(disk.short_of(200), 0);
        assert_eq!(disk.short_of(300), 80);
        let refused = disk.check_room(301, || Some("no bucket".to_owned())).unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::TooMany);
        assert_eq!(
            refused.text(),
            "log and segment files take 801 bytes, and beyond 800 no rows are taken; 500 bytes wait for their \
             upload, which fails: no bucket"
        );
        disk.hand_over(500);
        assert!(disk.check_room(301, || None).is_err(), "uploaded files take room until they go");
        disk.remove(500);
        assert!(disk.check_room(301, || None).is_ok());
    }

    #[test]
    fn without_a_budget_the_disk_decides() {
        let disk = Disk::new(0, 0.5);
        disk.add(u64::MAX / 2);
        assert!(disk.check_room(u64::MAX / 2, || None).is_ok());
        assert_eq!(disk.excess(Space { total: 1000, available: 500 }), 50);
        assert_eq!(disk.excess(Space { total: 1000, available: 900 }), 0);
        assert_eq!(Disk::new(0, 0.0).excess(Space { total: 1000, available: 0 }), 0);
    }
}
