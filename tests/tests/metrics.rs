//! docs/metrics.md against the built binary: each metric of the page is declared with this type and these
//! labels, and after a round of pushes, cuts, queries and a restart it is shown with them.

#![allow(clippy::expect_used, reason = "a test that cannot go on says so by panicking")]

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use larch_testkit::http::{Client, with_query};
use larch_testkit::process::{Running, built, configured};
use larch_tests::{now, push_json};
use serde_json::{Value, json};

const SETTINGS: &str = "
auth_enabled: true
common: {path_prefix: ./data, replication_factor: 1}
chunk_store_config: {disk_cache: {directory: ./cache}}
# However full the disk of the test is.
ingester: {wal: {disk_full_threshold: 0}}
runtime_config: {file: overrides.yaml}
";

const OVERRIDES: &str = "
overrides:
  short: {max_line_size: 4, max_line_size_truncate: true}
  refused: {max_line_size: 4}
  blocked: {blocked_queries: [{pattern: '.*', regex: true}]}
  denied: {label_rules: {denied: [pod]}, usage_labels: [app]}
";

/// Labelled metrics that this round does not move, each with what does.
const ELSEWHERE: [(&str, &str); 10] = [
    ("loki_distributor_ingester_append_failures_total", "an ingester that fails"),
    ("loki_distributor_ingester_append_timeouts_total", "an ingester that hangs"),
    ("loki_distributor_push_structured_metadata_sanitized_total", "metadata that is not UTF-8"),
    ("loki_write_failures_discarded_total", "more refused pushes than are logged"),
    ("larch_store_retries_total", "a store that fails"),
    ("larch_segment_disk_cache_failures_total", "a disk that fails"),
    ("larch_catalog_objects_read_total", "a catalog that another process wrote"),
    ("larch_planner_catalog_folds_total", "a catalog with many facts"),
    ("larch_compactor_swept_objects_total", "objects that are days old"),
    ("larch_compactor_sweep_failures_total", "a sweep that fails"),
];

/// Sections of the page whose metrics this round moves.
const MOVED: [&str; 5] = ["Pushes", "Ingesters", "The log", "Storage", "Caches"];

/// A row of the page.
#[derive(Debug)]
struct Documented {
    is_moved: bool,
    name: String,
    kind: String,
    labels: BTreeSet<String>,
    /// The buckets that it has at least.
    bounds: Vec<String>,
}

/// Rows whose first cell is a name and whose second is a type: `histogram: 1 2 4` where dashboards rely on
/// buckets.
fn documented() -> Vec<Documented> {
    let path =
        Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the repository").join("docs/metrics.md");
    let page = std::fs::read_to_string(path).expect("the page");
    let (mut rows, mut section) = (Vec::new(), "");
    for line in page.lines() {
        section = line.strip_prefix("## ").unwrap_or(section);
        if !line.starts_with("| `") {
            continue;
        }
        let cells: Vec<&str> = line.trim_matches('|').split('|').map(str::trim).collect();
        let [name, kind, labels, ..] = cells.as_slice() else { panic!("not a row: {line}") };
        let (kind, bounds) = kind.split_once(':').unwrap_or((kind, ""));
        let name = name.trim_matches('`');
        rows.push(Documented {
            is_moved: MOVED.contains(&section) && !ELSEWHERE.iter().any(|(elsewhere, _)| *elsewhere == name),
            name: name.to_owned(),
            kind: kind.to_owned(),
            labels: labels.split(", ").filter(|label| !label.is_empty()).map(str::to_owned).collect(),
            bounds: bounds.split_whitespace().map(str::to_owned).collect(),
        });
    }
    rows
}

/// What the binary says that it has: type and labels by name.
fn declared() -> BTreeMap<String, (String, BTreeSet<String>)> {
    let output = built("larch")
        .args(["metrics", "list", "-json", "-pattern-ingester.enabled=true"])
        .output()
        .expect("the list");
    let list: Value = serde_json::from_slice(&output.stdout).expect("a list");
    let text = |value: &Value| value.as_str().expect("a text").to_owned();
    let mut found = BTreeMap::new();
    for metric in list.as_array().expect("a list") {
        let labels = metric["labels"].as_array().expect("labels").iter().map(text).collect();
        found.insert(text(&metric["name"]), (text(&metric["kind"]), labels));
    }
    found
}

/// What a scrape shows.
struct Scrape(String);

impl Scrape {
    fn of(larch: &Running) -> Self {
        Self(larch.get("/metrics").body)
    }

    fn kind(&self, name: &str) -> Option<&str> {
        let head = format!("# TYPE {name} ");
        self.0.lines().find_map(|line| line.strip_prefix(&head))
    }

