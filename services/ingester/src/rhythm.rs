//! When it is looked for rows to cut: soon while something is pressing, else now and then.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crate::cut::MOST_LOG_FILES;
use crate::node::Node;

/// While memory or the log are short of room, or cuts have failed.
const SOON: Duration = Duration::from_secs(1);

#[derive(Debug)]
pub(crate) struct Rhythm {
    /// The cutter was told that memory or the log are short of room.
    is_pressed: AtomicBool,
    /// Rows were cut and are not in files. So it is at first: a start may have found some.
    has_failed: AtomicBool,
}

impl Default for Rhythm {
    fn default() -> Self {
        Self { is_pressed: AtomicBool::new(false), has_failed: AtomicBool::new(true) }
    }
}

impl Rhythm {
    /// Before a look.
    pub(crate) fn begin_look(&self) {
        self.has_failed.store(false, Ordering::Relaxed);
    }

    pub(crate) fn note_failure(&self) {
        self.has_failed.store(true, Ordering::Relaxed);
    }
}

/// Until the next look, if nobody says so before. To look takes a moment for each tenant.
pub(crate) fn pause(node: &Node) -> Duration {
    let is_pressed = is_pressed(node);
    node.rhythm.is_pressed.store(is_pressed, Ordering::Relaxed);
    let is_soon = is_pressed || node.rhythm.has_failed.load(Ordering::Relaxed);
    if is_soon { SOON } else { node.uploading.look_every }
}

/// Wakes the cutter if memory or the log have become short of room since it last looked, and whoever removes files
/// that are uploaded if these would do.
pub(crate) fn note_pressure(node: &Node) {
    if node.disk.uploaded() > 0 && is_short_of_disk(node) {
        node.wake_remover.notify_one();
    }
    if is_pressed(node) && !node.rhythm.is_pressed.swap(true, Ordering::Relaxed) {
        node.wake_cutter.notify_one();
    }
}

/// Half of the memory is for rows that come while others are cut.
fn is_pressed(node: &Node) -> bool {
    node.held_bytes() > node.bounds.memory_bytes / 2 || node.log.files().len() > most_log_files(node)
}

/// Files of the log that may be kept for the sake of little. A cut takes a tenth of what the log does, so while
/// the disk is short of room only the file that is written to stays.
pub(crate) fn most_log_files(node: &Node) -> usize {
    if is_short_of_disk(node) { 1 } else { MOST_LOG_FILES }
}

/// Pushes are refused, or will be soon. A disk that others fill is looked at once it refuses: cuts would not
/// change for long that it is nearly full.
pub(crate) fn is_short_of_disk(node: &Node) -> bool {
    node.log.full().is_some() || node.disk.short_of(node.log.used_bytes()) > 0
}
