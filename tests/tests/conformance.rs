//! The recorded queries, asked of the built binary over HTTP: the answers do not depend on where the rows
//! are, in memory, in files or in the store, nor on crashes and pushes that are sent twice.
//!
//! `conformance/known.md` holds where Larch differs on purpose, `conformance/not_yet.txt` what it does not
//! do yet. Both lists may only become shorter.

#![allow(clippy::expect_used, reason = "a test that cannot go on says so by panicking")]

use std::path::Path;

use larch_testkit::http::{Client, with_query};
use larch_testkit::process::{Running, built, configured};
use larch_testkit::recorded::difference;
use larch_tests::{check_against_list, ids_in_table, ids_listed, now, push_json, read_cases, text};
use larch_types::Timestamp;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use serde_json::{Value, json};

const CASES: &str = include_str!("../conformance/cases.jsonl");
const DATASET: &str = include_str!("../conformance/dataset.jsonl");
const KNOWN: &str = include_str!("../conformance/known.md");
const NOT_YET: &str = include_str!("../conformance/not_yet.txt");

/// Under which the answers were recorded.
const SETTINGS: &str = "
auth_enabled: true
common: {path_prefix: ./conformance-data, replication_factor: 1}
# However full the disk of the test is.
ingester: {keep_handed_over: 1s, wal: {disk_full_threshold: 0}}
querier: {multi_tenant_queries_enabled: true}
limits_config:
  reject_old_samples: false
  max_query_length: 0
  volume_enabled: true
  deletion_mode: filter-and-delete
";

/// Those of the dataset.
const TENANTS: [&str; 2] = ["acme", "globex"];

/// Some kilobytes in a piece, all answers kept that may be, and what is read from the store kept on disk.
const FINELY_CUT: &str = "
chunk_store_config: {disk_cache: {directory: ./cache}}
query_range: {cache_results: true, cache_instant_metric_results: true}
limits_config:
  tsdb_max_bytes_per_shard: 48KB
  split_queries_by_interval: 30m
  split_instant_metric_queries_by_interval: 5m
  split_metadata_queries_by_interval: 30m
";

#[test]
fn recorded_answers_come_back_wherever_the_rows_are() {
    let folder = tempfile::tempdir().expect("a folder");
    let start = || {
        let larch = Running::start(configured(built("larch"), folder.path(), SETTINGS));
        larch.get_until("/ready", |answer| answer.status == 200);
        larch
    };
    let cases = read_cases(CASES);
    assert!(cases.len() > 500, "{} cases", cases.len());
    let mut listed = ids_in_table(KNOWN);
    listed.extend(ids_listed(NOT_YET));
    let check = |larch: &Running, rows_are: &str| {
        let outcomes = ask_all(&mut larch.client(), &cases);
        check_against_list(&format!("with rows {rows_are}"), &outcomes, &listed);
    };

    let larch = start();
    push_dataset(&mut larch.client());
    check(&larch, "in memory");
    larch.kill();
    let larch = start();
    check(&larch, "read back from the log");
    let flushed = larch.ask("POST", "/flush", &[], "");
    assert_eq!(flushed.status, 204, "{}", flushed.body);
    check(&larch, "on their way into files and into the store");
    for tenant in TENANTS {
        let flushed = larch.ask("POST", "/flush/tenant", &[("x-scope-orgid", tenant)], "");
        assert_eq!(flushed.status, 204, "{}", flushed.body);
    }
    check(&larch, "handed over");
    push_dataset(&mut larch.client());
    check(&larch, "in the store, and pushed again");
    larch.kill();
    let larch = start();
    check(&larch, "in the store and in the log");
    larch.stop();
    // What a node that comes back finds when it was away for long: nothing of its own.
    std::fs::remove_dir_all(folder.path().join("conformance-data/wal")).expect("remove the log");
    let larch = start();
    check(&larch, "in the store alone");
    larch.stop();
    let settings = SETTINGS.replace("limits_config:\n", FINELY_CUT);
    let start = || {
        let larch = Running::start(configured(built("larch"), folder.path(), &settings));
        larch.get_until("/ready", |answer| answer.status == 200);
        larch
    };
    let larch = start();
    check(&larch, "in the store, and queries cut as finely as they can be");
    check(&larch, "in answers that were kept");
    let counted = |larch: &Running, name: &str, label: &str| -> u64 {
        let metrics = larch.get("/metrics").body;
        let lines = metrics.lines().filter(|line| line.starts_with(name) && line.contains(label));
        lines.filter_map(|line| line.rsplit(' ').next()?.parse::<u64>().ok()).sum()
    };
    assert!(counted(&larch, "loki_query_frontend_shards_total", "metric") > 100);
    // What is still to come is not kept.
    if now() > Timestamp::from_secs(1_790_830_000) {
        assert!(counted(&larch, "larch_query_frontend_results_cache_requests_total", "hit") > 100);
    }
    larch.stop();
    let larch = start();
    check(&larch, "on the disk of the reader");
    let from_disk = counted(&larch, "larch_segment_cache_requests_total", "\"disk\"");
    assert!(from_disk > 20, "{from_disk} footers and pages");
    assert_eq!(counted(&larch, "larch_segment_disk_cache_damaged_total", ""), 0);
    larch.stop();
    damage(&folder.path().join("cache"));
    let larch = start();
    check(&larch, "in the store, and wrong on the disk of the reader");
    let damaged = counted(&larch, "larch_segment_disk_cache_damaged_total", "");
    // What is read by two at once was counted twice above, and is damaged once.
    assert!(damaged > from_disk / 2, "{damaged} of {from_disk}");
    larch.stop();
}

