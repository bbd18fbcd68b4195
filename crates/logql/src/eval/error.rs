//! Why a query has no answer, in the words that Loki uses.

use larch_types::{ByteSize, ErrorKind, Span};

use crate::ast::Side;
use crate::error::ParseError;
use crate::eval::LabelSet;

#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum EvalError {
    /// A stage, a matcher or a function's regex cannot be built.
    #[error(transparent)]
    Build(#[from] ParseError),
    /// A sample carries an error that nothing in the query deals with.
    #[error(
        "pipeline error: '{error}' for series: '{series}'.\n\
         Use a label filter to intentionally skip this error. (e.g | __error__!=\"{error}\").\n\
         To skip all potential errors you can match empty errors.(e.g __error__=\"\")\n\
         The label filter can also be specified after unwrap. (e.g | unwrap latency | __error__=\"\" )\n"
    )]
    Pipeline { error: String, series: LabelSet },
    #[error(
        "maximum number of series ({0}) reached for a single query; consider reducing query cardinality by \
         adding more specific stream selectors, reducing the time range, or aggregating results with \
         functions like sum(), count() or topk()"
    )]
    TooManySeries(usize),
    #[error(
        "found duplicate series on the {} hand-side;many-to-many matching not allowed: \
         matching labels must be unique on one side", .0.as_str()
    )]
    ManyToMany(Side),
    #[error("multiple matches for labels: many-to-one matching must be explicit (group_left/group_right)")]
    ManyToOne,
    #[error("multiple matches for labels: grouping labels must ensure unique matches")]
    GroupingNotUnique,
    #[error("count min sketches are only supported on instant queries")]
    SketchOverRange,
    /// An aggregation of a number that has no series.
    #[error("unexpected expr type (*syntax.LiteralExpr) for Evaluator type (*logql.DefaultEvaluator) ")]
    LiteralOperand,
    #[error("[interval] value exceeds limit: [{}] > [{}]", .range.to_prometheus(), .limit.to_prometheus())]
    RangeTooLong { range: Span, limit: Span },
    #[error("label_replace makes a value of more than {0} bytes")]
    LabelTooLong(usize),
    #[error(
        "the query needs more memory than a single query may use (limit: {0}); consider adding more \
         specific stream selectors, reducing the time range, or aggregating results with functions like \
         sum(), count() or topk()"
    )]
    TooMuchMemory(ByteSize),
}

impl EvalError {
    /// Whoever asked can ask for something else.
    pub fn kind(&self) -> ErrorKind {
        ErrorKind::Invalid
    }
}
