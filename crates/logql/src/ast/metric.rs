//! Expressions that make numbers out of lines.

use larch_types::{Matcher, Span};

use super::{BinaryOp, Conversion, LabelFilter, LogExpr, RangeOp, VectorOp};

#[derive(Debug, Clone, PartialEq)]
pub enum MetricExpr {
    Range(Box<RangeAggregation>),
    Vector(Box<VectorAggregation>),
    Binary(Box<BinaryExpr>),
    LabelReplace(Box<LabelReplace>),
    /// A number without labels. Two literals joined by an operator are one literal.
    Literal(f64),
    /// `vector(1)`: one series without labels.
    VectorOf(f64),
}

impl MetricExpr {
    /// The matchers of every selector, in any order, to be changed. By hand, because expressions may be very
    /// deep.
    pub fn selectors_mut(&mut self) -> Vec<&mut Vec<Matcher>> {
        let (mut found, mut waiting) = (Vec::new(), vec![self]);
        while let Some(expr) = waiting.pop() {
            match expr {
                Self::Range(aggregation) => found.push(&mut aggregation.range.log.matchers),
                Self::Vector(aggregation) => waiting.push(&mut aggregation.expr),
                Self::Binary(binary) => waiting.extend([&mut binary.left, &mut binary.right]),
                Self::LabelReplace(replace) => waiting.push(&mut replace.expr),
                Self::Literal(_) | Self::VectorOf(_) => {}
            }
        }
        found
    }
}

/// `rate({app="x"}[5m])`: the samples of a window become one number a series.
#[derive(Debug, Clone, PartialEq)]
pub struct RangeAggregation {
    pub op: RangeOp,
    /// Only and always with `quantile_over_time`.
    pub quantile: Option<f64>,
    pub range: LogRange,
    /// Series are pooled before the operator runs. `by ()` is not the same as none.
    pub grouping: Option<Grouping>,
}

/// `{app="x"} | json | unwrap size [5m] offset 1h`: at time t the window is (t − offset − range, t − offset].
#[derive(Debug, Clone, PartialEq)]
pub struct LogRange {
    pub log: LogExpr,
    pub unwrap: Option<Unwrap>,
    pub range: Span,
    /// Zero when there is none; negative looks into the future of t.
    pub offset: Span,
}

/// `| unwrap duration(latency) | __error__=""`.
#[derive(Debug, Clone, PartialEq)]
pub struct Unwrap {
    pub label: String,
    pub conversion: Conversion,
    /// All must hold; they run after the conversion and see its error.
    pub filters: Vec<LabelFilter>,
}

/// `topk by (app) (3, …)`.
#[derive(Debug, Clone, PartialEq)]
pub struct VectorAggregation {
    pub op: VectorOp,
    /// Only and always with `topk`, `bottomk` and `approx_topk`; above zero.
    pub count: Option<usize>,
    /// No clause means `by ()`: one group.
    pub grouping: Grouping,
    pub expr: MetricExpr,
}

/// `by (a, b)` or `without (a, b)`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct Grouping {
    pub without: bool,
    pub labels: Vec<String>,
}

#[derive(Debug, Clone, PartialEq)]
pub struct BinaryExpr {
    pub op: BinaryOp,
    /// Comparisons give 1 or 0 instead of dropping what does not compare.
    pub return_bool: bool,
    /// None: series match when all their labels are equal. Means nothing when a leg is a literal.
    pub matching: Option<VectorMatching>,
    pub left: MetricExpr,
    pub right: MetricExpr,
}

/// `on (a) group_left (b)`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct VectorMatching {
    /// Match by these labels (`on`), or by all but these (`ignoring`).
    pub on: bool,
    pub labels: Vec<String>,
    /// None: one to one.
    pub group: Option<Group>,
}

/// `group_left (include)`: the named side may have several series for one of the other.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Group {
    pub many: Side,
    /// Labels copied from the side that has one.
    pub include: Vec<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Side {
    Left,
    Right,
}

/// `label_replace(v, "target", "$1", "source", "(.*)")`.
#[derive(Debug, Clone, PartialEq)]
pub struct LabelReplace {
    pub expr: MetricExpr,
    pub target: String,
    pub replacement: String,
    pub source: String,
    /// Compiles; matched against the whole value.
    pub regex: String,
}

impl Grouping {
    /// One group without labels.
    pub fn is_single_group(&self) -> bool {
        !self.without && self.labels.is_empty()
    }
}

impl Side {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Left => "left",
            Self::Right => "right",
        }
    }
}
