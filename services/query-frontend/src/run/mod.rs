//! Has pieces answered: puts them into the queue, gathers what workers bring, tries again what they lost. What
//! is being answered already is not asked twice, and what is kept is not answered again.

mod caches;
mod flights;
mod gather;
mod thin;
mod tries;

use std::sync::Arc;

use futures_util::{StreamExt, TryStreamExt, stream};
use larch_proto::Piece;
use larch_rpc::Deadline;
use larch_types::Timestamp;

pub(crate) use caches::{AnswerCache, Caches};
pub(crate) use gather::{Gathered, Memory};
pub(crate) use thin::Thinning;

use crate::error::ReadError;
use crate::queue::{Owner, Queue};
use crate::watch::Metrics;
use flights::{Flights, key_of};
use tries::Try;

/// Runs the pieces of queries. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Runner {
    pub(crate) queue: Arc<Queue>,
    metrics: Metrics,
    /// How often a piece is tried.
    max_tries: u32,
    flights: Arc<Flights>,
}

/// The pieces of one query, and how they are to be run.
pub(crate) struct Job {
    /// Whose turn in the queue they take.
    pub(crate) owner: Owner,
    pub(crate) pieces: Vec<Piece>,
    /// Of the query.
    pub(crate) deadline: Deadline,
    /// How many pieces may be in the queue or with workers at a time.
    pub(crate) parallelism: u32,
    /// Of the query.
    pub(crate) memory: Arc<Memory>,
    pub(crate) sharing: Sharing,
}

/// Whether an answer may be given to others, now or later.
#[derive(Clone)]
pub(crate) enum Sharing {
    /// It is this query's own.
    Alone,
    /// Its rows are thinned out as they come, from where the piece before ended.
    Thinned(Thinning),
    /// Others that ask the same at the same time get it too.
    WithOthers(Option<Keeping>),
}

/// Where answers are kept.
#[derive(Clone)]
pub(crate) struct Keeping {
    pub(crate) cache: Arc<AnswerCache>,
    /// Only those about rows before this time.
    pub(crate) until: Timestamp,
}

impl Runner {
    pub(crate) fn new(queue: Arc<Queue>, metrics: Metrics, max_tries: u32) -> Self {
        Self { queue, metrics, max_tries, flights: Arc::default() }
    }

    /// What the workers brought, piece by piece. The first failure ends all pieces.
    ///
    /// # Cancel safety
    /// Dropping the future lets go of all pieces that nobody else waits for: those that wait are taken out of
    /// the queue, and the workers of the others are told.
    pub(crate) async fn run(&self, mut job: Job) -> Result<Vec<Gathered>, ReadError> {
        let at_once = usize::try_from(job.parallelism.max(1)).unwrap_or(usize::MAX);
        let pieces = std::mem::take(&mut job.pieces);
        let running: Vec<_> = pieces.into_iter().map(|piece| self.run_piece(&job, piece)).collect();
        let all = stream::iter(running).buffered(at_once).try_collect();
        match tokio::time::timeout(job.deadline.time_left(), all).await {
            Ok(gathered) => gathered,
            Err(_) => Err(ReadError::TimedOut),
        }
    }

    async fn run_piece(&self, job: &Job, mut piece: Piece) -> Result<Gathered, ReadError> {
        let memory = Arc::clone(&job.memory);
        let keeping = match &job.sharing {
            Sharing::Alone => return self.tries(job, piece).answer(None, &memory).await,
            Sharing::Thinned(thinning) => {
                return self.tries(job, piece).answer(Some(thinning.clone()), &memory).await;
            }
            Sharing::WithOthers(keeping) => keeping,
        };
        let key = key_of(&piece);
        let cache = keeping.as_ref().filter(|keeping| piece.end <= keeping.until);
        let cache = cache.map(|keeping| Arc::clone(&keeping.cache));
        let kept = match &cache {
            Some(cache) => cache.get(&key).await,
            None => None,
        };
        piece.keeps_answer = cache.is_some();
        piece.kept = kept.as_ref().map(|kept| kept.facts);
        let (alone, held) = (piece.clone(), Arc::clone(&memory));
        let tries = self.tries(job, piece);
        let (answer, is_own) = self.flights.enter(&key.clone(), move || async move {
            let gathered = tries.answer(None, &held).await?;
            match cache {
                Some(cache) => cache.settle(key, kept, gathered).await,
                None => Ok(Arc::new(gathered)),
            }
        });
        match answer.await {
            Ok(shared) => {
                // What this query did not gather itself it holds all the same.
                if !is_own || shared.was_kept {
                    memory.take(shared.bytes)?;
                }
                Ok(Arc::unwrap_or_clone(shared))
            }
            Err(error) if is_own => Err(error),
            // Whose time and memory ran out says nothing of others.
            Err(_) => self.tries(job, alone).answer(None, &memory).await,
        }
    }

    fn tries(&self, job: &Job, piece: Piece) -> Try {
        Try {
            queue: Arc::clone(&self.queue),
            metrics: self.metrics.clone(),
            max_tries: self.max_tries,
            owner: job.owner.clone(),
            piece,
            deadline: job.deadline,
        }
    }
}