/// Turns a bit in each 32 bytes of all entries; tables at the end of the files stay as they are.
fn damage(directory: &Path) {
    for file in std::fs::read_dir(directory).expect("the directory of the cache") {
        let path = file.expect("a file").path();
        let mut bytes = std::fs::read(&path).expect("the bytes of the file");
        let table = bytes.len().checked_sub(16).and_then(|at| bytes.get(at..at + 4)?.try_into().ok());
        let table = table.map_or(0, u32::from_le_bytes) as usize;
        for byte in bytes[..table].iter_mut().skip(24).step_by(32) {
            *byte ^= 1;
        }
        std::fs::write(&path, bytes).expect("write the file");
    }
}

/// The cuts above are small and travel inside the facts that announce them. Here each is an object of its own, because rows
/// that no case asks for are cut with it, and each tenant has two of them.
#[test]
fn recorded_answers_come_back_from_objects_of_their_own() {
    let folder = tempfile::tempdir().expect("a folder");
    let start = || {
        let larch = Running::start(configured(built("larch"), folder.path(), SETTINGS));
        larch.get_until("/ready", |answer| answer.status == 200);
        larch
    };
    let cases = read_cases(CASES);
    let mut listed = ids_in_table(KNOWN);
    listed.extend(ids_listed(NOT_YET));
    let check = |larch: &Running, rows_are: &str| {
        let outcomes = ask_all(&mut larch.client(), &cases);
        check_against_list(&format!("with rows {rows_are}"), &outcomes, &listed);
    };
    let mut random = StdRng::seed_from_u64(20_261_130);
    let larch = start();
    let batches = read_cases(DATASET);
    // Streams with rows in either.
    for first in [0, 1] {
        push_batches(&mut larch.client(), batches.iter().skip(first).step_by(2));
        for tenant in TENANTS {
            push_noise(&mut larch.client(), tenant, &mut random);
            let flushed = larch.ask("POST", "/flush/tenant", &[("x-scope-orgid", tenant)], "");
            assert_eq!(flushed.status, 204, "{}", flushed.body);
        }
    }
    let objects = objects_of_their_own(&folder.path().join("conformance-data"));
    assert_eq!(objects, 2 * TENANTS.len(), "objects of their own");
    check(&larch, "handed over as objects");
    larch.kill();
    std::fs::remove_dir_all(folder.path().join("conformance-data/wal")).expect("remove the log");
    let larch = start();
    check(&larch, "in objects alone, and nothing in memory");
    larch.stop();
}

/// Half a megabyte of the day of all rows, nine hours behind the last: noise, so that its segment is no smaller.
fn push_noise(client: &mut Client, tenant: &str, random: &mut StdRng) {
    let time = Timestamp::from_secs(1_790_856_000).nanos().to_string();
    let mut line =
        || -> String { (0..10_000).map(|_| char::from(random.random_range(b' '..=b'~'))).collect() };
    let values: Vec<Value> = (0..50).map(|_| json!([time, line()])).collect();
    let stream = json!({"stream": {"app": "noise"}, "values": values});
    let answer = push_json(client, Some(tenant), &[stream]).expect("an answer");
    assert_eq!(answer.status, 204, "{}", answer.body);
}

fn objects_of_their_own(folder: &Path) -> usize {
    let mut count = 0;
    for entry in std::fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            // Files beside the log are named otherwise, and not objects yet.
            count += if path.ends_with("wal") { 0 } else { objects_of_their_own(&path) };
        } else {
            count += usize::from(path.extension().is_some_and(|extension| extension == "seg"));
        }
    }
    count
}

fn push_dataset(client: &mut Client) {
    push_batches(client, read_cases(DATASET).iter());
}

fn push_batches<'b>(client: &mut Client, batches: impl Iterator<Item = &'b Value>) {
    for batch in batches {
        let mut values = Vec::new();
        for value in batch["values"].as_array().expect("values") {
            let has_metadata = value[2].as_object().is_some_and(|metadata| !metadata.is_empty());
            values.push(if has_metadata { value.clone() } else { json!([value[0], value[1]]) });
        }
        let stream = json!({"stream": batch["stream"], "values": values});
        let answer = push_json(client, Some(text(batch, "tenant")), &[stream]).expect("an answer");
        assert_eq!(answer.status, 204, "{}", answer.body);
    }
}

fn ask_all(client: &mut Client, cases: &[Value]) -> Vec<(String, Option<String>)> {
    let mut outcomes = Vec::new();
    for case in cases {
        let (status, body) = ask(client, case);
        let query = &case["params"]["query"];
        let difference = difference(case, status, &body).map(|text| format!("{query}\n    {text}"));
        outcomes.push((text(case, "id").to_owned(), difference));
    }
    outcomes
}

fn ask(client: &mut Client, case: &Value) -> (u16, Value) {
    let mut headers = Vec::new();
    let mut parameters = Vec::new();
    for (name, value) in case["params"].as_object().expect("parameters") {
        let values = value.as_array().cloned().unwrap_or_else(|| vec![value.clone()]);
        for value in values {
            let value = value.as_str().expect("a text").to_owned();
            match name.strip_prefix("_header:") {
                Some(header) => headers.push((header, value)),
                None => parameters.push((name.as_str(), value)),
            }
        }
    }
    let tenant = text(case, "tenant");
    if !tenant.is_empty() {
        headers.push(("x-scope-orgid", tenant.to_owned()));
    }
    let headers: Vec<(&str, &str)> = headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let parameters = parameters.iter().map(|(name, value)| (*name, value.as_str()));
    match client.get(&with_query(text(case, "path"), parameters), &headers) {
        Ok(answer) => {
            let body = serde_json::from_str(&answer.body).unwrap_or(Value::String(answer.body));
            (answer.status, body)
        }
        Err(error) => (0, Value::String(format!("no answer: {error}"))),
    }
}
