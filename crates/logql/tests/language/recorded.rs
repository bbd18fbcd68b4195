//! What Loki answered to the same queries. Errors are compared up to what they say was expected.

use larch_logql::{parse, pretty};
use serde_json::Value;

use crate::{lines, text};

pub(crate) const PARSE_ERRORS: &str = include_str!("../../../../tests/conformance/parse-error.jsonl");
pub(crate) const FORMAT_QUERY: &str = include_str!("../../../../tests/conformance/format_query.jsonl");

/// Position and `unexpected X` must agree; the list behind may differ.
fn without_expectations(error: &str) -> &str {
    error.split(", expecting ").next().unwrap_or(error)
}

#[track_caller]
fn check(case: &Value, found: Result<&str, &str>) {
    let id = text(case, "id").expect("an id");
    let body = &case["expect"]["body"];
    if case["expect"]["status"] == 200 {
        let found = found.unwrap_or_else(|error| panic!("{id}: {error}"));
        // Answers to queries hold data, of which nothing is known here.
        if let Some(formatted) = text(body, "data") {
            assert_eq!(found, formatted, "{id}");
        }
        return;
    }
    let want = body.as_str().or_else(|| text(body, "error")).expect("an error text");
    let error = found.expect_err(id);
    assert_eq!(without_expectations(error), without_expectations(want), "{id}");
}

#[test]
fn every_recorded_case() {
    for case in lines(PARSE_ERRORS).into_iter().chain(lines(FORMAT_QUERY)) {
        match parse(text(&case, "query").expect("a query")) {
            Ok(expr) => check(&case, Ok(&pretty(&expr))),
            Err(error) => check(&case, Err(&error.to_string())),
        }
    }
}
