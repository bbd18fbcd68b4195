//! Recorded cases, and the lists of those that do not agree.

use std::collections::BTreeSet;

use serde_json::Value;

/// One case a line.
pub fn read_cases(lines: &str) -> Vec<Value> {
    lines.lines().map(|line| serde_json::from_str(line).expect(line)).collect()
}

/// A text in a case that every such case has.
pub fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value[key].as_str().expect(key)
}

/// The ids in the first column of a table in Markdown.
pub fn ids_in_table(markdown: &str) -> BTreeSet<String> {
    let id = |line: &str| Some(line.strip_prefix("| `")?.split_once('`')?.0.to_owned());
    markdown.lines().filter_map(id).collect()
}

/// The ids of a list of one a line. They stand in groups, and each group begins with its reason after `#`.
pub fn ids_listed(list: &str) -> BTreeSet<String> {
    let mut ids = BTreeSet::new();
    let mut has_reason = false;
    for line in list.lines() {
        if line.is_empty() {
            has_reason = false;
        } else if line.starts_with('#') {
            has_reason = true;
        } else {
            assert!(has_reason, "{line} is listed without a reason");
            assert!(ids.insert(line.to_owned()), "{line} is listed twice");
        }
    }
    ids
}

/// Fails unless exactly the listed cases differ: the list may only become shorter.
#[track_caller]
pub fn check_against_list(what: &str, outcomes: &[(String, Option<String>)], listed: &BTreeSet<String>) {
    let mut problems = Vec::new();
    let mut unmet = listed.clone();
    for (id, difference) in outcomes {
        let is_listed = unmet.remove(id);
        match difference {
            Some(difference) if !is_listed => problems.push(format!("{id} {difference}")),
            None if is_listed => problems.push(format!("{id} agrees: take it off its list")),
            _ => {}
        }
    }
    problems.extend(unmet.iter().map(|id| format!("{id} is listed, and there is no such case")));
    let (count, all) = (problems.len(), outcomes.len());
    assert!(problems.is_empty(), "{what}: {count} of {all} cases:\n{}", problems.join("\n"));
}