    /// The labels of each sample of a metric, and its value.
    fn samples(&self, name: &str) -> Vec<(BTreeMap<String, String>, f64)> {
        let mut samples = Vec::new();
        for line in self.0.lines().filter_map(|line| line.strip_prefix(name)) {
            let (labels, value) = match line.strip_prefix('{') {
                Some(rest) => rest.rsplit_once("} ").expect("a value"),
                None if line.starts_with(' ') => ("", line.trim()),
                None => continue,
            };
            let pair = |pair: &str| {
                let (name, value) = pair.split_once("=\"").expect("a label");
                (name.to_owned(), value.to_owned())
            };
            let labels = labels
                .strip_suffix('"')
                .unwrap_or(labels)
                .split("\",")
                .filter(|pair| !pair.is_empty())
                .map(pair);
            samples.push((labels.collect(), value.parse().expect("a number")));
        }
        samples
    }

    /// The sum over all series that have these labels, as `name{label="value"}`.
    fn sum(&self, series: &str) -> f64 {
        let (name, labels) = series.split_once('{').unwrap_or((series, ""));
        let wanted = |pair: &str| {
            let (label, value) = pair.split_once('=').expect("a label");
            (label.to_owned(), value.trim_matches('"').to_owned())
        };
        let wanted: Vec<_> =
            labels.trim_end_matches('}').split(',').filter(|pair| !pair.is_empty()).map(wanted).collect();
        let fits = |labels: &BTreeMap<String, String>| {
            wanted.iter().all(|(label, value)| labels.get(label) == Some(value))
        };
        self.samples(name).into_iter().filter(|(labels, _)| fits(labels)).map(|(_, value)| value).sum()
    }
}

fn row(labels: Value, line: &str) -> Value {
    json!({"stream": labels, "values": [[now().nanos().to_string(), line, {"trace": "t1"}]]})
}

/// Pushes of several tenants, all of which are answered as they should be.
fn push(client: &mut Client) {
    let twice = row(json!({"app": "shop"}), "one");
    let pod = json!({"app": "shop", "pod": "p1"});
    for (tenant, streams, status) in [
        ("acme", vec![twice.clone(), row(json!({"app": "pay"}), "two")], 204),
        ("acme", vec![twice], 204),
        ("short", vec![row(json!({"app": "shop"}), "too long")], 204),
        ("refused", vec![row(json!({"app": "shop"}), "too long")], 400),
        ("denied", vec![row(pod, "three")], 204),
        ("acme", vec![], 422),
    ] {
        let answer = push_json(client, Some(tenant), &streams).expect("an answer");
        assert_eq!(answer.status, status, "{tenant}: {}", answer.body);
    }
    let headers = [("content-type", "application/json"), ("x-scope-orgid", "acme")];
    let otlp = json!({"resourceLogs": [{"resource": {"attributes": [
        {"key": "service.name", "value": {"stringValue": "cart"}}]},
        "scopeLogs": [{"logRecords": [{"timeUnixNano": now().nanos().to_string(), "body": {"stringValue": "four"}}]}]}]});
    let answer = client.post("/otlp/v1/logs", &headers, otlp.to_string().as_bytes()).expect("an answer");
    assert_eq!(answer.status, 204, "{}", answer.body);
}

