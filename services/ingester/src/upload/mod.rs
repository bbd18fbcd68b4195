//! Uploading: each segment file goes into the store, then the catalog says so, then the log does, and from then
//! on readers are given its name instead of its rows.
//!
//! A crash between any two leaves the file to be read as before. What it had begun is in the log, so that the
//! next life looks whether it came through before it uploads the rows again, under another id.

mod error;
mod handed_over;
mod one;
mod progress;
mod queue;
mod rewrite;
mod rewrites;
mod settings;
mod source;

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::future::{pending, select};
use futures_util::stream::FuturesUnordered;
use larch_runtime::Scope;
use tracing::{error, info, warn};

use crate::node::Node;

pub(crate) use error::UploadError;
pub(crate) use handed_over::{HandOvers, HandedOver, forget_when_due};
pub(crate) use progress::{Begin, Progress};
pub(crate) use queue::{Queue, Task};
pub(crate) use rewrites::Rewrites;
pub(crate) use settings::UploadSettings;

/// Uploads what waits, some at a time, until the scope is asked to stop.
pub(crate) async fn upload_waiting(node: Arc<Node>, scope: Scope) {
    let mut running = FuturesUnordered::new();
    loop {
        while running.len() < node.uploading.parallel {
            let Some(task) = node.uploads.take(node.env.clock.monotonic()) else { break };
            running.push(try_one(&node, task));
        }
        let ended = pin!(async {
            if running.next().await.is_none() {
                pending::<()>().await;
            }
        });
        let timer = pin!(async {
            match node.uploads.next_due() {
                Some(due) => node.env.sleep(due.since(node.env.clock.monotonic())).await,
                None => pending().await,
            }
        });
        let woken = pin!(node.uploads.woken());
        let change = select(ended, select(timer, woken));
        if scope.until_cancelled(change).await.is_none() {
            return;
        }
    }
}

/// One try. What failed waits for the next.
async fn try_one(node: &Arc<Node>, mut task: Task) {
    let started = node.env.clock.monotonic();
    node.metrics.upload_tries.inc();
    match one::upload(node, &task).await {
        Ok(entry) => {
            let now = node.env.clock.monotonic();
            let (took, waited) = (now.since(started), now.since(task.file.since));
            node.metrics.count_uploaded(&task.tenant.id, task.file.bytes, waited);
            info!(
                tenant = %task.tenant.id,
                segment = %entry.id,
                partition = %entry.partition,
                rows = entry.rows,
                bytes = entry.object_bytes,
                embedded = entry.embedded.is_some(),
                duration = ?took,
                "segment uploaded"
            );
            node.uploads.end();
        }
        Err(problem) => {
            node.metrics.failed_uploads.inc();
            task.tries += 1;
            let wait = wait_after(node, &problem, task.tries);
            let (tenant, file) = (&task.tenant.id, task.file.name());
            let (tries, text) = (task.tries, problem.text());
            if problem.is_transient() {
                warn!(%tenant, %file, tries, error = %text, "a segment is not uploaded yet");
            } else {
                error!(%tenant, %file, tries, error = %text, "a segment cannot be uploaded");
            }
            task.file.progress.fail(problem.into_call_error());
            node.uploads.put_back(task, node.env.clock.monotonic().plus(wait), text);
        }
    }
}

/// Waits double up to the longest; what will not pass by itself waits that long at once. After so many tries
/// they begin anew with the next look.
fn wait_after(node: &Node, problem: &UploadError, tries: u32) -> Duration {
    let UploadSettings { first_wait, longest_wait, most_tries, look_every, .. } = node.uploading;
    let round = match most_tries {
        0 => tries,
        most => (tries - 1) % most + 1,
    };
    let wait = if most_tries > 0 && round == most_tries {
        look_every.max(longest_wait)
    } else if problem.is_transient() {
        first_wait.saturating_mul(1 << (round - 1).min(20)).min(longest_wait)
    } else {
        longest_wait
    };
    // Spread, so that those who failed together do not come back together.
    node.env.random.jitter(wait / 2, 1.0)
}
