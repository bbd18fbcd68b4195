//! The queue between queries and workers: pieces wait in line, owner by owner in turn, until a worker pulls
//! them, and their answers come back here.
//!
//! A piece is never answered twice and never forgotten: it waits, or one worker holds it, or whoever waits
//! for it is told that it was lost. What to do then is the waiter's to decide.

mod fifo;
mod pull;
mod share;
mod state;

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use larch_proto::{Piece, PieceId, ResultPart};
use larch_rpc::{CallError, Deadline};
use larch_runtime::Env;
use larch_types::{ErrorKind, Monotonic, NodeId};
use tokio::sync::{mpsc, watch};

pub(crate) use fifo::Turn;
pub(crate) use pull::{SWEEP, ServedQueue, Sweep};
pub(crate) use share::Share;
use state::{NextUp, State};

use crate::watch::QueueMetrics;

pub(crate) struct Queue {
    state: Mutex<State>,
    /// Counts changes, so that pulls look again.
    changed: watch::Sender<u64>,
    env: Env,
    metrics: QueueMetrics,
    /// Of one owner.
    max_waiting: usize,
}

/// Whose pieces take turns with those of others.
#[derive(Debug, Clone)]
pub(crate) struct Owner {
    pub(crate) name: Arc<str>,
    pub(crate) share: Share,
}

/// Why a piece is not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum QueueError {
    #[error("too many outstanding requests")]
    Full,
    #[error("the query frontend is stopping")]
    Closed,
}

impl QueueError {
    pub(crate) fn kind(self) -> ErrorKind {
        match self {
            Self::Full => ErrorKind::TooMany,
            Self::Closed => ErrorKind::Unavailable,
        }
    }
}

/// What becomes of a piece.
#[derive(Debug)]
pub(crate) enum Event {
    /// A worker has it, after it waited so long.
    Begun(Duration),
    Part(ResultPart),
    /// The worker's answer is a failure.
    Failed(CallError),
}

/// Parts that may wait for whoever gathers them; a part has at most the size of a message.
const WAITING_PARTS: usize = 4;

/// Of whoever waits for a piece. Dropping it lets go of the piece.
pub(crate) struct Ticket {
    queue: Arc<Queue>,
    piece: PieceId,
    events: mpsc::Receiver<Event>,
}

impl Queue {
    /// A worker that vanished keeps its place among those of a tenant for so long.
    pub(crate) fn new(
        env: Env,
        metrics: QueueMetrics,
        max_waiting: usize,
        forget_after: Duration,
    ) -> Arc<Self> {
        let queue = Arc::new(Self {
            state: Mutex::new(State::new(forget_after)),
            changed: watch::Sender::new(0),
            env,
            metrics,
            max_waiting,
        });
        queue.metrics.show(&queue);
        queue
    }

    /// The queue sets the piece's id and the time that is left.
    pub(crate) fn submit(
        self: &Arc<Self>,
        owner: &Owner,
        piece: Piece,
        deadline: Deadline,
        turn: Turn,
    ) -> Result<Ticket, QueueError> {
        let (sender, events) = mpsc::channel(WAITING_PARTS);
        let (times, bounds) = ((deadline, self.now()), (turn, self.max_waiting));
        let taken = self.change(|state| state.submit(owner, piece, times, bounds, sender));
        match taken {
            Ok(piece) => {
                self.metrics.enqueued(&owner.name);
                Ok(Ticket { queue: Arc::clone(self), piece, events })
            }
            Err(error) => {
                self.metrics.discarded(&owner.name);
                Err(error)
            }
        }
    }

    /// Takes no more pieces, and ends all pulls.
    pub(crate) fn close(&self) {
        self.change(State::close);
    }

    /// How many pieces wait, by owner.
    pub(crate) fn lengths(&self) -> Vec<(Arc<str>, usize)> {
        self.lock().lengths()
    }

    /// How many workers pull.
    pub(crate) fn workers(&self) -> usize {
        self.lock().workers()
    }

    fn next_up(&self, worker: NodeId, pull: u64) -> NextUp {
        let next = self.lock().next_up(worker, pull, self.now());
        if let NextUp::Piece(_, waited) = &next {
            self.metrics.begun(*waited);
        }
        next
    }

    fn change<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        let changed = change(&mut self.lock());
        self.changed.send_modify(|count| *count = count.wrapping_add(1));
        changed
    }

    /// Nothing is awaited while it is held.
    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn changes(&self) -> watch::Receiver<u64> {
        self.changed.subscribe()
    }

    fn now(&self) -> Monotonic {
        self.env.clock.monotonic()
    }
}

impl Ticket {
    /// None: the worker vanished, or the queue was closed, before the last part.
    pub(crate) async fn next(&mut self) -> Option<Event> {
        self.events.recv().await
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        self.queue.change(|state| state.forget(self.piece));
    }
}
