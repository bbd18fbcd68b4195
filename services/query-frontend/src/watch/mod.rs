//! What the frontend tells of itself: metrics, and one line for each query.

mod metrics;
mod record;

pub(crate) use metrics::{Metrics, QueueMetrics};
pub(crate) use record::{Asker, Facts, Kind, RangeType, Record, Watched, fnv1};
