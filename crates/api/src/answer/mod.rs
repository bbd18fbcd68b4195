//! What the read endpoints answer: bytes, written as they go out, without a tree in between. Keys stand in
//! the order that clients read in one pass rely on.

mod explain;
mod label_text;
mod lists;
mod logs;
mod numbers;
mod pieces;
mod samples;
mod statistics;
mod strings;

#[cfg(test)]
mod tests;

pub(crate) use label_text::object;
pub(crate) use lists::string_array;
pub(crate) use numbers::whole as number;
pub(crate) use strings::{Escaping, string};

pub use explain::{Explained, ExplainedPiece, PathTaken, explains};
pub use lists::{
    DetectedField, DetectedLabel, Volume, detected_fields, detected_labels, detected_values,
    drilldown_limits, format_answer, index_statistics, legacy_list, name_list, patterns, series, shards,
    volumes,
};
pub use logs::{LogRows, legacy_logs, logs};
pub use numbers::{byte_text, sample_value};
pub use pieces::Pieces;
pub use samples::metric;
pub use statistics::Statistics;
pub use strings::{json_string, json_text};
