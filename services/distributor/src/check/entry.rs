//! One row.

use larch_limits::LimitsSettings;
use larch_types::Timestamp;

use super::problems::Problem;
use crate::pushed::{PushedEntry, PushedTime};

/// The times that rows may have now.
#[derive(Debug, Clone, Copy)]
pub(super) struct TimeBounds {
    oldest: PushedTime,
    newest: PushedTime,
}

impl TimeBounds {
    /// Rows that are pushed late on purpose may be of any age that a timestamp can say.
    pub(super) fn new(now: Timestamp, limits: &LimitsSettings, backfill: bool) -> Self {
        let oldest = if limits.reject_old_samples && !backfill {
            now.minus(limits.reject_old_samples_max_age)
        } else {
            Timestamp::MIN
        };
        Self { oldest: oldest.into(), newest: now.plus(limits.creation_grace_period).into() }
    }
}

/// The time of a row, or the first thing that keeps it out. `stream` is its labels as text.
pub(super) fn check_entry<'s>(
    stream: &'s str,
    entry: &PushedEntry,
    times: TimeBounds,
    limits: &LimitsSettings,
) -> Result<Timestamp, Problem<'s>> {
    let time = entry.time;
    if time < times.oldest {
        return Err(Problem::TooOld { stream, time, oldest: times.oldest });
    }
    // What no timestamp can say is beyond one of the bounds, and the first was just passed.
    let Some(timestamp) = time.timestamp().filter(|_| time <= times.newest) else {
        return Err(Problem::TooNew { stream, time });
    };
    let (length, limit) = (entry.line.len(), limits.max_line_size);
    if limit.as_u64() > 0 && length as u64 > limit.as_u64() {
        return Err(Problem::LineTooLong { stream, length, limit });
    }
    check_metadata(stream, entry, limits)?;
    Ok(timestamp)
}

fn check_metadata<'s>(
    stream: &'s str,
    entry: &PushedEntry,
    limits: &LimitsSettings,
) -> Result<(), Problem<'s>> {
    if entry.metadata.is_empty() {
        return Ok(());
    }
    if !limits.allow_structured_metadata {
        return Err(Problem::MetadataDisallowed { stream });
    }
    let (size, limit) = (entry.metadata_bytes(), limits.max_structured_metadata_size);
    if limit.as_u64() > 0 && size > limit.as_u64() {
        return Err(Problem::MetadataTooLarge { stream, size, limit });
    }
    let (count, limit) = (entry.metadata.len(), limits.max_structured_metadata_entries_count);
    if limit > 0 && count > limit as usize {
        return Err(Problem::MetadataTooMany { stream, count, limit });
    }
    Ok(())
}
