//! Whether an answer agrees with the recorded one.
//!
//! Status first; `stats` never; streams by their labels, their rows in order; numbers to the ninth digit,
//! because Loki adds them up in another order; lists as sets; errors by their text, up to what is free in
//! it. A case is a line of `tests/conformance/cases.jsonl`.

use std::collections::BTreeMap;

use serde_json::Value;

const RELATIVE: f64 = 1e-9;
const ABSOLUTE: f64 = 1e-12;

/// Longer excerpts do not make a difference clearer.
const EXCERPT: usize = 300;

/// None if an answer over HTTP agrees with the case. The body is JSON if it can be read as such, else its
/// text.
pub fn difference(case: &Value, status: u16, body: &Value) -> Option<String> {
    let want = &case["expect"];
    let wanted = &want["body"];
    if want["status"].as_u64() != Some(u64::from(status)) {
        return Some(format!("status {status}, wanted {}: {}", want["status"], shown(body)));
    }
    if status >= 400 {
        return error_difference(&error_text(body), &error_text(wanted));
    }
    if !body.is_object() {
        return Some(format!("no object: {}", shown(body)));
    }
    let (data, wanted_data) = (&body["data"], &wanted["data"]);
    if wanted_data.get("resultType").is_some() {
        return data_difference(case, data, wanted_data);
    }
    if wanted_data.is_array() {
        return set_difference(data, wanted_data);
    }
    if wanted.get("values").is_some() || feature(case) == "field-values" {
        return set_difference(&body["values"], &wanted["values"]);
    }
    for name in ["detectedLabels", "fields"] {
        if wanted.get(name).is_some() {
            return set_difference(&with_sorted_parsers(&body[name]), &with_sorted_parsers(&wanted[name]));
        }
    }
    (body != wanted).then(|| format!("{}, wanted {}", shown(body), shown(wanted)))
}

/// None if two error texts are the same up to what may differ: what a syntax error expected, and which of
/// several bad series is named.
pub fn error_difference(found: &str, wanted: &str) -> Option<String> {
    let (found, wanted) = (found.trim(), wanted.trim());
    let is_same = without_free(found) == without_free(wanted);
    (!is_same).then(|| format!("{}, wanted {}", excerpt(found.to_owned()), excerpt(wanted.to_owned())))
}

/// None if the results of two queries agree. Each is the `data` of an answer.
pub fn data_difference(case: &Value, found: &Value, wanted: &Value) -> Option<String> {
    for key in ["resultType", "encodingFlags"] {
        if found.get(key) != wanted.get(key) {
            return Some(format!("{key} {:?}, wanted {:?}", found.get(key), wanted.get(key)));
        }
    }
    let kind = wanted["resultType"].as_str().unwrap_or_default();
    let (results, wanted_results) = (&found["result"], &wanted["result"]);
    if kind == "scalar" {
        let is_same = same_number(&results[1], &wanted_results[1]);
        return (!is_same).then(|| format!("{}, wanted {}", shown(results), shown(wanted_results)));
    }
    let label = if kind == "streams" { "stream" } else { "metric" };
    let (Some(results), Some(wanted_results)) = (results.as_array(), wanted_results.as_array()) else {
        return Some(format!("no list: {}", shown(results)));
    };
    let (names, wanted_names) = (names(results, label), names(wanted_results, label));
    let (by_name, wanted_by_name) = (by_name(&names, results), by_name(&wanted_names, wanted_results));
    if by_name.len() != results.len() {
        return Some("the same labels twice".to_owned());
    }
    if let Some(missing) = wanted_by_name.keys().find(|name| !by_name.contains_key(**name)) {
        return Some(format!("{missing} is missing, of {} only {}", wanted_by_name.len(), by_name.len()));
    }
    if let Some(extra) = by_name.keys().find(|name| !wanted_by_name.contains_key(**name)) {
        return Some(format!("{extra} should not be there"));
    }
    let is_ordered = feature(case) == "index-volume" || query(case).contains("sort");
    if is_ordered && names != wanted_names {
        return Some(format!(
            "order {}, wanted {}",
            excerpt(names.join(" ")),
            excerpt(wanted_names.join(" "))
        ));
    }
    for (name, wanted) in &wanted_by_name {
        if let Some(difference) = series_difference(case, kind, by_name[name], wanted) {
            return Some(format!("{name}: {difference}"));
        }
    }
    None
}

fn series_difference(case: &Value, kind: &str, found: &Value, wanted: &Value) -> Option<String> {
    // Volumes are estimates.
    if feature(case) == "index-volume" {
        return None;
    }
    if kind == "vector" {
        let (found, wanted) = (&found["value"], &wanted["value"]);
        return (!same_point(found, wanted)).then(|| format!("{found}, wanted {wanted}"));
    }
    let list = |value: &Value| value["values"].as_array().cloned().unwrap_or_default();
    let (mut found, mut wanted) = (list(found), list(wanted));
    // Several streams become one: rows of equal times stand in any order.
    if feature(case) == "ties" && query(case).contains("keep") {
        found.sort_by_key(ToString::to_string);
        wanted.sort_by_key(ToString::to_string);
    }
    let same = match kind {
        _ if feature(case) == "volume-range" => |a: &Value, b: &Value| same_time(&a[0], &b[0]),
        "streams" => |a: &Value, b: &Value| a == b,
        _ => same_point,
    };
    for index in 0..found.len().max(wanted.len()) {
        match (found.get(index), wanted.get(index)) {
            (Some(found), Some(wanted)) if same(found, wanted) => {}
            (one, other) => {
                let shown = |value: Option<&Value>| value.map_or("nothing".to_owned(), shown);
                let counts = format!("{} of {}", found.len(), wanted.len());
                return Some(format!("{counts}, no. {index}: {}, wanted {}", shown(one), shown(other)));
            }
        }
    }
    None
}

