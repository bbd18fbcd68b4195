//! Reading ranges from the directory, away from the threads that serve requests.

use std::io;
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use larch_types::{SegmentId, TenantId};
use larch_wal::{Dir, DirFile};
use tracing::warn;

use super::entry::{EntryKey, check_range};
use super::index::Place;
use super::slab::slab_name;
use super::state::{PAUSE, Shared};

/// A disk that takes longer is slower than any store.
const DEADLINE: Duration = Duration::from_secs(10);

/// A range that the index knows.
struct Known {
    /// Among those that were asked for.
    position: usize,
    digest: u128,
    place: Place,
}

enum Outcome {
    Right(Bytes),
    /// It is not what it should be, or its file is gone.
    Damaged,
    Failed(io::Error),
}

/// What of the ranges is there and right.
pub(super) async fn read(
    shared: &Arc<Shared>,
    tenant: &TenantId,
    segment: SegmentId,
    ranges: &[Range<u64>],
) -> Vec<Option<Bytes>> {
    let mut found = vec![None; ranges.len()];
    let known = look_up(shared, tenant, segment, ranges);
    if known.is_empty() {
        return found;
    }
    let (dir, tenant, ranges) = (Arc::clone(&shared.dir), tenant.clone(), ranges.to_vec());
    let work = move || read_all(&*dir, &tenant, segment, &ranges, known);
    let reading = async {
        let permit = Arc::clone(&shared.reads).acquire_owned().await.ok()?;
        let read = move || {
            // As long as the disk takes, whether anybody waits for it or not.
            let _permit = permit;
            work()
        };
        shared.env.compute(read).await.ok()
    };
    match tokio::time::timeout(DEADLINE, reading).await {
        Ok(Some(outcomes)) => {
            for (position, bytes) in judge(shared, outcomes) {
                found[position] = Some(bytes);
            }
        }
        // The process stops, or the work has panicked and the runtime has said so.
        Ok(None) => {}
        Err(_) => leave_alone(shared, &io::ErrorKind::TimedOut.into()),
    }
    found
}

fn look_up(shared: &Shared, tenant: &TenantId, segment: SegmentId, ranges: &[Range<u64>]) -> Vec<Known> {
    let mut known = Vec::new();
    let mut state = shared.state();
    if state.index.entries() == 0 || state.reads.is_off(shared.env.clock.monotonic()) {
        return known;
    }
    for (position, range) in ranges.iter().enumerate() {
        let Some(key) = EntryKey::of(tenant, segment, range) else { continue };
        let digest = key.digest();
        if let Some(place) = state.index.use_entry(digest) {
            known.push(Known { position, digest, place });
        }
    }
    drop(state);
    known.sort_by_key(|known| (known.place.slab, known.place.offset));
    known
}

/// File by file. It blocks.
fn read_all(
    dir: &dyn Dir,
    tenant: &TenantId,
    segment: SegmentId,
    ranges: &[Range<u64>],
    known: Vec<Known>,
) -> Vec<(Known, Outcome)> {
    let mut opened: Option<(u32, io::Result<Box<dyn DirFile>>)> = None;
    let mut outcomes = Vec::with_capacity(known.len());
    for known in known {
        let slab = known.place.slab;
        let (_, file) = match opened.take() {
            Some(same) if same.0 == slab => opened.insert(same),
            _ => opened.insert((slab, dir.open(&slab_name(slab)))),
        };
        let outcome = match (file, EntryKey::of(tenant, segment, &ranges[known.position])) {
            (Ok(file), Some(key)) => read_one(&**file, known.place, &key),
            (Err(error), _) => outcome_of(error),
            (Ok(_), None) => Outcome::Damaged,
        };
        outcomes.push((known, outcome));
    }
    outcomes
}

fn read_one(file: &dyn DirFile, place: Place, key: &EntryKey<'_>) -> Outcome {
    if key.entry_bytes() != u64::from(place.bytes) {
        return Outcome::Damaged;
    }
    let mut entry = vec![0; place.bytes as usize];
    match file.read_at(u64::from(place.offset), &mut entry) {
        Ok(read) => entry.truncate(read),
        Err(error) => return outcome_of(&error),
    }
    match check_range(&entry, key) {
        Some(inside) => Outcome::Right(Bytes::from(entry).slice(inside)),
        None => Outcome::Damaged,
    }
}

fn outcome_of(error: &io::Error) -> Outcome {
    if error.kind() == io::ErrorKind::NotFound {
        return Outcome::Damaged;
    }
    Outcome::Failed(io::Error::new(error.kind(), error.to_string()))
}

/// Gives what is right, and lets go of the rest.
fn judge(shared: &Shared, outcomes: Vec<(Known, Outcome)>) -> Vec<(usize, Bytes)> {
    let mut right = Vec::with_capacity(outcomes.len());
    let mut failure = None;
    let mut state = shared.state();
    for (known, outcome) in outcomes {
        match outcome {
            Outcome::Right(bytes) => right.push((known.position, bytes)),
            // A file that was removed to make room is none of the index's any more.
            Outcome::Damaged => {
                if state.index.remove_at(known.digest, known.place) {
                    shared.metrics.damaged.inc();
                }
            }
            Outcome::Failed(error) => {
                state.index.remove_at(known.digest, known.place);
                failure = Some(error);
            }
        }
    }
    let is_said = failure.is_none() && !right.is_empty() && state.reads.works();
    drop(state);
    if is_said {
        tracing::info!("the segment cache on disk is read again");
    }
    if let Some(error) = failure {
        leave_alone(shared, &error);
    }
    right
}

fn leave_alone(shared: &Shared, error: &io::Error) {
    shared.metrics.read_failed();
    let now = shared.env.clock.monotonic();
    if shared.state().reads.turn_off(now) {
        warn!(%error, pause_s = PAUSE.as_secs(), "the segment cache on disk is not read for a while");
    }
}
