//! What the queue knows, and how it changes. Nothing waits in here.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use larch_proto::{Piece, PieceId, ReportHead};
use larch_rpc::Deadline;
use larch_types::{Monotonic, NodeId};
use tokio::sync::mpsc;

use super::fifo::{Fifo, Turn};
use super::{Event, Owner, QueueError, Share};

#[derive(Default)]
pub(super) struct State {
    fifo: Fifo,
    pieces: BTreeMap<u64, Waited>,
    workers: BTreeMap<NodeId, Worker>,
    /// Of owners that may have some of the workers only.
    shares: BTreeMap<Arc<str>, Share>,
    /// Workers that vanished, and when. They keep their places among those of an owner for a time, so that a
    /// query that brings workers down does not go from one to the next.
    vanished: BTreeMap<NodeId, Monotonic>,
    forget_after: Duration,
    next_piece: u64,
    next_pull: u64,
    closed: bool,
    /// The owners of the newest piece and of the newest one before it that was another's, with the times.
    latest: [Option<(Arc<str>, Monotonic)>; 2],
}

/// A worker with fewer places than this gives all of them to whoever comes.
const PLACES_TO_SHARE: usize = 4;
/// So long an owner who is not there now counts as one who may come: people who look at logs ask every few
/// seconds.
const COMES_BACK: Duration = Duration::from_secs(10);

/// Workers that vanish faster than they are forgotten come from something else than queries.
const MOST_VANISHED: usize = 1000;

/// A piece that somebody waits for.
struct Waited {
    owner: Arc<str>,
    /// Gone once it was handed out.
    piece: Option<Box<Piece>>,
    deadline: Deadline,
    submitted: Monotonic,
    /// When all of these are gone without a last part, the piece is lost.
    events: mpsc::Sender<Event>,
    holder: Option<NodeId>,
    reporting: bool,
}

struct Worker {
    /// The number of its newest pull; older ones are over.
    pull: u64,
    concurrency: usize,
    /// What it works on, as far as it was told.
    held: BTreeSet<u64>,
    /// What it has not been told to stop yet; held all the while.
    cancels: VecDeque<u64>,
    /// Since when it has no pull, if it may come back.
    absent_since: Option<Monotonic>,
}

/// What a worker is to be told next.
pub(super) enum NextUp {
    /// With the time that the piece has waited.
    Piece(Box<Piece>, Duration),
    Cancel(PieceId),
    /// Nothing for now.
    Wait,
    /// Nothing ever again.
    Over,
}

impl State {
    pub(super) fn new(forget_after: Duration) -> Self {
        Self { forget_after, ..Self::default() }
    }

    /// Puts a piece into its owner's line; only new ones are bounded in number.
    pub(super) fn submit(
        &mut self,
        Owner { name: owner, share }: &Owner,
        piece: Piece,
        (deadline, now): (Deadline, Monotonic),
        (turn, max_waiting): (Turn, usize),
        events: mpsc::Sender<Event>,
    ) -> Result<PieceId, QueueError> {
        if self.closed {
            return Err(QueueError::Closed);
        }
        if turn == Turn::Last && self.fifo.len(owner) >= max_waiting {
            return Err(QueueError::Full);
        }
        self.note(owner, now);
        if share.is_all() {
            self.shares.remove(owner);
        } else {
            self.shares.insert(Arc::clone(owner), *share);
        }
        self.next_piece += 1;
        let id = self.next_piece;
        let waited = Waited {
            owner: Arc::clone(owner),
            piece: Some(Box::new(Piece { id: PieceId(id), ..piece })),
            deadline,
            submitted: now,
            events,
            holder: None,
            reporting: false,
        };
        self.pieces.insert(id, waited);
        self.fifo.push(owner, id, turn);
        Ok(PieceId(id))
    }

    fn note(&mut self, owner: &Arc<str>, now: Monotonic) {
        let [newest, before] = &mut self.latest;
        if newest.as_ref().is_some_and(|(known, _)| known != owner) {
            *before = newest.take();
        }
        *newest = Some((Arc::clone(owner), now));
    }

    /// A worker begins to pull, or begins anew. Gives the number of the pull.
    pub(super) fn enter(&mut self, worker: NodeId, concurrency: u32) -> u64 {
        self.next_pull += 1;
        self.vanished.remove(&worker);
        let known = self.workers.entry(worker).or_insert_with(|| Worker {
            pull: 0,
            concurrency: 0,
            held: BTreeSet::new(),
            cancels: VecDeque::new(),
            absent_since: None,
        });
        known.pull = self.next_pull;
        known.concurrency = usize::try_from(concurrency).unwrap_or(usize::MAX);
        known.absent_since = None;
        self.next_pull
    }

