//! What a planner may know of a query without looking at data: which labels and literals matter to each of
//! its reads, and how it can be computed in parts.
//!
//! Every fact is safe: a part left out of account never changes an answer. Whatever cannot be proved from
//! the tree alone is answered with the careful choice (all labels, no literal, do not divide).

mod clock;
mod counted;
mod division;
mod scan;
mod window;

pub use clock::reads_clock;
pub use counted::{Countable, CountedRange, countable};
pub use division::{Division, Leg, Merge, divide};
pub use scan::{LabelNeed, LineNeed, Reach, Scan, reach, scans};
pub(crate) use scan::{pushed_grouping, range_scan};
