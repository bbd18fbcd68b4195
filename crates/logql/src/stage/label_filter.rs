//! Label filters: a label's value compared as text, number, duration, size or address, and combinations.

use larch_template::{parse_float, parse_size};
use larch_types::{MatchOp, Span};

use crate::regex::{Flavor, Regex};
use crate::stage::text::lossy;
use crate::stage::{ErrorName, IpPattern, Row, StageError};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Comparison {
    Equal,
    NotEqual,
    Greater,
    GreaterOrEqual,
    Less,
    LessOrEqual,
}

/// What a value is compared with decides how it is read.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Quantity {
    Number(f64),
    Duration(Span),
    Bytes(u64),
}

#[derive(Debug, Clone)]
pub struct LabelFilter(Condition);

#[derive(Debug, Clone)]
enum Condition {
    Text { name: Box<str>, test: TextTest },
    Quantity { name: Box<str>, comparison: Comparison, with: Quantity },
    Ip { name: Box<str>, pattern: IpPattern, negated: bool },
    And(Vec<LabelFilter>),
    Or(Vec<LabelFilter>),
}

#[derive(Debug, Clone)]
enum TextTest {
    Equal(Box<[u8]>),
    NotEqual(Box<[u8]>),
    Regex {
        regex: Box<Regex>,
        negated: bool,
    },
    /// `=~ ""` and `=~ ".*"` are no condition, and their opposites refuse everything.
    Constant(bool),
}

impl LabelFilter {
    /// `name op "value"`. Regexes match the whole value.
    pub fn text(name: &str, op: MatchOp, value: &str) -> Result<Self, StageError> {
        let test = match op {
            MatchOp::Equal => TextTest::Equal(value.as_bytes().into()),
            MatchOp::NotEqual => TextTest::NotEqual(value.as_bytes().into()),
            MatchOp::Regex | MatchOp::NotRegex => {
                let negated = op == MatchOp::NotRegex;
                let regex = Regex::new(value, Flavor::Whole)?;
                if regex.is_trivial() {
                    TextTest::Constant(!negated)
                } else {
                    TextTest::Regex { regex: Box::new(regex), negated }
                }
            }
        };
        Ok(Self(Condition::Text { name: name.into(), test }))
    }

    pub fn quantity(name: &str, comparison: Comparison, with: Quantity) -> Self {
        Self(Condition::Quantity { name: name.into(), comparison, with })
    }

    /// `name = ip("…")`, or `!=` if negated.
    pub fn ip(name: &str, negated: bool, pattern: &str) -> Result<Self, StageError> {
        Ok(Self(Condition::Ip { name: name.into(), pattern: IpPattern::parse(pattern)?, negated }))
    }

    /// All of them. A chain of operators is one list, so that its length is no depth.
    pub fn and(filters: Vec<Self>) -> Self {
        Self(Condition::And(filters))
    }

    pub fn or(filters: Vec<Self>) -> Self {
        Self(Condition::Or(filters))
    }

    /// Whether the row stays. A value that cannot be read keeps it, with a note.
    pub fn run(&self, row: &mut Row<'_>) -> bool {
        match &self.0 {
            Condition::Text { name, test } => test.holds(row.labels.get_with_errors(name).unwrap_or(b"")),
            Condition::Quantity { name, comparison, with } => quantity(row, name, *comparison, *with),
            Condition::Ip { name, pattern, negated } => {
                if row.labels.error().is_some() {
                    return true;
                }
                row.labels.get(name).is_some_and(|value| pattern.is_in(value) != *negated)
            }
            Condition::And(filters) => {
                let mut all = true;
                for filter in filters {
                    // Those behind one that fails are run as well, for what they note.
                    all &= filter.run(row);
                }
                all
            }
            Condition::Or(filters) => filters.iter().any(|filter| filter.run(row)),
        }
    }
}

impl TextTest {
    fn holds(&self, value: &[u8]) -> bool {
        match self {
            Self::Equal(want) => value == &**want,
            Self::NotEqual(other) => value != &**other,
            Self::Regex { regex, negated } => regex.is_match(value) != *negated,
            Self::Constant(holds) => *holds,
        }
    }
}

fn quantity(row: &mut Row<'_>, name: &str, comparison: Comparison, with: Quantity) -> bool {
    let Some(value) = row.labels.get(name) else {
        return false;
    };
    let result = match with {
        Quantity::Number(with) => match parse_float(value) {
            Ok(number) => Ok(comparison.holds(&number, &with)),
            Err(error) => Err(error.to_string()),
        },
        Quantity::Duration(with) => match Span::parse_go(&lossy(value)) {
            Ok(span) => Ok(comparison.holds(&span, &with)),
            Err(error) => Err(error.to_string()),
        },
        Quantity::Bytes(with) => match parse_size(value) {
            Ok(bytes) => Ok(comparison.holds(&bytes, &with)),
            Err(error) => Err(error.to_string()),
        },
    };
    match result {
        Ok(holds) => holds,
        Err(details) => {
            if row.labels.error().is_none() {
                row.labels.set_error(ErrorName::LabelFilter, Some(&details));
            }
            true
        }
    }
}

impl Comparison {
    fn holds<T: PartialOrd>(self, value: &T, with: &T) -> bool {
        match self {
            Self::Equal => value == with,
            Self::NotEqual => value != with,
            Self::Greater => value > with,
            Self::GreaterOrEqual => value >= with,
            Self::Less => value < with,
            Self::LessOrEqual => value <= with,
        }
    }
}
