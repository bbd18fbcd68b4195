//! Conditions on labels inside a pipeline.

use larch_types::{Matcher, Span};

/// A tree of conditions. `and`, a comma and mere juxtaposition all become [`LabelFilter::And`].
#[derive(Debug, Clone, PartialEq)]
pub enum LabelFilter {
    /// `a="b"`, `a=~"b"`.
    Text(Matcher),
    /// `a > 5`.
    Number {
        name: String,
        op: CompareOp,
        value: f64,
    },
    /// `a > 5s`.
    Duration {
        name: String,
        op: CompareOp,
        value: Span,
    },
    /// `a > 5KB`.
    Bytes {
        name: String,
        op: CompareOp,
        value: u64,
    },
    /// `a = ip("10.0.0.0/8")`, or `!=` if negated.
    Ip {
        name: String,
        negated: bool,
        pattern: String,
    },
    And(Box<LabelFilter>, Box<LabelFilter>),
    Or(Box<LabelFilter>, Box<LabelFilter>),
}

/// `=` and `==` are the same here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum CompareOp {
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

impl CompareOp {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Equal => "==",
            Self::NotEqual => "!=",
            Self::Less => "<",
            Self::LessOrEqual => "<=",
            Self::Greater => ">",
            Self::GreaterOrEqual => ">=",
        }
    }
}

impl LabelFilter {
    /// Calls `visit` for every condition that is not an `and` or `or`, left to right.
    pub fn for_each_leaf<'a>(&'a self, visit: &mut impl FnMut(&'a LabelFilter)) {
        match self {
            Self::And(left, right) | Self::Or(left, right) => {
                left.for_each_leaf(visit);
                right.for_each_leaf(visit);
            }
            leaf => visit(leaf),
        }
    }

    /// The label that a single condition reads.
    pub fn name(&self) -> Option<&str> {
        match self {
            Self::Text(matcher) => Some(&matcher.name),
            Self::Number { name, .. }
            | Self::Duration { name, .. }
            | Self::Bytes { name, .. }
            | Self::Ip { name, .. } => Some(name),
            Self::And(..) | Self::Or(..) => None,
        }
    }
}
