//! Why a read has no answer, in the words that Loki uses.

use larch_api::{ParamError, TenantError};
use larch_logql::{EvalError, ParseError};
use larch_rpc::CallError;
use larch_types::ErrorKind;

use crate::limits::LimitError;
use crate::queue::QueueError;

#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub(crate) enum ReadError {
    #[error(transparent)]
    Tenant(#[from] TenantError),
    #[error("http: request body too large")]
    BodyTooLarge,
    #[error("the request's body did not arrive as a whole")]
    BodyBroken,
    #[error(
        "support for Parquet encoded responses is disabled. Enable with \
         -frontend.support-parquet-encoding=true"
    )]
    Parquet,
    #[error(transparent)]
    Param(#[from] ParamError),
    #[error(transparent)]
    Parse(#[from] ParseError),
    #[error("legacy endpoints only support streams result type")]
    LegacyMetric,
    #[error("the parts of a query cannot select different tenants")]
    TenantsDiffer,
    #[error(transparent)]
    Limit(#[from] LimitError),
    #[error(transparent)]
    Evaluation(#[from] EvalError),
    #[error(transparent)]
    Queue(#[from] QueueError),
    #[error(
        "request timed out, decrease the duration of the request or add more label matchers (prefer exact \
         match over regex match) to reduce the amount of data processed"
    )]
    TimedOut,
    #[error("the request was cancelled by the client")]
    Cancelled,
    /// Workers took a piece and vanished, again and again.
    #[error("no querier answered a piece of the query, which was tried {0} times")]
    Lost(u32),
    /// A worker's own words.
    #[error(transparent)]
    Piece(CallError),
    #[error("a querier sent an answer that cannot be read: {0}")]
    Malformed(String),
    #[error("not found")]
    VolumeDisabled,
    /// Loki answers without a word.
    #[error("")]
    PatternsDisabled,
}

impl ReadError {
    pub(crate) fn kind(&self) -> ErrorKind {
        match self {
            Self::Tenant(error) => error.kind(),
            Self::BodyTooLarge => ErrorKind::TooLarge,
            Self::Param(error) => error.kind(),
            Self::Parse(error) => error.kind(),
            Self::Limit(error) => error.kind(),
            Self::Evaluation(error) => error.kind(),
            Self::Queue(error) => error.kind(),
            Self::Piece(error) => error.kind(),
            Self::BodyBroken | Self::Parquet | Self::LegacyMetric | Self::TenantsDiffer => ErrorKind::Invalid,
            Self::TimedOut => ErrorKind::Timeout,
            Self::Cancelled => ErrorKind::Cancelled,
            Self::Lost(_) => ErrorKind::Unavailable,
            Self::Malformed(_) => ErrorKind::Internal,
            Self::VolumeDisabled | Self::PatternsDisabled => ErrorKind::NotFound,
        }
    }
}

impl From<CallError> for ReadError {
    /// Whose clock ran out, and who was told to stop, makes no difference to the client.
    fn from(error: CallError) -> Self {
        match error.kind() {
            ErrorKind::Timeout => Self::TimedOut,
            ErrorKind::Cancelled => Self::Cancelled,
            _ => Self::Piece(error),
        }
    }
}
