//! `unwrap`: a label's value as the value of a sample.

use std::error::Error;

use larch_template::{InvalidFloat, parse_float, parse_size};
use larch_types::Span;

use crate::stage::text::lossy;
use crate::stage::{ErrorName, Row};

/// How the text of the value is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Conversion {
    Number,
    /// `duration(x)` and `duration_seconds(x)`: seconds.
    Duration,
    Bytes,
}

#[derive(Debug, Clone)]
pub struct Unwrap {
    name: Box<str>,
    conversion: Conversion,
}

impl Unwrap {
    pub fn new(name: &str, conversion: Conversion) -> Self {
        Self { name: name.into(), conversion }
    }

    pub fn name(&self) -> &str {
        &self.name
    }

    pub(crate) fn conversion(&self) -> Conversion {
        self.conversion
    }

    /// `None`: the row gives no sample. A value that cannot be read gives 0, or the infinity that it is
    /// beyond, with a note. The label stays for the filters behind; the aggregation removes it.
    pub fn run(&self, row: &mut Row<'_>) -> Option<f64> {
        match self.convert(row.labels.get(&self.name)?) {
            Ok(sample) => sample,
            Err(Unreadable { sample, details }) => {
                row.labels.set_error(ErrorName::SampleExtraction, Some(&details));
                Some(sample)
            }
        }
    }

    /// The sample that a value makes; none if it is empty.
    pub(crate) fn convert(&self, value: &[u8]) -> Result<Option<f64>, Unreadable> {
        if value.is_empty() {
            return Ok(None);
        }
        let unreadable = |sample: f64, error: &dyn Error| Unreadable { sample, details: error.to_string() };
        let converted = match self.conversion {
            Conversion::Number => parse_float(value).map_err(|error| match error {
                InvalidFloat::Range { value, .. } => unreadable(value, &error),
                InvalidFloat::Syntax(_) => unreadable(0.0, &error),
            }),
            Conversion::Duration => {
                Span::parse_go(&lossy(value)).map(seconds).map_err(|error| unreadable(0.0, &error))
            }
            Conversion::Bytes => {
                parse_size(value).map(|bytes| bytes as f64).map_err(|error| unreadable(0.0, &error))
            }
        };
        converted.map(Some)
    }
}

/// What stands for a value that cannot be read.
#[derive(Debug)]
pub(crate) struct Unreadable {
    sample: f64,
    details: String,
}

/// Whole seconds and the rest are divided on their own, which decides the last digit.
fn seconds(span: Span) -> f64 {
    let nanos = span.nanos();
    (nanos / 1_000_000_000) as f64 + (nanos % 1_000_000_000) as f64 / 1e9
}
