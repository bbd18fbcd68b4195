//! Stored segments: their footers and pages, read through caches, and what a plan says of them.
//!
//! Segments never change, so that what is cached is right for as long as it is there. Planners open footers
//! and make plans of them ([`Overlap`]); queriers read chunks from plans ([`PlannedSegment`]
//! carries all that takes) and fetch pages.
//!
//! [`PlannedSegment`]: larch_proto::PlannedSegment

mod bound;
mod counting;
mod entry;
mod error;
mod plan;
mod reader;

pub use bound::CacheBound;
pub use counting::Counting;
pub use entry::{entry_of, partition_of};
pub use error::SegmentError;
pub use plan::Overlap;
pub use reader::{Fetched, Segments};
