//! What Loki answered to the same queries. Errors are compared up to what they say was expected.

use larch_logql::{parse, pretty};
use serde_json::Value;

use crate::{lines, text};

pub(crate) const CASES: &str = include_str!("../../../../tests/conformance/cases.jsonl");

/// The recorded cases of a feature that are about the text of a query.
pub(crate) fn cases_of(feature: &str) -> Vec<Value> {
    let mut cases = lines(CASES);
    cases.retain(|case| text(case, "feature") == Some(feature));
    cases
}

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
    for case in cases_of("parse-error").into_iter().chain(cases_of("format_query")) {
        match parse(text(&case["params"], "query").expect("a query")) {
            Ok(expr) => check(&case, Ok(&pretty(&expr))),
            Err(error) => check(&case, Err(&error.to_string())),
        }
    }
}
