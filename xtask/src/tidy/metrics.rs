//! Every metric that a dashboard or a rule names is one that Larch exports: the names in `dashboards/`
//! and `helm/` against what `larch metrics list --json` prints.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use super::promql::{metric_names, yaml_expressions};
use super::{Offence, line_of_key};
use crate::failure::Failure;
use crate::repository::workspace;
use crate::tree::files;

const FOLDERS: [&str; 2] = ["dashboards/", "helm/"];

/// Where a Grafana dashboard keeps its expressions: in panels and annotations, and in variables.
const JSON_KEYS: [&str; 3] = ["expr", "query", "definition"];

/// The metrics of a built `larch`: name and kind.
pub(crate) struct Inventory(BTreeMap<String, String>);

impl Inventory {
    pub(crate) fn ask(binary: &Path) -> Result<Self, Failure> {
        let name = format!("{} metrics list --json", binary.display());
        let output = Command::new(binary)
            .args(["metrics", "list", "--json"])
            .output()
            .map_err(|e| Failure::because(format!("start {name}"), e))?;
        if !output.status.success() {
            return Err(Failure::because(name, String::from_utf8_lossy(&output.stderr).trim()));
        }
        Self::parse(&String::from_utf8_lossy(&output.stdout))
            .map_err(|e| Failure::because(name, e.to_string()))
    }

    /// A list of objects, each with at least `name` and `kind`.
    fn parse(json: &str) -> Result<Self, Failure> {
        let value: Value =
            serde_json::from_str(json).map_err(|e| Failure::because("read the list of metrics", e))?;
        let mut metrics = BTreeMap::new();
        for metric in value.as_array().ok_or_else(|| Failure::new("the list of metrics is no list"))? {
            let (Some(name), Some(kind)) = (metric["name"].as_str(), metric["kind"].as_str()) else {
                return Err(Failure::new(format!("a metric without name or kind: {metric}")));
            };
            metrics.insert(name.to_owned(), kind.to_owned());
        }
        Ok(Self(metrics))
    }

    /// Whether a sample of this name is exported: a metric's own, one of a histogram's three, or one of the
    /// two that a summary has beside its own.
    fn exports(&self, sample: &str) -> bool {
        let kind_of = |name: &str| self.0.get(name).map(String::as_str);
        let part_of = |suffix: &str| sample.strip_suffix(suffix).and_then(kind_of);
        match kind_of(sample) {
            Some("histogram") => false,
            Some(_) => true,
            None => {
                part_of("_bucket") == Some("histogram")
                    || ["_sum", "_count"]
                        .into_iter()
                        .any(|suffix| matches!(part_of(suffix), Some("histogram" | "summary")))
            }
        }
    }
}

/// Whether there is anything to ask for.
pub(crate) fn are_named(root: &Path) -> Result<bool, Failure> {
    Ok(!names(root)?.is_empty())
}

/// The `larch` that was built last, in debug or release.
pub(super) fn newest_binary(root: &Path) -> Result<Option<PathBuf>, Failure> {
    let target = workspace(root)?.target;
    let mut newest = None;
    for profile in ["debug", "release"] {
        let binary = target.join(profile).join("larch");
        if let Ok(built) = std::fs::metadata(&binary).and_then(|metadata| metadata.modified())
            && newest.as_ref().is_none_or(|(time, _)| built > *time)
        {
            newest = Some((built, binary));
        }
    }
    Ok(newest.map(|(_, binary)| binary))
}

pub(crate) fn check(root: &Path, inventory: &Inventory) -> Result<Vec<Offence>, Failure> {
    let mut offences = Vec::new();
    for Named { path, line, name } in names(root)? {
        if !inventory.exports(&name) {
            let message = format!(
                "`{name}` is not exported by the built larch: correct the name, or build larch again"
            );
            offences.push(Offence::new(path, line, message));
        }
    }
    Ok(offences)
}

