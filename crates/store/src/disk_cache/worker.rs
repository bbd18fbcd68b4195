//! The task that writes behind the queries' back.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::select;
use larch_runtime::Scope;
use larch_wal::DirLock;
use tracing::{info, warn};

use super::state::{Job, PAUSE, Shared};
use super::writer::Writer;

/// Written in one go, so that stopping waits for no more.
const BATCH_BYTES: u64 = 4 << 20;

/// What waits at the end is written for as long; the rest costs requests to the store.
const LAST_WRITES: Duration = Duration::from_secs(2);

/// Until the scope ends. The directory is free when the task is gone.
pub(super) async fn run(shared: Arc<Shared>, mut writer: Writer, lock: Box<dyn DirLock>, scope: Scope) {
    let mut stop_at = None;
    loop {
        let now = shared.env.clock.monotonic();
        if scope.is_cancelled() && stop_at.is_none() {
            shared.state().close();
            stop_at = Some(now.plus(LAST_WRITES));
        }
        if stop_at.is_some_and(|at| at < now) {
            break;
        }
        let jobs = shared.state().take(BATCH_BYTES);
        if jobs.is_empty() {
            if stop_at.is_some() {
                break;
            }
            let woken = std::pin::pin!(shared.wake.notified());
            select(woken, std::pin::pin!(scope.cancelled())).await;
            continue;
        }
        let Some(after) = write(&shared, writer, jobs).await else { return };
        writer = after;
    }
    // Without its table the next start goes through the file.
    let finish = move || drop((writer.finish(), lock));
    drop(shared.env.compute(finish).await);
}

/// `None` if the process ends.
async fn write(shared: &Arc<Shared>, mut writer: Writer, jobs: Vec<Job>) -> Option<Writer> {
    let work = move || {
        let written = writer.write(jobs);
        (writer, written)
    };
    match shared.env.compute(work).await {
        Ok((writer, Ok(()))) => {
            if shared.state().writes.works() {
                info!("the segment cache on disk is written to again");
            }
            Some(writer)
        }
        Ok((writer, Err(error))) => leave_alone(shared, writer, error).await,
        Err(error) => match error.try_into_panic() {
            // It fails the scope, as any panic does.
            Ok(panic) => std::panic::resume_unwind(panic),
            Err(_) => None,
        },
    }
}

async fn leave_alone(shared: &Arc<Shared>, mut writer: Writer, error: io::Error) -> Option<Writer> {
    shared.metrics.write_failed();
    let now = shared.env.clock.monotonic();
    let is_news = {
        let mut state = shared.state();
        state.drop_waiting();
        state.writes.turn_off(now)
    };
    if is_news {
        warn!(%error, pause_s = PAUSE.as_secs(), "the segment cache on disk is not written to for a while");
    }
    let is_full = matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded);
    let clean_up = move || {
        writer.give_up_slab();
        if is_full {
            // If even this fails, the next pause ends no better.
            drop(writer.give_room());
        }
        writer
    };
    shared.env.compute(clean_up).await.ok()
}
