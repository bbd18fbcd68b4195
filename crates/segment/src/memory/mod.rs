//! Rows in memory: batches of columns, and the arena that collects them.

pub(crate) mod batch;
