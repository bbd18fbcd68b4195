//! What is done with the series of one time.

mod aggregate;
mod matching;
mod order;
mod replace;
mod scalar;

pub(crate) use aggregate::aggregate;
pub(crate) use matching::combine;
pub(crate) use order::{Direction, sort, top};
pub(crate) use replace::Replace;
pub(crate) use scalar::{calculate, with_literal};

use crate::eval::Sample;

/// The series of one time.
pub(crate) type Vector = Vec<Sample>;