struct Named {
    path: String,
    line: usize,
    name: String,
}

fn names(root: &Path) -> Result<Vec<Named>, Failure> {
    let mut names = Vec::new();
    for file in files(root)? {
        if !FOLDERS.iter().any(|folder| file.path.starts_with(folder)) {
            continue;
        }
        let is_json = file.extension() == "json";
        if !is_json && !["yaml", "yml", "tpl"].contains(&file.extension()) {
            continue;
        }
        let Some(text) = file.text()? else { continue };
        let mut add = |line: usize, name: &str| {
            names.push(Named { path: file.path.clone(), line, name: name.to_owned() });
        };
        if is_json {
            let json = serde_json::from_str(&text)
                .map_err(|e| Failure::because(format!("read {}", file.path), e))?;
            let mut expressions = Vec::new();
            json_expressions(&json, &mut expressions);
            for name in expressions.into_iter().flat_map(metric_names) {
                add(line_of_key(&text, name), name);
            }
        } else {
            for (line, expression) in yaml_expressions(&text) {
                for name in metric_names(&expression) {
                    add(line, name);
                }
            }
        }
    }
    Ok(names)
}

/// Every text below one of the keys. The reader of JSON bounds the depth.
fn json_expressions<'a>(value: &'a Value, found: &mut Vec<&'a str>) {
    match value {
        Value::Array(list) => {
            for value in list {
                json_expressions(value, found);
            }
        }
        Value::Object(object) => {
            for (key, value) in object {
                match value {
                    Value::String(text) if JSON_KEYS.contains(&key.as_str()) => found.push(text),
                    _ => json_expressions(value, found),
                }
            }
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scratch::Scratch;

    const LIST: &str = r#"[
        {"name": "loki_a_total", "kind": "counter", "labels": [], "help": ""},
        {"name": "loki_b_seconds", "kind": "histogram", "labels": [], "help": ""},
        {"name": "loki_c_count", "kind": "gauge", "labels": [], "help": ""},
        {"name": "loki_d_seconds", "kind": "summary", "labels": [], "help": ""}
    ]"#;

    #[test]
    fn names_every_metric_that_is_not_exported() {
        let scratch = Scratch::new();
        assert!(!are_named(scratch.root()).unwrap());
        scratch.write(
            "dashboards/deep/a.json",
            "{\"panels\": [{\"targets\": [\n{\"expr\": \"rate(loki_a_total[1m]) / loki_gone\"},\n\
             {\"expr\": \"loki_b_seconds_bucket + loki_c_count + loki_d_seconds + loki_d_seconds_sum\"}]}],\n\"title\": \"loki_title\"}",
        );
        scratch.write(
            "helm/larch/rules.yaml",
            "groups:\n- rules:\n  - expr: loki_b_seconds > loki_a_total_sum + loki_d_seconds_bucket\n",
        );
        scratch.write("docs/a.yaml", "expr: loki_elsewhere");
        assert!(are_named(scratch.root()).unwrap());

        let offences = check(scratch.root(), &Inventory::parse(LIST).unwrap()).unwrap();
        let got: Vec<String> = offences.iter().map(|o| o.to_string()).collect();
        let want = [
            "dashboards/deep/a.json:2: `loki_gone` is",
            "helm/larch/rules.yaml:3: `loki_b_seconds` is",
            "helm/larch/rules.yaml:3: `loki_a_total_sum` is",
            "helm/larch/rules.yaml:3: `loki_d_seconds_bucket` is",
        ];
        assert_eq!(got.len(), want.len(), "{got:?}");
        for (got, want) in got.iter().zip(want) {
            assert!(got.starts_with(want), "{got}");
        }
    }

    #[test]
    fn refuses_a_list_that_is_none() {
        for list in ["", "{}", "[{\"name\": \"a\"}]"] {
            assert!(Inventory::parse(list).is_err(), "{list}");
        }
    }
}
