//! Rows of stored segments: asked of a planner once the ingesters have answered, read chunk by chunk, and
//! given in the order of time, as those of an ingester are.

mod late;
mod needles;
mod open;
mod planner;
mod reader;
mod rows;
mod units;

pub(crate) use late::LateTie;
pub(crate) use open::unplanned;
pub(super) use planner::plan;
pub(crate) use planner::{ask, refuse_deletes, scope};
pub(crate) use reader::{ChunkPlace, Pages, Reader, Spent};
pub(super) use rows::StoredRows;
pub(crate) use units::{Unit, units};
