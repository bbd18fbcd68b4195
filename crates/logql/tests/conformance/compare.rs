//! Whether two answers are the same answer.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use crate::text;

/// Numbers that Loki adds up in another order are not equal to the last bit.
const RELATIVE: f64 = 1e-9;
const ABSOLUTE: f64 = 1e-12;

/// None if they agree.
pub(crate) fn difference(case: &Value, found: &Result<Value, String>) -> Option<String> {
    let want = &case["expect"];
    let body = &want["body"];
    match (want["status"].as_i64() == Some(200), found) {
        (true, Err(error)) => Some(format!("refused: {error}")),
        (false, Ok(_)) => Some(format!("answered, wanted {body}")),
        (false, Err(error)) => {
            let wanted = body.as_str().or_else(|| body["error"].as_str()).unwrap_or_default();
            let alike = without_free(error.trim()) == without_free(wanted.trim());
            (!alike).then(|| format!("{error:?}, wanted {wanted:?}"))
        }
        (true, Ok(data)) => data_difference(case, data, &body["data"]),
    }
}

/// Error texts up to what may differ: what a syntax error expected, and which of several bad series is named.
fn without_free(error: &str) -> &str {
    if error.contains("syntax error: unexpected ") {
        return error.split(", expecting ").next().unwrap_or(error);
    }
    match error.split_once("' for series: ") {
        Some((head, _)) if head.starts_with("pipeline error: '") => head,
        _ => error,
    }
}

fn data_difference(case: &Value, found: &Value, want: &Value) -> Option<String> {
    for key in ["resultType", "encodingFlags"] {
        if found.get(key) != want.get(key) {
            return Some(format!("{key} {:?}, wanted {:?}", found.get(key), want.get(key)));
        }
    }
    let (results, wanted) = (&found["result"], &want["result"]);
    let kind = text(want, "resultType");
    if kind == "scalar" {
        return (!same_number(&results[1], &wanted[1])).then(|| format!("{results}, wanted {wanted}"));
    }
    let label = if kind == "streams" { "stream" } else { "metric" };
    let (Some(results), Some(wanted)) = (results.as_array(), wanted.as_array()) else {
        return Some("not a list".to_owned());
    };
    let (names, wanted_names) = (keys(results, label), keys(wanted, label));
    let (by_key, wanted_by_key) = (by_key(&names, results), by_key(&wanted_names, wanted));
    if by_key.len() != results.len() {
        return Some("the same labels twice".to_owned());
    }
    for (key, wanted) in &wanted_by_key {
        let Some(found) = by_key.get(key) else { return Some(format!("{key} is missing")) };
        if let Some(difference) = series_difference(case, kind, found, wanted) {
            return Some(format!("{key}: {difference}"));
        }
    }
    if let Some(extra) = by_key.keys().find(|key| !wanted_by_key.contains_key(**key)) {
        return Some(format!("{extra} should not be there"));
    }
    let sorts = case["params"]["query"].as_str().is_some_and(|query| query.contains("sort"));
    (sorts && names != wanted_names).then(|| format!("order {names:?}, wanted {wanted_names:?}"))
}

fn series_difference(case: &Value, kind: &str, found: &Value, want: &Value) -> Option<String> {
    let report = |found: &Value, want: &Value| Some(format!("{found}, wanted {want}"));
    if kind == "vector" {
        let (found, want) = (&found["value"], &want["value"]);
        return if same_point(found, want) { None } else { report(found, want) };
    }
    let list = |value: &Value| value["values"].as_array().cloned().unwrap_or_default();
    let (mut found, mut want) = (list(found), list(want));
    // Several streams become one: rows of equal times stand in any order.
    if text(case, "feature") == "ties" && case["params"]["query"].as_str().is_some_and(|q| q.contains("keep"))
    {
        found.sort_by_key(ToString::to_string);
        want.sort_by_key(ToString::to_string);
    }
    let same = if kind == "streams" { |a: &Value, b: &Value| a == b } else { same_point };
    for index in 0..found.len().max(want.len()) {
        match (found.get(index), want.get(index)) {
            (Some(found), Some(want)) if same(found, want) => {}
            (found, want) => return Some(format!("no. {index}: {found:?}, wanted {want:?}")),
        }
    }
    None
}

fn same_point(left: &Value, right: &Value) -> bool {
    left[0].as_f64() == right[0].as_f64() && same_number(&left[1], &right[1])
}

fn same_number(left: &Value, right: &Value) -> bool {
    if left == right {
        return true;
    }
    let parse = |value: &Value| value.as_str().and_then(|text| text.parse::<f64>().ok());
    match (parse(left), parse(right)) {
        (Some(left), Some(right)) => {
            let apart = (left - right).abs();
            let allowed = ABSOLUTE.max(RELATIVE * left.abs().max(right.abs()));
            (left.is_nan() && right.is_nan()) || left == right || apart <= allowed
        }
        _ => false,
    }
}

/// The labels of every series as one text.
fn keys(series: &[Value], label: &str) -> Vec<String> {
    let key = |series: &Value| {
        let labels: BTreeMap<&String, &Value> =
            series[label].as_object().iter().flat_map(|m: &&Map<_, _>| m.iter()).collect();
        format!("{labels:?}")
    };
    series.iter().map(key).collect()
}

fn by_key<'a>(keys: &'a [String], series: &'a [Value]) -> BTreeMap<&'a str, &'a Value> {
    keys.iter().map(String::as_str).zip(series).collect()
}
