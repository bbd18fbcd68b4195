//! Few rows that hold an old file of the log are written again at the log's end, so that the file can go.
//!
//! A cut makes a segment file, three records and an object, however few its rows are; a copy makes the bytes of
//! the records again and nothing else. A copy is the record as it was, with its stamp and replicas. The old record
//! is needed until the tenant's shelf knows of the copy, so a crash leaves one of them or both, and rows
//! that are read back twice are one row.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use bytes::Bytes;
use larch_proto::WalPosition;
use larch_store::EMBED_BELOW_BYTES;
use larch_wal::{CopyError, Dir, LogFile, Position, read_records};
use tokio::sync::MutexGuard;
use tracing::{error, info};

use crate::cut::MOST_LOG_FILES;
use crate::node::Node;
use crate::note::{NoteError, begin_note};
use crate::record::tenant_of_push;
use crate::restate::RECORDS_AT_ONCE;
use crate::segment_file::blocking;
use crate::shelf::Holdings;
use crate::tenant::Tenant;

/// A tenant with fewer raw bytes in memory is small. A segment has about a tenth of them, so this is what would
/// have no object of its own if it were cut; with more it is worth one.
const SMALL_BYTES: usize = 10 * EMBED_BELOW_BYTES as usize;

/// One part in so many of an old file may be written again, the smallest remainders first; the other tenants are
/// cut. So each file that goes makes a quarter of one anew: the log gets shorter for sure, and of all that is written to it
/// at most a quarter are copies.
const SHARE: u64 = 4;

