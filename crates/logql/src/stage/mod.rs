//! The stages of a pipeline as functions on rows: what each does with odd input is exact.
//!
//! A stage is built once from plain arguments and then run on many rows. It changes the row and says
//! whether the row stays. It never fails: what goes wrong is noted on the row, as two labels.

mod decolorize;
mod drop;
mod error;
mod fuzz;
mod hints;
mod ip;
mod json;
mod json_fields;
mod json_paths;
mod keep;
mod label_filter;
mod label_format;
mod labels;
mod line_filter;
mod line_format;
mod logfmt;
mod logfmt_keys;
mod logfmt_reader;
mod name;
mod path;
mod pattern;
mod pipeline;
mod regexp;
mod row;
mod scan;
mod text;
mod unpack;
mod unwrap;

pub use decolorize::Decolorize;
pub use drop::{DropLabels, Selected};
pub use error::{ErrorName, InvalidPath, StageError};
pub use fuzz::fuzz_stages;
pub use hints::Hints;
pub use ip::IpPattern;
pub use json::Json;
pub use json_fields::json_fields;
pub use json_paths::JsonPaths;
pub use keep::KeepLabels;
pub use label_filter::{Comparison, LabelFilter, Quantity};
pub use label_format::{LabelFormat, LabelFormatItem};
pub use labels::{Category, LabelRef, RowLabels};
pub use line_filter::{LineFilter, LineFilterOp, LineOperand};
pub use line_format::LineFormat;
pub use logfmt::{Logfmt, LogfmtFlags};
pub use logfmt_keys::LogfmtKeys;
pub use path::JsonPath;
pub use pattern::{Pattern, PatternPart};
pub use pipeline::{Pipeline, Stage};
pub use regexp::Regexp;
pub use row::Row;
pub use unpack::Unpack;
pub use unwrap::{Conversion, Unwrap};

pub(crate) use labels::Extracted;
pub(crate) use logfmt_reader::LogfmtReader;
pub(crate) use regexp::labels_of;
pub(crate) use scan::{Members, ValueKind};
pub(crate) use text::{push_readable, push_unescaped};

#[cfg(test)]
mod tests;
