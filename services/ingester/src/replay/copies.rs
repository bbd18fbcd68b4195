//! Rows that an earlier life could not cut: read back from their copies before the log, which may have let go of them.

use std::collections::HashSet;
use std::io;
use std::sync::Arc;

use larch_proto::WalPosition;
use larch_runtime::StartError;
use larch_types::NodeId;
use larch_wal::Dir;
use tracing::{error, info};

use super::known::Known;
use super::{Replay, Replayed};
use crate::cut::CUT_BYTES;
use crate::record::{self, Content};
use crate::set_aside::{ReadCopy, read, remove_unfinished, retire};

/// Gives the records that the log need not be asked for.
pub(super) fn bring_back(
    replay: &Replay,
    dir: &dyn Dir,
    node: NodeId,
    known: &Known,
    replayed: &mut Replayed,
) -> Result<HashSet<WalPosition>, StartError> {
    let mut covered = HashSet::new();
    for name in dir.list().map_err(failed)? {
        remove_unfinished(dir, &name).map_err(failed)?;
        let Some(found) = read(dir, &name).map_err(failed)? else { continue };
        if found.corruptions > 0 || found.node.is_none() {
            replay.metrics.replay.unreadable_records.add(found.corruptions.max(1));
            error!(
                tenant = %found.tenant, file = %name, damaged = found.corruptions,
                "a file of rows that were set aside is damaged; what can be read of it is"
            );
        }
        one(replay, dir, node, known, replayed, found, &mut covered)?;
    }
    Ok(covered)
}

fn one(
    replay: &Replay,
    dir: &dyn Dir,
    node: NodeId,
    known: &Known,
    replayed: &mut Replayed,
    found: ReadCopy,
    covered: &mut HashSet<WalPosition>,
) -> Result<(), StartError> {
    let ReadCopy { copy, tenant: id, node: of, records, .. } = found;
    let (copy, upto) = (Arc::new(copy), known.upto(&id));
    let is_of_this_log = of == Some(node);
    let mut rows = 0;
    for (position, bytes) in records {
        if is_of_this_log {
            covered.insert(position);
            if position <= upto {
                continue;
            }
        }
        let Ok(record) = record::decode(bytes) else {
            replay.metrics.replay.unreadable_records.inc();
            error!(tenant = %id, file = %copy.name, position = position.0, "a record that was set aside is skipped");
            continue;
        };
        let Content::Push(push) = record.content else { continue };
        rows += push.streams.iter().map(|stream| stream.entries.len()).sum::<usize>();
        // Numbers of another log mean nothing in this one.
        replay.apply(replayed, &id, if is_of_this_log { position } else { upto }, push);
        let tenant = replayed.tenants.find_or_make(&id);
        if tenant.shelf.holdings().raw_bytes >= CUT_BYTES {
            tenant.shelf.begin_cut_of(&copy);
        }
    }
    if rows == 0 {
        // A crash came between the record of the cut and this.
        return retire(dir, &[copy]).map_err(failed);
    }
    info!(tenant = %id, file = %copy.name, rows, "rows that were set aside are read back");
    let tenant = replayed.tenants.find_or_make(&id);
    tenant.shelf.begin_cut_of(&copy);
    tenant.failures.begin_set_aside();
    replayed.held_bytes += tenant.memory_change();
    replayed.aside_bytes += copy.bytes;
    Ok(())
}

fn failed(error: io::Error) -> StartError {
    StartError::caused_by("read rows that were set aside", error)
}