/// Why an old file stays.
#[derive(Debug, thiserror::Error)]
enum CarryError {
    #[error("read an old file of the log")]
    Read(#[from] CopyError),
    #[error("log rows again")]
    Log(#[from] NoteError),
    #[error("the process stops")]
    Stopped,
}

/// What one tenant has in an old file and nowhere else on the disk. It is not cut meanwhile.
struct Remainder<'t> {
    tenant: &'t Arc<Tenant>,
    _turn: MutexGuard<'t, ()>,
    /// Records before are in segment files, or were carried before.
    from: WalPosition,
}

/// Which records are looked for: by the tenant's name the place of its remainder, and from where on.
type Wanted = HashMap<Vec<u8>, (usize, WalPosition)>;

pub(crate) const fn is_small(held: &Holdings) -> bool {
    held.cuts == 0 && held.raw_bytes < SMALL_BYTES
}

/// Takes the rows of small tenants out of the old files of the log. Gives the tenants that are to be cut for it:
/// those that have more than is worth copying, and all if an old file cannot be read.
///
/// # Cancel safety
/// Old records are needed until their copies are known; what was copied is copied again.
pub(crate) async fn carry(node: &Node, mut tenants: Vec<Arc<Tenant>>) -> Vec<Arc<Tenant>> {
    let files = node.log.files();
    let old = files.len().saturating_sub(MOST_LOG_FILES);
    let mut rest = Vec::new();
    for file in &files[..old] {
        match carry_file(node, &tenants, *file).await {
            Ok(too_large) => {
                let names: HashSet<_> = too_large.iter().map(|tenant| &tenant.id).collect();
                tenants.retain(|tenant| !names.contains(&tenant.id));
                rest.extend(too_large);
            }
            Err(problem) => {
                let source = std::error::Error::source(&problem).map(ToString::to_string);
                error!(first = file.first.0, error = %problem, source, "an old file of the log stays");
                // A log that takes no copies takes no cuts either; it is tried again.
                if !matches!(problem, CarryError::Log(_)) {
                    rest.append(&mut tenants);
                }
                break;
            }
        }
    }
    rest
}

/// Gives the tenants that have too much in the file.
async fn carry_file(
    node: &Node,
    tenants: &[Arc<Tenant>],
    file: LogFile,
) -> Result<Vec<Arc<Tenant>>, CarryError> {
    let end = WalPosition(file.end.0);
    let mut remainders = Vec::new();
    for tenant in tenants {
        // Whoever is cutting it takes its rows out of the file too.
        let Ok(turn) = tenant.cutting.try_lock() else { continue };
        let held = tenant.shelf.holdings();
        if let Some(from) = held.oldest_rows.filter(|oldest| *oldest < end && is_small(&held)) {
            remainders.push(Remainder { tenant, _turn: turn, from });
        }
    }
    if remainders.is_empty() {
        return Ok(Vec::new());
    }
    let wanted: Wanted =
        remainders.iter().enumerate().map(|(place, one)| (name(one), (place, one.from))).collect();
    let (wanted, sizes) = measure(node, file, wanted, remainders.len()).await?;
    let taken = smallest(&sizes, file.bytes / SHARE);
    let wanted = wanted.into_iter().filter(|(_, (place, _))| taken.contains(place)).collect();
    let records = read_all(node, file, wanted).await?;
    write_again(node, &remainders, &records).await?;
    let mut too_large = Vec::new();
    for (place, one) in remainders.iter().enumerate() {
        match taken.contains(&place) {
            true => one.tenant.shelf.let_go_before(end),
            false => too_large.push(Arc::clone(one.tenant)),
        }
    }
    let bytes = records.iter().map(|(_, record)| record.len() as u64).sum();
    node.metrics.carried_bytes.add(bytes);
    info!(
        first = file.first.0,
        tenants = taken.len(),
        records = records.len(),
        bytes,
        cut = too_large.len(),
        "rows of an old file of the log are written again"
    );
    Ok(too_large)
}

fn name(one: &Remainder<'_>) -> Vec<u8> {
    one.tenant.id.as_str().as_bytes().to_vec()
}

/// The places of those that fit together, if the smallest come first.
fn smallest(sizes: &[u64], most: u64) -> HashSet<usize> {
    let mut places: Vec<usize> = (0..sizes.len()).collect();
    places.sort_by_key(|place| sizes[*place]);
    let mut left = most;
    let mut taken = HashSet::new();
    for place in places {
        let Some(less) = left.checked_sub(sizes[place]) else { break };
        left = less;
        taken.insert(place);
    }
    taken
}

/// How many bytes each has in the file.
async fn measure(
    node: &Node,
    file: LogFile,
    wanted: Wanted,
    count: usize,
) -> Result<(Wanted, Vec<u64>), CarryError> {
    let dir = Arc::clone(&node.dir);
    let measure = move || {
        let mut sizes = vec![0; count];
        read(&*dir, file, &wanted, |place, record| sizes[place] += record.len() as u64)?;
        Ok((wanted, sizes))
    };
    blocking(&*node.dir, measure).await.map_err(|_| CarryError::Stopped)?
}

/// What is to be written again, a part of the file at most.
async fn read_all(node: &Node, file: LogFile, wanted: Wanted) -> Result<Vec<(usize, Bytes)>, CarryError> {
    let dir = Arc::clone(&node.dir);
    let read_all = move || {
        let mut records = Vec::new();
        read(&*dir, file, &wanted, |place, record| records.push((place, Bytes::copy_from_slice(record))))?;
        Ok(records)
    };
    blocking(&*node.dir, read_all).await.map_err(|_| CarryError::Stopped)?
}

/// Reads the file, unless nothing of it is wanted. It blocks.
fn read(
    dir: &dyn Dir,
    file: LogFile,
    wanted: &Wanted,
    mut visit: impl FnMut(usize, &[u8]),
) -> Result<(), CopyError> {
    if wanted.is_empty() {
        return Ok(());
    }
    read_records(dir, &[file], &(file.first..=file.end), |position, record| {
        let of = tenant_of_push(record).and_then(|name| wanted.get(name));
        if let Some((place, from)) = of
            && Position(from.0) <= position
        {
            visit(*place, record);
        }
        Ok(())
    })
}

async fn write_again(
    node: &Node,
    remainders: &[Remainder<'_>],
    records: &[(usize, Bytes)],
) -> Result<(), CarryError> {
    for some in records.chunks(RECORDS_AT_ONCE) {
        let mut notings = Vec::with_capacity(some.len());
        for (place, record) in some {
            notings.push((*place, begin_note(node, record.clone())?));
        }
        for (place, noting) in notings {
            remainders[place].tenant.shelf.note_copy(noting.done().await?);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_smallest_are_taken_as_long_as_they_fit() {
        let check = |sizes: &[u64], most: u64, taken: &[usize]| {
            assert_eq!(smallest(sizes, most), taken.iter().copied().collect(), "{sizes:?} {most}");
        };
        check(&[], 10, &[]);
        check(&[5, 0, 11, 4], 10, &[0, 1, 3]);
        check(&[5, 0, 11, 4], 8, &[1, 3]);
        check(&[5, 0, 11, 4], 0, &[1]);
        check(&[u64::MAX, u64::MAX], u64::MAX, &[0]);
    }
}