    pub(super) fn next_up(&mut self, node: NodeId, pull: u64, now: Monotonic) -> NextUp {
        let ranked: Vec<NodeId> = match self.shares.is_empty() {
            true => Vec::new(),
            false => self.workers.keys().chain(self.vanished.keys()).copied().collect(),
        };
        let Some(worker) = self.workers.get_mut(&node).filter(|worker| worker.pull == pull) else {
            return NextUp::Over;
        };
        if self.closed {
            return NextUp::Over;
        }
        if let Some(id) = worker.cancels.pop_front() {
            worker.held.remove(&id);
            return NextUp::Cancel(PieceId(id));
        }
        if worker.held.len() >= worker.concurrency {
            return NextUp::Wait;
        }
        let served = if worker.concurrency >= PLACES_TO_SHARE {
            well_served(&worker.held, &self.pieces, worker.concurrency - 1)
        } else {
            None
        };
        let passed_over = served.filter(|owner| has_others(&self.latest, owner, now));
        let shares = &self.shares;
        let is_wanted = |owner: &Arc<str>| {
            let share = shares.get(owner).copied().unwrap_or_default();
            Some(owner) != passed_over.as_ref() && share.has(owner, node, &ranked)
        };
        while let Some(id) = self.fifo.pop(is_wanted) {
            let Some(waited) = self.pieces.get_mut(&id) else { continue };
            let piece = waited.piece.take().filter(|_| !waited.deadline.has_passed());
            let Some(mut piece) = piece else {
                self.pieces.remove(&id);
                continue;
            };
            let time = now.since(waited.submitted);
            // The first event of a piece always has room.
            waited.events.try_send(Event::Begun(time)).ok();
            waited.holder = Some(node);
            worker.held.insert(id);
            piece.time_left = waited.deadline.time_left();
            return NextUp::Piece(piece, time);
        }
        NextUp::Wait
    }

    /// A pull is over. The worker may be expected back; otherwise what it worked on is lost.
    pub(super) fn leave(&mut self, node: NodeId, pull: u64, returns: bool, now: Monotonic) {
        let Some(worker) = self.workers.get_mut(&node).filter(|worker| worker.pull == pull) else { return };
        if returns {
            worker.absent_since = Some(now);
        } else {
            self.lose(node, now);
        }
    }

    /// Gives up workers that have been expected back for too long, and forgets who vanished long ago.
    pub(super) fn lose_absent(&mut self, now: Monotonic, patience: Duration) -> bool {
        let forget_after = self.forget_after;
        self.vanished.retain(|_, since| now.since(*since) < forget_after);
        let fifo = &self.fifo;
        self.shares.retain(|owner, _| fifo.len(owner) > 0);
        let is_late = |worker: &Worker| worker.absent_since.is_some_and(|since| now.since(since) >= patience);
        let late: Vec<NodeId> =
            self.workers.iter().filter(|(_, worker)| is_late(worker)).map(|(node, _)| *node).collect();
        for node in &late {
            self.lose(*node, now);
        }
        !late.is_empty()
    }

    /// A report that has begun goes on: whether it is whole is seen at its end.
    fn lose(&mut self, node: NodeId, now: Monotonic) {
        let Some(worker) = self.workers.remove(&node) else { return };
        if !self.forget_after.is_zero() && self.vanished.len() < MOST_VANISHED {
            self.vanished.insert(node, now);
        }
        for id in worker.held {
            if self.pieces.get(&id).is_some_and(|waited| !waited.reporting) {
                self.pieces.remove(&id);
            }
        }
    }

    /// Where the parts of a report go; none if nobody waits for them, or not from this worker.
    pub(super) fn begin_report(&mut self, head: ReportHead) -> Option<mpsc::Sender<Event>> {
        let waited = self.pieces.get_mut(&head.piece.0)?;
        if waited.holder != Some(head.worker) || waited.reporting {
            return None;
        }
        waited.reporting = true;
        Some(waited.events.clone())
    }

    /// The piece is answered, or never will be by this report.
    pub(super) fn end_report(&mut self, id: PieceId) {
        let holder = self.pieces.remove(&id.0).and_then(|waited| waited.holder);
        if let Some(worker) = holder.and_then(|node| self.workers.get_mut(&node)) {
            worker.held.remove(&id.0);
        }
    }

    /// Nobody waits for the piece any more.
    pub(super) fn forget(&mut self, id: PieceId) {
        // A report notices by itself that its parts go nowhere.
        let Some(waited) = self.pieces.get(&id.0).filter(|waited| !waited.reporting) else { return };
        match waited.holder.and_then(|node| self.workers.get_mut(&node)) {
            Some(worker) => worker.cancels.push_back(id.0),
            None => self.fifo.remove(&waited.owner, id.0),
        }
        self.pieces.remove(&id.0);
    }

    /// Takes no more pieces, and lets go of those that wait.
    pub(super) fn close(&mut self) {
        self.closed = true;
        self.fifo = Fifo::default();
        self.pieces.retain(|_, waited| waited.holder.is_some());
    }

    /// How many pieces wait, by owner.
    pub(super) fn lengths(&self) -> Vec<(Arc<str>, usize)> {
        self.fifo.lengths().map(|(owner, length)| (Arc::clone(owner), length)).collect()
    }

    /// How many workers pull.
    pub(super) fn workers(&self) -> usize {
        self.workers.values().filter(|worker| worker.absent_since.is_none()).count()
    }
}

/// Who has all places of a worker but one. That one it is not given while others may come, who would have to wait
/// for its pieces, which may be long.
fn well_served(held: &BTreeSet<u64>, pieces: &BTreeMap<u64, Waited>, most: usize) -> Option<Arc<str>> {
    let mut counts: BTreeMap<&Arc<str>, usize> = BTreeMap::new();
    for waited in held.iter().filter_map(|id| pieces.get(id)) {
        let count = counts.entry(&waited.owner).or_default();
        *count += 1;
        if *count >= most {
            return Some(Arc::clone(&waited.owner));
        }
    }
    None
}

/// Whether there are others for whom a place is worth keeping.
fn has_others(latest: &[Option<(Arc<str>, Monotonic)>; 2], owner: &Arc<str>, now: Monotonic) -> bool {
    latest.iter().flatten().any(|(known, time)| known != owner && now.since(*time) < COMES_BACK)
}
