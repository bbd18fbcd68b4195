//! The reference evaluator: what a query answers, row by row, with no other aim than to be exact. Whatever
//! runs queries faster must give the same answers.
//!
//! It is handed rows of any streams in any order, some of them several times, and does the rest: it picks
//! streams, runs pipelines, removes duplicates, orders, limits, makes samples, windows and series. It reads
//! no clock and does no IO, and what it holds is bounded by [`EvalLimits`].

mod budget;
mod error;
mod labels;
mod live;
mod logs;
mod metric;
mod range;
mod result;
mod row;
mod steps;
mod streams;
mod vector;

pub use budget::{EvalLimits, Memory};
pub use error::EvalError;
pub use labels::LabelSet;
pub use live::LivePipeline;
pub use logs::{Direction, LogEvaluation, LogParams};
pub(crate) use metric::needed_stages;
pub use metric::{MetricEvaluation, MetricProgram, RangeQuery, Sampler, SeriesLabels};
pub use range::{Point, Window as SampleWindow, evaluate as evaluate_window, quantile_of};
pub use result::{
    EntryLabels, LogRow, MetricAnswer, Origin, Sample, Series, StreamKey, StreamRows, group_rows,
};
pub use row::{CountedRows, Identity, InputRow};
pub use steps::Steps;
