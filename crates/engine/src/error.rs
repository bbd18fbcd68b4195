//! Why a chunk could not be taken in.

use larch_logql::EvalError;
use larch_segment::ReadError;

#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum ReadFailure {
    /// The query has no answer.
    #[error(transparent)]
    Query(#[from] EvalError),
    /// The chunk is not readable.
    #[error(transparent)]
    Chunk(#[from] ReadError),
    /// Whoever planned the read named rows that the chunk does not have.
    #[error("a plan names rows that are not there")]
    Plan,
}
