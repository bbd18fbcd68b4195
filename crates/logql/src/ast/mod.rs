//! The tree of a query. It holds what the text means, not how it was laid out: parentheses, comments and
//! the spelling of numbers are gone, two literals joined by an operator are one, and negated `or` chains of
//! line filters are separate filters, because that is what they mean.
//!
//! A tree made by the parser is bounded in depth (see [`MAX_DEPTH`]), so that walking it by recursion is safe.

mod label_filter;
mod metric;
mod ops;
mod stage;
mod text;

use larch_types::Matcher;

pub use label_filter::{CompareOp, LabelFilter};
pub use metric::{
    BinaryExpr, Group, Grouping, LabelReplace, LogRange, MetricExpr, RangeAggregation, Side, Unwrap,
    VectorAggregation, VectorMatching,
};
pub use ops::{BinaryOp, Conversion, RangeOp, VectorOp};
pub use stage::{
    Extraction, FormatValue, LabelFormat, LabelTarget, LineFilter, LineOp, LineOperand, Logfmt, Stage,
};
pub use text::Text;

/// How deeply aggregations, functions and the parentheses of a range may stand inside one another. The
/// parser recurses once a level; people's queries stay below ten.
pub const MAX_NESTING: usize = 100;

/// How many binary operators a query may have, and how deep a label filter may be. Chains such as
/// `a or b or c` become trees as deep as the chain is long, and printing, comparing and dropping recurse.
pub const MAX_DEPTH: usize = 1000;

/// A whole query.
#[derive(Debug, Clone, PartialEq)]
pub enum Expr {
    Log(LogExpr),
    Metric(MetricExpr),
}

/// `{app="x"} |= "error" | json`: streams, and what happens to each of their lines.
#[derive(Debug, Clone, PartialEq)]
pub struct LogExpr {
    /// All must hold. A label that is absent counts as empty.
    pub matchers: Vec<Matcher>,
    /// In the order written.
    pub pipeline: Vec<Stage>,
}
