//! What footers, and times where they do not decide, say about chosen rows.

pub(crate) mod estimate;
mod first_rows;
pub(crate) mod histogram;
pub(crate) mod labels;
pub(crate) mod plan;

/// Segments of one call that are looked at at a time: their footers may still be far away.
const PARALLEL_SEGMENTS: usize = 16;
