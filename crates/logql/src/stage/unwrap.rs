//! `unwrap`: a label's value as the value of a sample.

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

    /// `None`: the row gives no sample. A value that cannot be read gives 0, or the infinity that it is
    /// beyond, with a note. The label stays for the filters behind; the aggregation removes it.
    pub fn run(&self, row: &mut Row<'_>) -> Option<f64> {
        let value = row.labels.get(&self.name).filter(|value| !value.is_empty())?;
        let (sample, details) = match self.conversion {
            Conversion::Number => match parse_float(value) {
                Ok(number) => return Some(number),
                Err(error @ InvalidFloat::Range { value, .. }) => (value, error.to_string()),
                Err(error) => (0.0, error.to_string()),
            },
            Conversion::Duration => match Span::parse_go(&lossy(value)) {
                Ok(span) => return Some(seconds(span)),
                Err(error) => (0.0, error.to_string()),
            },
            Conversion::Bytes => match parse_size(value) {
                Ok(bytes) => return Some(bytes as f64),
                Err(error) => (0.0, error.to_string()),
            },
        };
        row.labels.set_error(ErrorName::SampleExtraction, Some(&details));
        Some(sample)
    }
}

/// Whole seconds and the rest are divided on their own, which decides the last digit.
fn seconds(span: Span) -> f64 {
    let nanos = span.nanos();
    (nanos / 1_000_000_000) as f64 + (nanos % 1_000_000_000) as f64 / 1e9
}
