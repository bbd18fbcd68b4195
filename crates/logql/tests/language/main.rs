//! LogQL as its users see it: texts in, trees, texts and errors out.

#![expect(clippy::expect_used, reason = "a test that cannot read its own data has failed")]

mod facts;
mod limits;
mod printing;
mod recorded;
mod round_trip;
mod strategies;
mod texts;
mod wild;

use serde_json::Value;

/// A file of test data in this crate or at the root of the repository, one JSON object a line.
fn lines(text: &str) -> Vec<Value> {
    text.lines().map(|line| serde_json::from_str(line).expect(line)).collect()
}

fn text<'a>(case: &'a Value, key: &str) -> Option<&'a str> {
    case.get(key).and_then(Value::as_str)
}
