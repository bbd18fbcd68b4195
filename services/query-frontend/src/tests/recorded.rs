//! Recorded requests whose answers need no rows, with exact status and text.

use serde_json::Value;

use super::house::{in_plain_house, nothing};

const CASES: &str = include_str!("../../../../tests/conformance/cases.jsonl");

/// Position and `unexpected X` must agree; the list behind may differ.
fn without_expectations(error: &str) -> &str {
    error.trim_end().split(", expecting ").next().unwrap_or(error)
}

/// Why the answer is not the recorded one. Results are compared by their kind: there are no rows here.
fn difference(case: &Value, status: u16, text: &str) -> Option<String> {
    let want = &case["expect"];
    if want["status"] != status {
        return Some(format!("status {status}, wanted {}: {text}", want["status"]));
    }
    if status >= 400 {
        let body = &want["body"];
        let wanted = match body {
            Value::String(wanted) => wanted.clone(),
            // A JSON error, whose keys must agree too.
            body => body.to_string(),
        };
        let same = without_expectations(text) == without_expectations(&wanted);
        return (!same).then(|| format!("{text:?}, wanted {wanted:?}"));
    }
    let found: Value = match serde_json::from_str(text) {
        Ok(found) => found,
        Err(error) => return Some(format!("{error}: {text}")),
    };
    let (data, wanted) = (&found["data"], &want["body"]["data"]);
    let agrees = if wanted.is_string() { data == wanted } else { data["resultType"] == wanted["resultType"] };
    (!agrees).then(|| format!("{data}, wanted {wanted}"))
}

#[test]
fn parse_errors_and_laid_out_queries() {
    in_plain_house(async |house| {
        house.worker(1, 1, nothing);
        let mut differences = Vec::new();
        let mut asked = 0;
        for line in CASES.lines() {
            let case: Value = serde_json::from_str(line).expect(line);
            let feature = case["feature"].as_str().expect("a feature");
            if !["parse-error", "format_query"].contains(&feature) {
                continue;
            }
            asked += 1;
            let parameters = case["params"].as_object().expect("parameters");
            let parameters: Vec<(&str, &str)> = parameters
                .iter()
                .map(|(name, value)| (name.as_str(), value.as_str().expect("one value")))
                .collect();
            let (path, tenant) = (case["path"].as_str().expect("a path"), case["tenant"].as_str());
            let answer = house.get_as(tenant.expect("a tenant"), path, &parameters, &[]).await;
            if let Some(difference) = difference(&case, answer.status, answer.text()) {
                differences.push(format!("{}: {difference}", case["id"]));
            }
        }
        assert!(differences.is_empty(), "{} of {asked}\n{}", differences.len(), differences.join("\n"));
        assert!(asked >= 65, "only {asked} cases were found");
    });
}
