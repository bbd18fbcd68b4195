//! What a planner may know of a query without looking at data: which labels and literals matter to each of
//! its reads, and how it can be computed in parts.
//!
//! Every fact is safe: a part left out of account never changes an answer. Whatever cannot be proved from
//! the tree alone is answered with the careful choice (all labels, no literal, do not split).

mod counted;
mod scan;
mod shard;
mod window;

pub use counted::{Countable, CountedRange, countable};
pub use scan::{LabelNeed, LineNeed, Reach, Scan, reach, scans};
pub(crate) use scan::{pushed_grouping, range_scan};
pub use shard::{Merge, ShardSplit, shard_split};
pub use window::{Window, WindowSplit, window_split};
