//! Cutting on demand, and waiting until what was cut is in the store.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::{Either, select};

use larch_proto::{FlushRequest, FlushResponse, Selection};
use larch_rpc::CallError;
use larch_types::{ErrorKind, Timestamp};
use tokio::sync::oneshot;

use crate::cut::cut_tenant;
use crate::cut_metrics::CutReason;
use crate::node::{Node, unavailable};
use crate::segment_file::SegmentFile;
use crate::selection::Chosen;
use crate::shelf::Place;
use crate::source::Source;
use crate::tenant::Tenant;

/// How often it is looked for rows that are still in memory, when all are to be in the store.
const CUT_AGAIN: Duration = Duration::from_secs(1);

/// As [`flush`], which goes on when the caller lets go: rows that are halfway into files get there.
///
/// # Cancel safety
/// A caller that lets go loses the answer only.
pub(crate) async fn flush_to_the_end(
    node: &Arc<Node>,
    request: FlushRequest,
) -> Result<FlushResponse, CallError> {
    let (sender, answer) = oneshot::channel();
    let inner = Arc::clone(node);
    node.scope.spawn("ingester-flush", async move {
        if let Some(flushed) = inner.scope.until_cancelled(flush(&inner, &request)).await {
            // Whoever asked may have gone.
            drop(sender.send(flushed));
        }
    });
    answer.await.map_err(|_| unavailable("Ingester is shutting down"))?
}

/// Cuts what is meant; a tenant's rows are cut together. What cannot be cut keeps nobody else from it, and the first
/// failure is the answer. With `wait_for_upload` it answers when all that the tenants have in files is
/// announced, and fails with the first upload that does.
async fn flush(node: &Node, request: &FlushRequest) -> Result<FlushResponse, CallError> {
    let wal_position = node.applied();
    let tenants = match &request.tenant {
        None => node.tenants.all(),
        Some(tenant) => node.tenants.find(tenant).into_iter().collect(),
    };
    let chosen = match request.any_of.as_slice() {
        [] => None,
        any_of => Some(Chosen::new(Selection {
            any_of: any_of.to_vec(),
            policy: None,
            start: Timestamp::MIN,
            end: Timestamp::MAX,
            shard: None,
        })?),
    };
    let (mut segments, mut files, mut failure) = (0, Vec::new(), None);
    for tenant in tenants {
        if chosen.as_ref().is_none_or(|chosen| holds_streams(&tenant, chosen)) {
            match cut_tenant(node, &tenant, CutReason::Forced).await {
                Ok(count) => segments += count as u64,
                Err(problem) => failure = failure.or(Some(problem)),
            }
        }
        files.extend(tenant.shelf.files());
    }
    node.release_log();
    if let Some(problem) = failure {
        return Err(CallError::new(ErrorKind::Internal, problem.to_string()));
    }
    if request.wait_for_upload {
        node.hurry_uploads();
        wait_for_uploads(node, files).await?;
    }
    Ok(FlushResponse { wal_position, segments })
}

/// Whether rows of a stream that is meant are in memory only.
fn holds_streams(tenant: &Tenant, chosen: &Chosen) -> bool {
    for place in tenant.shelf.view().places {
        let Place::Memory(snapshot) = place else { continue };
        // Rows in memory cannot be unreadable; if they were, cutting them would say so.
        if chosen.streams(&Source::Memory(snapshot)).map_or(true, |streams| !streams.is_empty()) {
            return true;
        }
    }
    false
}

async fn wait_for_uploads(node: &Node, files: Vec<Arc<SegmentFile>>) -> Result<(), CallError> {
    let mut ends = node.uploads.ends();
    let mut waiting: Vec<_> = files.into_iter().map(|file| (file.progress.failures().0, file)).collect();
    loop {
        ends.mark_unchanged();
        waiting.retain(|(_, file)| !file.progress.is_announced());
        for (before, file) in &waiting {
            if let (failures, Some(failure)) = file.progress.failures()
                && failures > *before
            {
                return Err(failure);
            }
        }
        if waiting.is_empty() {
            return Ok(());
        }
        // The sender lives in the node.
        drop(ends.changed().await);
    }
}

/// Cuts all and waits until all is announced, however often it fails. No rows are taken meanwhile. Whoever calls it sets
/// a bound.
///
/// # Cancel safety
/// What was done stays done.
pub(crate) async fn flush_all(node: &Node) {
    let mut ends = node.uploads.ends();
    cut_all(node, true).await;
    node.hurry_uploads();
    loop {
        let mut again = pin!(node.env.sleep(CUT_AGAIN));
        loop {
            ends.mark_unchanged();
            if node.left().is_nothing() {
                return;
            }
            if let Either::Right(_) = select(pin!(ends.changed()), &mut again).await {
                break;
            }
        }
        // Cuts that failed, and pushes that were on their way through the log.
        cut_all(node, false).await;
    }
}

/// Cuts whatever failed before, or what is due again.
async fn cut_all(node: &Node, whatever_failed: bool) {
    for tenant in node.tenants.all() {
        if whatever_failed || tenant.failures.let_try(node.env.clock.monotonic()) {
            // What fails is said, and stays in the log.
            drop(cut_tenant(node, &tenant, CutReason::Forced).await);
        }
    }
    node.release_log();
}
