//! The fields of one event or span.

use std::fmt::{self, Write};

use tracing::field::{Field, Visit};

/// Longer values are cut. Half of what container runtimes keep of one line, so that a line with one such
/// value stays in one piece; long enough for any query that a person wrote.
pub(crate) const MAX_VALUE_BYTES: usize = 8 * 1024;

#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Value {
    Text(String),
    /// A number or a boolean, as both formats write it.
    Literal(String),
}

/// In the order of their first mention, each name once.
#[derive(Debug, Default)]
pub(crate) struct Fields(pub(crate) Vec<(&'static str, Value)>);

impl Fields {
    pub(crate) fn take_message(&mut self) -> Option<Value> {
        let index = self.0.iter().position(|(name, _)| *name == "message")?;
        Some(self.0.remove(index).1)
    }

    /// Later values take the place of earlier ones.
    pub(crate) fn update(&mut self, later: Self) {
        for (name, value) in later.0 {
            self.set(name, value);
        }
    }

    fn put(&mut self, field: &Field, value: Value) {
        // A field named like a keyword is declared as a raw identifier.
        self.set(field.name().strip_prefix("r#").unwrap_or(field.name()), value);
    }

    fn set(&mut self, name: &'static str, value: Value) {
        match self.0.iter_mut().find(|(have, _)| *have == name) {
            Some((_, have)) => *have = value,
            None => self.0.push((name, value)),
        }
    }
}

impl Visit for Fields {
    fn record_f64(&mut self, field: &Field, value: f64) {
        let text = value.to_string();
        self.put(field, if value.is_finite() { Value::Literal(text) } else { Value::Text(text) });
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.put(field, Value::Literal(value.to_string()));
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.put(field, Value::Literal(value.to_string()));
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.put(field, Value::Literal(value.to_string()));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.put(field, Value::Text(bounded(&value)));
    }

    /// An error is told with its causes, which its own text leaves out.
    fn record_error(&mut self, field: &Field, value: &(dyn std::error::Error + 'static)) {
        let mut text = bounded(value);
        let mut cause = value.source();
        while let Some(error) = cause {
            if text.len() >= MAX_VALUE_BYTES {
                break;
            }
            text = bounded(&format_args!("{text}: {error}"));
            cause = error.source();
        }
        self.put(field, Value::Text(text));
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.put(field, Value::Text(bounded(&format_args!("{value:?}"))));
    }
}

fn bounded(value: &(impl fmt::Display + ?Sized)) -> String {
    let mut bounded = Bounded { text: String::new(), cut: false };
    // What fails to format itself is shown as far as it came.
    write!(bounded, "{value}").ok();
    if bounded.cut {
        bounded.text.push_str("...");
    }
    bounded.text
}

/// Refuses to grow beyond the bound, which also ends the formatting of what is written.
struct Bounded {
    text: String,
    cut: bool,
}

impl Write for Bounded {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let room = MAX_VALUE_BYTES - self.text.len();
        let fits = text.floor_char_boundary(room);
        self.text.push_str(&text[..fits]);
        self.cut = fits < text.len();
        if self.cut { Err(fmt::Error) } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_cut_between_characters() {
        assert_eq!(bounded("short"), "short");
        let exact = "x".repeat(MAX_VALUE_BYTES);
        assert_eq!(bounded(&exact), exact);
        let long = bounded(&format!("{}ä", "x".repeat(MAX_VALUE_BYTES - 1)));
        assert_eq!(long, format!("{}...", "x".repeat(MAX_VALUE_BYTES - 1)));
    }
}
