//! A tenant whose rows cannot be cut must not keep the log of all others: its records are copied into a file of
//! their own, with a bound of its own, and the log lets go of them.
//!
//! The rows stay in memory and are read as before. The tenant takes no more until a cut succeeds, which is tried again
//! and again; then the copy goes. A start reads copies back before the log, and steps over what they hold.

mod budget;
mod copy;

use std::sync::Arc;

use larch_wal::CopyError;
use tracing::{error, info, warn};

use crate::node::Node;
use crate::segment_file::blocking;
use crate::shelf::CutRows;
use crate::tenant::Tenant;

pub(crate) use budget::Budget;
pub(crate) use copy::{ReadCopy, RowCopy, read, remove_unfinished, retire};

/// Why rows stay in the log.
#[derive(Debug, thiserror::Error)]
enum SetAsideError {
    #[error(transparent)]
    Copy(#[from] CopyError),
    #[error("the log has {found} records of the {wanted} that were applied")]
    Missing { found: u64, wanted: u64 },
    #[error("the process stops")]
    Stopped,
}

/// Copies all that the tenant has in memory and in the log alone. What failed stays in the log, and is tried again with
/// the next cut that fails. The caller cuts the tenant, and nobody else.
pub(crate) async fn set_aside(node: &Node, tenant: &Arc<Tenant>) {
    tenant.shelf.begin_cut();
    for cut in tenant.shelf.in_the_log_alone() {
        match copy(node, tenant, &cut).await {
            Ok(copy) => {
                let (rows, bytes, file) = (cut.rows.held().rows, copy.bytes, copy.name.clone());
                node.aside.add(copy.bytes);
                tenant.shelf.set_aside(&cut, copy);
                error!(
                    tenant = %tenant.id, %file, rows, bytes,
                    "rows that cannot be cut are set aside in a file; the tenant takes no more until they can"
                );
            }
            Err(problem) => {
                let source = std::error::Error::source(&problem).map(ToString::to_string);
                error!(
                    tenant = %tenant.id, error = %problem, source,
                    "rows that cannot be cut cannot be set aside and keep the log"
                );
                return;
            }
        }
    }
    node.release_log();
}

/// Removes copies of rows that are in segment files now.
pub(crate) async fn forget_copies(node: &Node, tenant: &Tenant) {
    let spent = tenant.shelf.take_spent_copies();
    if spent.is_empty() {
        return;
    }
    let bytes = spent.iter().map(|copy| copy.bytes).sum();
    let dir = Arc::clone(&node.dir);
    let retired = blocking(&*node.dir, move || retire(&*dir, &spent)).await;
    node.aside.remove(bytes);
    match retired {
        Ok(Ok(())) => info!(tenant = %tenant.id, "rows that were set aside are cut"),
        // The next start finds them superfluous.
        Ok(Err(problem)) => warn!(tenant = %tenant.id, error = %problem, "files of rows that are cut stay"),
        Err(problem) => warn!(tenant = %tenant.id, error = %problem, "files of rows that are cut stay"),
    }
}

async fn copy(node: &Node, tenant: &Arc<Tenant>, cut: &Arc<CutRows>) -> Result<Arc<RowCopy>, SetAsideError> {
    let making = copy::Making {
        dir: Arc::clone(&node.dir),
        env: node.env.clone(),
        node: node.id,
        tenant: tenant.id.clone(),
        files: node.log.files(),
        range: cut.range(),
        most_bytes: node.aside.left(),
    };
    let made = blocking(&*node.dir, move || making.run()).await.map_err(|_| SetAsideError::Stopped)?;
    let (copy, found) = made?;
    if found < cut.pushes {
        // The log shows a little later than it hands out what its last file holds.
        let dir = Arc::clone(&node.dir);
        let name = copy.name.clone();
        drop(blocking(&*node.dir, move || dir.remove(&name)).await);
        return Err(SetAsideError::Missing { found, wanted: cut.pushes });
    }
    Ok(Arc::new(copy))
}