fn feature(case: &Value) -> &str {
    case["feature"].as_str().unwrap_or_default()
}

fn query(case: &Value) -> &str {
    case["params"]["query"].as_str().unwrap_or_default()
}

fn same_point(left: &Value, right: &Value) -> bool {
    same_time(&left[0], &right[0]) && same_number(&left[1], &right[1])
}

fn same_time(left: &Value, right: &Value) -> bool {
    left == right || left.as_f64().is_some_and(|time| Some(time) == right.as_f64())
}

fn same_number(left: &Value, right: &Value) -> bool {
    if left == right {
        return true;
    }
    let parse = |value: &Value| value.as_str().and_then(|text| text.parse::<f64>().ok());
    let (Some(left), Some(right)) = (parse(left), parse(right)) else { return false };
    if left.is_finite() && right.is_finite() {
        return (left - right).abs() <= ABSOLUTE.max(RELATIVE * left.abs().max(right.abs()));
    }
    left == right || (left.is_nan() && right.is_nan())
}

/// The labels of every series as one text.
fn names(series: &[Value], label: &str) -> Vec<String> {
    series.iter().map(|series| sorted(&series[label]).to_string()).collect()
}

fn by_name<'a>(names: &'a [String], series: &'a [Value]) -> BTreeMap<&'a str, &'a Value> {
    names.iter().map(String::as_str).zip(series).collect()
}

/// None if two lists hold the same, in any order. What is absent is empty.
fn set_difference(found: &Value, wanted: &Value) -> Option<String> {
    let items = |list: &Value| {
        let mut items: Vec<String> =
            list.as_array().into_iter().flatten().map(|item| sorted(item).to_string()).collect();
        items.sort_unstable();
        items
    };
    if !(found.is_array() || found.is_null()) {
        return Some(format!("no list: {}", shown(found)));
    }
    let (found, wanted) = (items(found), items(wanted));
    let only = |here: &[String], there: &[String]| -> Vec<String> {
        here.iter().filter(|item| !there.contains(item)).cloned().collect()
    };
    let (extra, missing) = (only(&found, &wanted), only(&wanted, &found));
    (found != wanted).then(|| {
        let counts = format!("{} of {}", found.len(), wanted.len());
        let (extra, missing) = (excerpt(extra.join(" ")), excerpt(missing.join(" ")));
        format!("{counts}, too much [{extra}], missing [{missing}]")
    })
}

/// Fields whose `parsers` stand in one order, and are empty where there are none.
fn with_sorted_parsers(fields: &Value) -> Value {
    let mut fields = fields.clone();
    for field in fields.as_array_mut().into_iter().flatten().filter_map(Value::as_object_mut) {
        let mut parsers = field.get("parsers").and_then(Value::as_array).cloned().unwrap_or_default();
        parsers.sort_by_key(ToString::to_string);
        field.insert("parsers".to_owned(), parsers.into());
    }
    fields
}

/// The same with the keys of every object in order.
fn sorted(value: &Value) -> Value {
    match value {
        Value::Object(object) => {
            let ordered: BTreeMap<&String, &Value> = object.iter().collect();
            ordered.into_iter().map(|(key, value)| (key.clone(), sorted(value))).collect()
        }
        Value::Array(list) => list.iter().map(sorted).collect(),
        other => other.clone(),
    }
}

fn error_text(body: &Value) -> String {
    match body {
        Value::String(text) => text.clone(),
        other => sorted(other).to_string(),
    }
}

/// An error's text without what follows "unexpected X" in a syntax error, or the name of a bad series.
fn without_free(error: &str) -> &str {
    for marker in ["syntax error: unexpected ", "pipeline error: '"] {
        let Some(at) = error.find(marker) else { continue };
        let rest = &error[at + marker.len()..];
        let kept = match marker.starts_with("syntax") {
            true => Some(unexpected_token(rest)),
            false => rest.find("' for series: ").map(|end| end + "' for series: ".len()),
        };
        if let Some(kept) = kept {
            return &error[..at + marker.len() + kept];
        }
    }
    error
}

/// How long the word is that a syntax error did not expect. A comma or a quote after it is not its own; at
/// its beginning, they are.
fn unexpected_token(rest: &str) -> usize {
    for (at, _) in rest.char_indices().skip(1) {
        let tail = rest[at..].strip_prefix(',').unwrap_or(&rest[at..]);
        if tail.is_empty() || tail.starts_with(|c: char| c.is_whitespace() || c == '"') {
            return at;
        }
    }
    rest.len()
}

fn shown(value: &Value) -> String {
    excerpt(value.to_string())
}

fn excerpt(text: String) -> String {
    match text.char_indices().nth(EXCERPT) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}

#[cfg(test)]
mod tests;
