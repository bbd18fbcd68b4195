//! The task between the queue and the writer.

use std::future::pending;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::{Either, select};
use larch_runtime::Scope;
use tokio::sync::mpsc;

use crate::log::{Batch, Outcome, Shared};
use crate::position::Position;
use crate::writer::Writer;

/// Writes what waits until the log or the scope is closed and nothing waits any more.
pub(crate) async fn write<T: Send + 'static>(
    ending: Ending<T>,
    mut writer: Writer,
    outcomes: mpsc::Sender<Vec<Outcome<T>>>,
    scope: Scope,
) {
    let shared = Arc::clone(&ending.0);
    loop {
        if scope.is_cancelled() {
            shared.close();
        }
        let released = shared.released();
        let due = writer.due(released);
        if due == Some(Duration::ZERO) {
            let Some(after) = chores(&shared, writer, released).await else { return };
            writer = after;
        }
        let batch = shared.take();
        if !batch.records.is_empty() {
            let Some(after) = commit(&shared, writer, batch).await else { return };
            let Some(after) = hand_out(&shared, &outcomes, after).await else { return };
            writer = after.0;
            if !after.1 {
                break;
            }
        } else if batch.closed {
            break;
        } else if due != Some(Duration::ZERO) {
            wait(&shared, &scope, due).await;
        }
    }
    let finished = call(&shared, writer, Writer::finish).await;
    // The directory is free before anybody hears that the log has ended.
    drop(finished);
    drop(outcomes);
    drop(ending);
}

/// However the task ends, also if it never runs, nobody waits for it any more.
pub(crate) struct Ending<T>(pub(crate) Arc<Shared<T>>);

impl<T> Drop for Ending<T> {
    fn drop(&mut self) {
        self.0.end();
    }
}

async fn chores<T>(shared: &Shared<T>, writer: Writer, released: Position) -> Option<Writer> {
    let (writer, ()) = call(shared, writer, move |writer| writer.chores(released)).await?;
    shared.note(&writer);
    Some(writer)
}

/// Whoever takes outcomes may be slow; what is due is done meanwhile. Gives whether they were taken.
async fn hand_out<T>(
    shared: &Shared<T>,
    outcomes: &mpsc::Sender<Vec<Outcome<T>>>,
    (mut writer, batch): (Writer, Vec<Outcome<T>>),
) -> Option<(Writer, bool)> {
    let mut place = pin!(outcomes.reserve());
    loop {
        let released = shared.released();
        let due = writer.due(released);
        if due == Some(Duration::ZERO) {
            writer = chores(shared, writer, released).await?;
        }
        let change = pin!(change(shared, due));
        match select(place.as_mut(), change).await {
            Either::Left((Ok(place), _)) => {
                place.send(batch);
                return Some((writer, true));
            }
            Either::Left((Err(_), _)) => return Some((writer, false)),
            Either::Right(_) => {}
        }
    }
}

async fn commit<T: Send + 'static>(
    shared: &Shared<T>,
    writer: Writer,
    batch: Batch<T>,
) -> Option<(Writer, Vec<Outcome<T>>)> {
    let (bytes, count) = (batch.bytes(), batch.records.len());
    let Batch { records, tokens, makes_room, .. } = batch;
    let commit = move |writer: &mut Writer| writer.commit(&records, makes_room);
    let (writer, committed) = call(shared, writer, commit).await?;
    shared.done(bytes, count, &writer);
    let mut outcomes = Vec::with_capacity(count);
    for (index, token) in tokens.into_iter().enumerate() {
        let outcome = committed.clone().map(|first| Position(first.0 + index as u64));
        outcomes.push((token, outcome));
    }
    Some((writer, outcomes))
}

/// Lets the writer work where it may block: on a thread of its own if the directory's calls take time, and
/// at once if they do not, which is how a simulation stays in one thread. `None` if the runtime ends.
async fn call<T, R: Send + 'static>(
    shared: &Shared<T>,
    mut writer: Writer,
    work: impl FnOnce(&mut Writer) -> R + Send + 'static,
) -> Option<(Writer, R)> {
    let _running = shared.metrics.running();
    if writer.blocks() {
        let task = tokio::task::spawn_blocking(move || {
            let result = work(&mut writer);
            (writer, result)
        });
        match task.await {
            Ok(done) => Some(done),
            Err(error) => match error.try_into_panic() {
                // It fails the scope, as any panic does.
                Ok(panic) => std::panic::resume_unwind(panic),
                Err(_) => None,
            },
        }
    } else {
        let result = work(&mut writer);
        Some((writer, result))
    }
}

/// Until there is something to do. Once the scope is asked to stop, the log closes.
async fn wait<T>(shared: &Shared<T>, scope: &Scope, due: Option<Duration>) {
    let change = pin!(change(shared, due));
    if scope.until_cancelled(change).await.is_none() {
        shared.close();
    }
}

/// Until something has come or is due.
async fn change<T>(shared: &Shared<T>, due: Option<Duration>) {
    let woken = pin!(shared.wake.notified());
    let timer = pin!(async {
        match due {
            Some(due) => tokio::time::sleep(due).await,
            None => pending().await,
        }
    });
    select(woken, timer).await;
}
