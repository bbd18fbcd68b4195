//! Recorded queries with what Loki answered to them, evaluated over the recorded rows. Where Larch differs
//! on purpose, `known.md` says why; that list may only become shorter.

#![expect(clippy::expect_used, reason = "a test that cannot read its own data has failed")]

mod answer;
mod compare;
mod dataset;
mod request;

use std::collections::BTreeSet;

use serde_json::Value;

const CASES: &str = include_str!("../../../../tests/conformance/cases.jsonl");
const KNOWN: &str = include_str!("../../../../tests/conformance/known.md");

/// The features that need nothing but the language. The others are about HTTP, indexes and tenants.
const FEATURES: [&str; 28] = [
    "selector",
    "direction",
    "limit",
    "interval",
    "timeformat",
    "linefilter",
    "linefilter-text",
    "ip",
    "json",
    "parser-weird",
    "logfmt",
    "pattern-regexp",
    "unpack-decolorize",
    "line_format",
    "label_format",
    "label_filter",
    "structured-metadata",
    "categorize",
    "range-agg",
    "unwrap",
    "vector-agg",
    "instant",
    "binop",
    "step",
    "metric-error",
    "seed",
    "ties",
    "sharding",
];

/// The ids in the first column of the table.
fn known() -> BTreeSet<&'static str> {
    let mut ids = BTreeSet::new();
    for line in KNOWN.lines() {
        if let Some(rest) = line.strip_prefix("| `")
            && let Some((id, _)) = rest.split_once('`')
        {
            ids.insert(id);
        }
    }
    ids
}

#[test]
fn recorded_cases() {
    let rows = dataset::Dataset::load();
    let known = known();
    let (mut evaluated, mut met) = (0, BTreeSet::new());
    let mut differences = Vec::new();
    for line in CASES.lines() {
        let case: Value = serde_json::from_str(line).expect(line);
        let (id, feature) = (text(&case, "id"), text(&case, "feature"));
        if !FEATURES.contains(&feature) {
            continue;
        }
        let Some(request) = request::Request::of(&case) else {
            assert_eq!(case["expect"]["status"], 400, "{id}: the parameters of this case make sense");
            continue;
        };
        evaluated += 1;
        let tenant = text(&case, "tenant");
        let found = rows.with_tenant(tenant, |rows| answer::answer(&request, rows.iter().copied()));
        let difference = compare::difference(&case, &found);
        match (difference, known.get(id)) {
            (None, None) => {}
            (Some(_), Some(id)) => drop(met.insert(*id)),
            (Some(difference), None) => {
                differences.push(format!("{id}  {}\n    {difference}", request.query))
            }
            (None, Some(_)) => {
                differences.push(format!("{id} agrees: take it off the list of known differences"))
            }
        }
    }
    for id in known.difference(&met) {
        differences.push(format!("{id} is on the list of known differences, and no such case was evaluated"));
    }
    assert!(
        differences.is_empty(),
        "{} of {evaluated} differ\n{}",
        differences.len(),
        differences.join("\n")
    );
    assert!(evaluated > 300, "only {evaluated} cases were found");
}

fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value[key].as_str().expect(key)
}
