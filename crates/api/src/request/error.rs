//! What is wrong with the parameters of a read, in the words that Loki uses.

use larch_types::{ErrorKind, InvalidSpan};

use super::form::InvalidForm;
use super::values::{InvalidDuration, InvalidNumber};

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ParamError {
    #[error(transparent)]
    Form(#[from] InvalidForm),
    #[error("could not parse 'since' parameter: {0}")]
    Since(InvalidSpan),
    #[error("could not parse 'end' parameter: {0}")]
    End(InvalidNumber),
    #[error("could not parse 'start' parameter: {0}")]
    Start(InvalidNumber),
    #[error("end timestamp must not be before or equal to start time")]
    EndBeforeStart,
    /// A limit or the time of an instant query.
    #[error(transparent)]
    Number(#[from] InvalidNumber),
    #[error("limit must be a positive value")]
    LimitNotPositive,
    #[error("limit value {0} is out of range [0, {max}]", max = u32::MAX)]
    LimitOutOfRange(i64),
    #[error("invalid direction '{0}'")]
    Direction(String),
    /// A step or an interval.
    #[error(transparent)]
    Duration(#[from] InvalidDuration),
    #[error("zero or negative query resolution step widths are not accepted. Try a positive integer")]
    StepNotPositive,
    #[error(
        "exceeded maximum resolution of 11,000 points per time series. Try increasing the value of the step \
         parameter"
    )]
    TooManyPoints,
    #[error("interval must be >= 0")]
    NegativeInterval,
    #[error("invalid aggregation option")]
    Aggregation,
    #[error("targetBytesPerShard must be a positive value")]
    TargetBytes,
}

impl ParamError {
    pub fn kind(&self) -> ErrorKind {
        ErrorKind::Invalid
    }
}
