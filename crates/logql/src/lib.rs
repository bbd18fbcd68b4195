//! LogQL: text to tree and back, its checks, and the exact meaning of every stage and operator as
//! plain functions over rows.
//!
//! It does no IO and does not know where logs are kept: no runtime, no clock, no storage.
//!
//! [`parse`] makes a tree ([`Expr`]) of a query or says why it cannot, in Loki's words and with Loki's
//! positions. Printing a tree gives its text on one line, [`pretty`] lays it out; both parse to the same tree.
//! [`LogEvaluation`] and [`MetricEvaluation`] are handed rows and say what a tree comes to.

mod ast;
mod build;
mod check;
mod compile;
mod discover;
mod error;
mod eval;
mod facts;
mod float;
mod forms;
mod fuzz;
mod lex;
mod parse;
mod pattern;
mod print;
mod regex;
/// Its machines have the names of what they run in the tree, so that they keep a module of their own.
pub mod stage;
mod weight;

pub use ast::{
    BinaryExpr, BinaryOp, CompareOp, Conversion, Expr, Extraction, FormatValue, Group, Grouping, LabelFilter,
    LabelFormat, LabelReplace, LabelTarget, LineFilter, LineOp, LineOperand, LogExpr, LogRange, Logfmt,
    MAX_DEPTH, MAX_NESTING, MetricExpr, RangeAggregation, RangeOp, Side, Stage, Text, Unwrap,
    VectorAggregation, VectorMatching, VectorOp,
};
pub use build::build_line_filter;
pub use check::{check_stages, front_filters, run_order};
pub use discover::{
    FieldFinder, InvalidName, LevelDetector, fuzz_fields, fuzz_level, normalized_name, readable_value,
    service_name,
};
pub use error::{MAX_QUERY_BYTES, Meaningless, ParseError};
pub use eval::{
    CountedRows, Direction, EntryLabels, EvalError, EvalLimits, Identity, InputRow, LabelSet, LivePipeline,
    LogEvaluation, LogParams, LogRow, Memory, MetricAnswer, MetricEvaluation, MetricProgram, Origin, Point,
    RangeQuery, Sample, SampleWindow, Sampler, Series, SeriesLabels, Steps, StreamKey, StreamRows,
    evaluate_window, group_rows, quantile_of,
};
pub use facts::{
    Countable, CountedRange, Division, LabelNeed, Leg, LineNeed, LineSearch, Merge, Reach, Scan, countable,
    divide, line_search, range_scan, reach, reads_clock, scans,
};
pub use forms::{FormPart, FormReader, FormReading, LineForm, SlotBytes};
pub use fuzz::fuzz_parse;
pub use parse::{parse, parse_any_selector, parse_log, parse_metric, parse_selector};
pub use pattern::{InvalidPattern, Pattern, PatternPart};
pub use print::pretty;
pub use regex::{
    AnyOf, Flavor, LabelMatcher, Needle, Regex, RegexError, RegexFault, Required, compile_for_template,
    fuzz_regex,
};
