//! Has pieces answered: puts them into the queue, gathers what workers bring, tries again what they lost.

mod gather;
mod thin;

use std::sync::Arc;
use std::time::Duration;

use futures_util::{StreamExt, TryStreamExt, stream};
use larch_proto::Piece;
use larch_rpc::Deadline;
use larch_types::ErrorKind;

pub(crate) use gather::Gathered;
use gather::{Memory, PieceEnd, gather};
pub(crate) use thin::Thinning;

use crate::error::ReadError;
use crate::queue::{Queue, Turn};
use crate::watch::Metrics;

/// Runs the pieces of queries.
pub(crate) struct Runner {
    pub(crate) queue: Arc<Queue>,
    pub(crate) metrics: Metrics,
    /// How often a piece is tried.
    pub(crate) max_tries: u32,
}

/// The pieces of one query, and how they are to be run.
pub(crate) struct Job {
    /// Whose turn in the queue they take.
    pub(crate) owner: Arc<str>,
    pub(crate) pieces: Vec<Piece>,
    pub(crate) timeout: Duration,
    /// How many pieces may be in the queue or with workers at a time.
    pub(crate) parallelism: u32,
    /// For the rows of a log query.
    pub(crate) thinning: Option<Thinning>,
}

/// The waits before a piece is tried again that failed for want of a service: as long as Loki's.
const FIRST_WAIT: Duration = Duration::from_millis(250);
const LONGEST_WAIT: Duration = Duration::from_secs(5);

impl Runner {
    /// What the workers brought, piece by piece. The first failure ends all pieces.
    ///
    /// # Cancel safety
    /// Dropping the future lets go of all pieces: those that wait are taken out of the queue, and the
    /// workers of the others are told.
    pub(crate) async fn run(&self, job: Job) -> Result<Vec<Gathered>, ReadError> {
        let memory = Memory::default();
        let deadline = Deadline::after(job.timeout);
        let at_once = usize::try_from(job.parallelism.max(1)).unwrap_or(usize::MAX);
        let running = |piece| self.run_piece(&job.owner, piece, deadline, job.thinning.clone(), &memory);
        let pieces: Vec<_> = job.pieces.into_iter().map(running).collect();
        let all = stream::iter(pieces).buffered(at_once).try_collect();
        match tokio::time::timeout(deadline.time_left(), all).await {
            Ok(gathered) => gathered,
            Err(_) => Err(ReadError::TimedOut),
        }
    }

    async fn run_piece(
        &self,
        owner: &Arc<str>,
        piece: Piece,
        deadline: Deadline,
        thinning: Option<Thinning>,
        memory: &Memory,
    ) -> Result<Gathered, ReadError> {
        let mut turn = Turn::Last;
        let mut wait = FIRST_WAIT;
        for tries in 1.. {
            let ticket = self.queue.submit(owner, piece.clone(), deadline, turn)?;
            let end = match gather(ticket, thinning.clone(), memory).await {
                Ok(gathered) => {
                    self.metrics.retries.observe(f64::from(tries - 1));
                    return Ok(gathered);
                }
                Err(end) => end,
            };
            let is_last = tries >= self.max_tries || deadline.has_passed();
            match end {
                PieceEnd::Lost if is_last => return Err(ReadError::Lost(tries)),
                // It has waited for its turn already.
                PieceEnd::Lost => turn = Turn::First,
                PieceEnd::Failed(ReadError::Piece(error))
                    if error.kind() == ErrorKind::Unavailable && !is_last =>
                {
                    tokio::time::sleep(wait).await;
                    wait = (wait * 2).min(LONGEST_WAIT);
                    turn = Turn::First;
                }
                PieceEnd::Failed(error) => return Err(error),
            }
        }
        Err(ReadError::Lost(self.max_tries))
    }
}
