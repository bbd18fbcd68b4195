//! Rows in memory: batches of columns, and the arena that collects them.

pub(crate) mod arena;
pub(crate) mod batch;
mod generation;
pub(crate) mod room;
pub(crate) mod sealed;
pub(crate) mod snapshot;
pub(crate) mod spares;
