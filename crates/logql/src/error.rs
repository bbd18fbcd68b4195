//! Why a text is no query, in the words that Loki uses: clients show them, and Grafana looks for
//! `parse error` and for the position.

use larch_template::InvalidFloat;
use larch_types::ErrorKind;

use crate::ast::{BinaryOp, RangeOp, Side, VectorOp};
use crate::float::six_decimals;

/// Queries of this many bytes or more are refused unread, as Loki does.
pub const MAX_QUERY_BYTES: usize = 131_072;

#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum ParseError {
    /// The text stops making sense at a place.
    #[error("parse error at line {line}, col {column}: {reason}")]
    At { line: usize, column: usize, reason: String },
    /// An empty query has no places.
    #[error("parse error : syntax error: unexpected $end")]
    Empty,
    /// The text is well-formed and means nothing.
    #[error("parse error : {0}")]
    Meaning(#[from] Meaningless),
    /// A stage cannot be built.
    #[error("parse error : stage '{stage}' : {reason}")]
    Stage { stage: String, reason: String },
    #[error("only log selector is supported")]
    NotALogQuery,
    #[error("only sample expression supported")]
    NotAMetricQuery,
    #[error("only label matchers are supported")]
    NotASelector,
}

/// What a well-formed query cannot mean.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum Meaningless {
    #[error("input size too long ({0} > {MAX_QUERY_BYTES})")]
    TooLong(usize),
    #[error(
        "queries require at least one regexp or equality matcher that does not have an empty-compatible value. \
         For instance, app=~\".*\" does not meet this requirement, but app=~\".+\" will"
    )]
    SelectsEverything,
    #[error("grouping not allowed for {0} aggregation")]
    Grouping(&'static str),
    #[error("invalid aggregation {} with unwrap", .0.as_str())]
    WithUnwrap(RangeOp),
    #[error("invalid aggregation {} without unwrap", .0.as_str())]
    WithoutUnwrap(RangeOp),
    #[error("parameter {parameter} not supported for operation {}", .op.as_str())]
    RangeParameter { op: RangeOp, parameter: String },
    #[error("invalid parameter for operation {}: {error}", .op.as_str())]
    BadRangeParameter { op: RangeOp, error: InvalidFloat },
    #[error("parameter required for operation {0}")]
    ParameterRequired(&'static str),
    #[error("invalid parameter {}({parameter},", .op.as_str())]
    CountNotInteger { op: VectorOp, parameter: String },
    #[error("invalid parameter (must be greater than 0) {}({parameter}", .op.as_str())]
    CountNotPositive { op: VectorOp, parameter: String },
    #[error("unsupported parameter for operation {}({parameter},", .op.as_str())]
    VectorParameter { op: VectorOp, parameter: String },
    #[error("sort and sort_desc doesn't allow grouping by ")]
    SortGrouping,
    #[error(
        "unexpected literal for {} leg of logical/set binary operation ({}): {}",
        .side.as_str(), .op.as_str(), six_decimals(*.value)
    )]
    LiteralLeg { op: BinaryOp, side: Side, value: f64 },
    /// Loki names its own Go types here, and so does everybody who searches for the text.
    #[error(
        "unexpected type for {} leg of binary operation ({}): *syntax.{}",
        .side.as_str(), .op.as_str(), if *.has_pipeline { "PipelineExpr" } else { "MatchersExpr" }
    )]
    LogLeg { op: BinaryOp, side: Side, has_pipeline: bool },
    #[error("invalid regex in label_replace: {0}")]
    LabelReplaceRegex(String),
    #[error("unable to parse literal as a float: {0}")]
    Literal(InvalidFloat),
    #[error("unable to parse vectorExpr as a float: {0}")]
    Vector(InvalidFloat),
    #[error("the regular expressions of the query are too large together")]
    HeavyRegexes,
    #[error("invalid regexp parser: {0}")]
    RegexpParser(String),
    #[error("invalid pattern parser: {0}")]
    PatternParser(String),
    #[error("{0}")]
    Regex(String),
}

impl ParseError {
    /// What does not parse is the client's mistake, always.
    pub fn kind(&self) -> ErrorKind {
        ErrorKind::Invalid
    }

    /// A mistake at a byte offset of the query.
    pub(crate) fn at(query: &str, offset: usize, has_line: bool, reason: String) -> Self {
        let before = &query[..offset];
        let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
        let line = if has_line { before.matches('\n').count() + 1 } else { 0 };
        Self::At { line, column: before[line_start..].chars().count() + 1, reason }
    }
}