fn query(client: &mut Client) {
    let end = now().nanos().to_string();
    for (tenant, path, query, status) in [
        ("acme", "/loki/api/v1/query_range", r#"{app="shop"} |= "one""#, 200),
        ("acme", "/loki/api/v1/query_range", r#"{app="shop"} |= "one""#, 200),
        ("acme", "/loki/api/v1/query_range", r#"sum(count_over_time({app="shop"}[1m]))"#, 200),
        ("acme", "/loki/api/v1/labels", r#"{app="shop"}"#, 200),
        ("acme", "/loki/api/v1/index/stats", r#"{app="shop"}"#, 200),
        ("acme", "/loki/api/v1/index/volume", r#"{app="shop"}"#, 200),
        ("blocked", "/loki/api/v1/query_range", r#"{app="shop"}"#, 400),
    ] {
        let path = with_query(path, [("query", query), ("since", "1h"), ("end", end.as_str())]);
        let answer = client.get(&path, &[("x-scope-orgid", tenant)]).expect("an answer");
        assert_eq!(answer.status, status, "{path}: {}", answer.body);
    }
}

/// What differs from the page.
fn differences(scrape: &Scrape) -> Vec<String> {
    let declared = declared();
    let mut problems = Vec::new();
    for row in documented() {
        let name = row.name.as_str();
        match declared.get(name) {
            None => problems.push(format!("{name} is not declared")),
            Some((kind, labels)) if (kind, labels) != (&row.kind, &row.labels) => {
                problems.push(format!("{name} is declared as {kind} {labels:?}"));
            }
            Some(_) => {}
        }
        match scrape.kind(name) {
            None if row.is_moved => problems.push(format!("{name} is not shown")),
            None => {}
            Some(kind) if kind != row.kind => problems.push(format!("{name} is shown as {kind}")),
            Some(_) => problems.extend(difference_of_samples(scrape, &row)),
        }
    }
    problems
}

fn difference_of_samples(scrape: &Scrape, row: &Documented) -> Option<String> {
    let of_buckets = format!("{}_bucket", row.name);
    let samples = scrape.samples(if row.kind == "histogram" { &of_buckets } else { &row.name });
    let mut bounds = BTreeSet::new();
    for (labels, _) in &samples {
        let own = |label: &&String| !matches!(label.as_str(), "le" | "quantile");
        let names: BTreeSet<String> = labels.keys().filter(own).cloned().collect();
        if names != row.labels {
            return Some(format!("{} is shown with {names:?}", row.name));
        }
        bounds.extend(labels.get("le").cloned());
    }
    let missing: Vec<&String> = row.bounds.iter().filter(|bound| !bounds.contains(*bound)).collect();
    (!missing.is_empty()).then(|| format!("{} has no buckets {missing:?}", row.name))
}

#[test]
fn what_is_documented_is_shown() {
    assert!(documented().len() > 150, "the page has all of them");
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("overrides.yaml"), OVERRIDES).expect("the overrides");
    let larch = Running::start(configured(built("larch"), folder.path(), SETTINGS));
    larch.get_until("/ready", |answer| answer.status == 200);
    let mut client = larch.client();
    push(&mut client);
    larch.ask("POST", "/flush", &[], "");
    larch.get_until("/metrics", |answer| {
        answer.body.contains("loki_ingester_chunks_stored_total{tenant=\"acme\"} 1")
    });
    push(&mut client);
    query(&mut client);
    larch.ask("POST", "/ingester/prepare_shutdown", &[], "");

    let scrape = Scrape::of(&larch);
    let problems = differences(&scrape);
    assert!(problems.is_empty(), "{}", problems.join("\n"));
    for (series, least) in [
        ("loki_ingester_checkpoint_creations_total", 1.0),
        ("loki_ingester_checkpoint_logged_bytes_total", 100.0),
        ("loki_ingester_checkpoint_duration_seconds_count", 1.0),
        ("loki_ingester_blocks_per_chunk_count", 1.0),
        ("loki_ingester_samples_per_chunk_sum", 2.0),
        ("loki_ingester_chunks_flushed_total{reason=\"forced\"}", 1.0),
        ("loki_chunk_store_index_entries_per_chunk_sum", 2.0),
        ("loki_chunk_store_stored_chunks_total{user=\"acme\"}", 1.0),
        ("loki_index_request_duration_seconds_count{operation=\"index_chunk\",status_code=\"200\"}", 1.0),
        ("loki_index_request_duration_seconds_count{operation=\"chunk_refs\",status_code=\"200\"}", 1.0),
        ("loki_ingester_limiter_enabled", 1.0),
        ("loki_ingester_shutdown_marker", 1.0),
        ("loki_distributor_push_zero_streams_count{tenant=\"acme\",stage=\"pre-validation\"}", 2.0),
        ("loki_distributor_push_zero_streams_count{tenant=\"refused\",stage=\"post-validation\"}", 2.0),
        (
            "loki_distributor_push_stats_count{tenant=\"acme\",content_type=\"application/json\",content_version=\"v1\",format=\"loki\"}",
            4.0,
        ),
        ("loki_distributor_push_stats_count{tenant=\"acme\",format=\"otlp\"}", 2.0),
        ("loki_ingester_duplicate_log_bytes_total{tenant=\"acme\"}", 3.0),
    ] {
        assert!(scrape.sum(series) >= least, "{series} is {}", scrape.sum(series));
    }
    // Without a flush, so that there is something to read back.
    larch.ask("DELETE", "/ingester/prepare_shutdown", &[], "");
    assert_eq!(Scrape::of(&larch).sum("loki_ingester_shutdown_marker"), 0.0);
    larch.stop();
    let larch = Running::start(configured(built("larch"), folder.path(), SETTINGS));
    larch.get_until("/ready", |answer| answer.status == 200);
    let scrape = Scrape::of(&larch);
    for (series, least) in [
        ("loki_ingester_wal_recovered_entries_total", 4.0),
        ("loki_ingester_wal_recovered_streams_total", 4.0),
        ("loki_ingester_wal_recovered_bytes_total", 100.0),
        ("loki_ingester_wal_recovered_chunks_total", 1.0),
    ] {
        assert!(scrape.sum(series) >= least, "{series} is {}", scrape.sum(series));
    }
    for series in [
        "loki_ingester_wal_bytes_in_use",
        "loki_ingester_wal_replay_active",
        "loki_ingester_checkpoint_creations_total",
    ] {
        assert_eq!(scrape.sum(series), 0.0, "{series}");
    }
    larch.stop();
}
