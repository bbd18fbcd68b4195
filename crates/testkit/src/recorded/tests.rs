use serde_json::json;

use super::*;

const CASES: &str = include_str!("../../../../tests/conformance/cases.jsonl");

#[test]
fn every_recorded_answer_agrees_with_itself_and_with_no_lesser_one() {
    for line in CASES.lines() {
        let case: Value = serde_json::from_str(line).expect(line);
        let (status, body) = (case["expect"]["status"].as_u64().expect(line) as u16, &case["expect"]["body"]);
        assert_eq!(difference(&case, status, body), None, "{line}");
        assert!(difference(&case, 500, body).is_some(), "{line}");
        assert!(difference(&case, status, &json!("")).is_some(), "{line}");
        for pointer in ["/data/result", "/data", "/values", "/fields", "/detectedLabels"] {
            let mut lesser = body.clone();
            let list = lesser.pointer_mut(pointer).and_then(Value::as_array_mut);
            if list.is_some_and(|list| list.pop().is_some()) {
                assert!(difference(&case, status, &lesser).is_some(), "{pointer}: {line}");
            }
        }
    }
}

#[track_caller]
fn check(feature: &str, query: &str, wanted: Value, found: Value, agrees: bool) {
    let case = json!({
        "feature": feature, "params": {"query": query}, "expect": {"status": 200, "body": {"data": wanted}},
    });
    let difference = difference(&case, 200, &json!({"status": "success", "data": found, "stats": {}}));
    assert_eq!(difference.is_none(), agrees, "{difference:?}");
}

fn streams(values: Value) -> Value {
    json!({"resultType": "streams", "result": [{"stream": {"a": "1", "b": "2"}, "values": values}]})
}

fn matrix(values: Value) -> Value {
    json!({"resultType": "matrix", "result": [{"metric": {"a": "1"}, "values": values}]})
}

#[test]
fn rows_of_a_stream_stand_in_order() {
    let wanted = streams(json!([["1", "x"], ["1", "y"]]));
    let swapped = streams(json!([["1", "y"], ["1", "x"]]));
    check("ties", "{a=\"1\"}", wanted.clone(), swapped.clone(), false);
    check("ties", "{a=\"1\"} | keep a", wanted.clone(), swapped, true);
    check("json", "", wanted.clone(), streams(json!([["1", "x"]])), false);
    check("json", "", wanted, streams(json!([["1", "x"], ["1", "y"], ["2", "z"]])), false);
    let categorized = streams(json!([["1", "x", {"parsed": {"a": "1"}}]]));
    check("categorize", "", categorized.clone(), streams(json!([["1", "x", {}]])), false);
    let mut flagged = categorized.clone();
    flagged["encodingFlags"] = json!(["categorize-labels"]);
    check("categorize", "", flagged, categorized, false);
}

#[test]
fn labels_are_compared_without_their_order() {
    let mut found = streams(json!([]));
    found["result"][0]["stream"] = json!({"b": "2", "a": "1"});
    check("json", "", streams(json!([])), found.clone(), true);
    found["result"][0]["stream"] = json!({"a": "1"});
    check("json", "", streams(json!([])), found.clone(), false);
    let twice = found["result"][0].clone();
    found["result"].as_array_mut().expect("a list").push(twice);
    check("json", "", found.clone(), found, false);
}

#[test]
fn series_stand_in_order_only_where_the_query_sorts() {
    let series = |names: [&str; 2]| {
        let series: Vec<Value> =
            names.iter().map(|name| json!({"metric": {"a": name}, "value": [1, "2"]})).collect();
        json!({"resultType": "vector", "result": series})
    };
    check("instant", "sum by (a) (x)", series(["1", "2"]), series(["2", "1"]), true);
    check("instant", "sort(x)", series(["1", "2"]), series(["2", "1"]), false);
    check("index-volume", "{}", series(["1", "2"]), series(["2", "1"]), false);
}

#[test]
fn numbers_agree_to_the_ninth_digit() {
    for (wanted, found, agrees) in [
        ("1", "1.0", true),
        ("0.3", "0.30000000000000004", true),
        ("1", "1.00000001", false),
        ("0", "0.0000000000001", true),
        ("NaN", "NaN", true),
        ("NaN", "0", false),
        ("+Inf", "+Inf", true),
        ("+Inf", "-Inf", false),
        ("+Inf", "1", false),
        ("1", "one", false),
    ] {
        check("binop", "", matrix(json!([[1, wanted]])), matrix(json!([[1.0, found]])), agrees);
    }
    check("binop", "", matrix(json!([[1, "1"]])), matrix(json!([[2, "1"]])), false);
    check("volume-range", "", matrix(json!([[1, "5"]])), matrix(json!([[1, "7"]])), true);
    check("volume-range", "", matrix(json!([[1, "5"]])), matrix(json!([[2, "5"]])), false);
}

#[test]
fn what_is_free_in_an_error_is_free_and_no_more() {
    let at = "parse error at line 1, col 6: syntax error: unexpected";
    for (wanted, found, agrees) in [
        ("no org id\n", "no org id", true),
        ("no org id", "no tenant", false),
        (&format!("{at} IDENTIFIER, expecting STRING"), &format!("{at} IDENTIFIER"), true),
        (&format!("{at} IDENTIFIER"), &format!("{at} NUMBER"), false),
        (&format!("{at} IDENT, expecting ,"), &format!("{at} IDENTIFIER, expecting ,"), false),
        (&format!("{at} , expecting }}"), &format!("{at} , expecting STRING"), true),
        (
            &format!("{at} IDENTIFIER"),
            "parse error at line 1, col 7: syntax error: unexpected IDENTIFIER",
            false,
        ),
        ("pipeline error: 'A' for series: '{a=\"1\"}'.\nUse", "pipeline error: 'A' for series: '{}'.", true),
        ("pipeline error: 'A' for series: '{}'", "pipeline error: 'B' for series: '{}'", false),
    ] {
        assert_eq!(error_difference(found, wanted).is_none(), agrees, "{found:?}, {wanted:?}");
    }
}
