//! One piece: tried until it is answered, or until it is of no use to go on.

use std::sync::Arc;
use std::time::Duration;

use larch_proto::Piece;
use larch_rpc::Deadline;
use larch_types::ErrorKind;

use super::gather::{Gathered, Memory, PieceEnd, gather};
use super::thin::Thinning;
use crate::error::ReadError;
use crate::queue::{Owner, Queue, Turn};
use crate::watch::Metrics;

/// A piece, and within what it is tried.
pub(super) struct Try {
    pub(super) queue: Arc<Queue>,
    pub(super) metrics: Metrics,
    pub(super) max_tries: u32,
    pub(super) owner: Owner,
    pub(super) piece: Piece,
    pub(super) deadline: Deadline,
}

/// The waits before a piece is tried again that failed for want of a service: as long as Loki's.
const FIRST_WAIT: Duration = Duration::from_millis(250);
const LONGEST_WAIT: Duration = Duration::from_secs(5);

impl Try {
    pub(super) async fn answer(
        self,
        thinning: Option<Thinning>,
        memory: &Arc<Memory>,
    ) -> Result<Gathered, ReadError> {
        let Self { queue, metrics, max_tries, owner, piece, deadline } = self;
        let mut turn = Turn::Last;
        let mut wait = FIRST_WAIT;
        for tries in 1.. {
            let ticket = queue.submit(&owner, piece.clone(), deadline, turn)?;
            let end = match gather(ticket, thinning.clone(), memory).await {
                Ok(gathered) => {
                    metrics.retries.observe(f64::from(tries - 1));
                    return Ok(gathered);
                }
                Err(end) => end,
            };
            let is_last = tries >= max_tries || deadline.has_passed();
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
        Err(ReadError::Lost(max_tries))
    }
}
