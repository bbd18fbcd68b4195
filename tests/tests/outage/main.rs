//! Object storage goes away while clients push, to a process with a small budget for log and segment files: pushes
//! go on until it is used up and then say why they do not; queries answer, or say why they do not; the process is killed
//! in the middle. Afterwards all is in the store, every acknowledged row once.
//!
//! The outage ends when all of that was seen; `LARCH_SOAK_OUTAGE_SECONDS=10` makes it last at least so long.

#![allow(clippy::expect_used, reason = "a test that cannot go on says so by panicking")]

mod server;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::time::Duration;

use larch_testkit::http::{Answer, DEADLINE, with_query};
use larch_testkit::process::{Running, built, configured};
use larch_tests::{now, push_json};
use larch_types::{Span, Timestamp};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use regex::Regex;
use serde_json::{Value, json};

use server::{Mode, Server};

/// For log and segment files.
const BUDGET: u64 = 4 << 20;

/// A push is a fortieth of it.
const ROWS: usize = 10;
const LINE_BYTES: usize = 10_000;

/// Every so many pushes all rows are asked for.
const QUERY_EVERY: usize = 20;

/// Between two pushes that are refused.
const REST: Duration = Duration::from_millis(50);

struct House {
    folder: PathBuf,
    settings: String,
    larch: Option<Running>,
    random: StdRng,
    begin: Timestamp,
    pushes: usize,
    acknowledged: BTreeSet<String>,
    refused: BTreeSet<String>,
    answered: usize,
}

impl House {
    fn new(folder: &Path, server: &Server) -> Self {
        let settings = format!(
            "
auth_enabled: false
common: {{path_prefix: ./data, replication_factor: 1, storage: {storage}}}
schema_config: {{configs: [{{from: 2024-01-01, store: tsdb, object_store: s3, schema: v13, index: {{prefix: index_, period: 24h}}}}]}}
ingester:
  flush_check_period: 1s
  flush_op_backoff: {{min_period: 100ms, max_period: 1s}}
  # However full the disk of the test is.
  wal: {{disk_budget: {BUDGET}B, disk_full_threshold: 0}}
limits_config: {{ingestion_rate_mb: 1000, ingestion_burst_size_mb: 1000, per_stream_rate_limit: 1GB, per_stream_rate_limit_burst: 1GB}}
",
            storage = server.settings()
        );
        let begin = now().plus(Span::from_mins(-10));
        let mut house = Self {
            folder: folder.to_owned(),
            settings,
            larch: None,
            random: StdRng::seed_from_u64(20_261_130),
            begin,
            pushes: 0,
            acknowledged: BTreeSet::new(),
            refused: BTreeSet::new(),
            answered: 0,
        };
        house.start();
        house
    }

    fn start(&mut self) {
        let larch = Running::start(configured(built("larch"), &self.folder, &self.settings));
        larch.get_until("/ready", |answer| answer.status == 200);
        self.larch = Some(larch);
    }

    fn larch(&self) -> &Running {
        self.larch.as_ref().expect("a process that runs")
    }

    fn kill(&mut self) {
        self.larch.take().expect("a process that runs").kill();
    }

    /// One push. Lines are noise, so that they are as large in files as in the log.
    fn push(&mut self) -> Answer {
        let mut lines = Vec::new();
        for row in 0..ROWS {
            let noise: String =
                (0..LINE_BYTES).map(|_| char::from(self.random.random_range(b' '..=b'~'))).collect();
            lines.push(format!("{}-{row} {noise}", self.pushes));
        }
        let time = self.begin.plus(Span::from_millis(self.pushes as i64)).nanos().to_string();
        let values: Vec<Value> = lines.iter().map(|line| json!([time, line])).collect();
        let stream = json!({"stream": {"app": "outage"}, "values": values});
        let answer = push_json(&mut self.larch().client(), None, &[stream]).expect("an answer");
        self.pushes += 1;
        let names = lines.iter().map(|line| name(line));
        match answer.status {
            204 => self.acknowledged.extend(names),
            _ => self.refused.extend(names),
        }
        answer
    }

    /// Every acknowledged row once, and others at most once, or a failure of the server with a reason.
    fn query(&mut self) -> bool {
        let mut found: BTreeMap<String, usize> = BTreeMap::new();
        for first in (0..self.pushes).step_by(QUERY_EVERY) {
            let at = |push: usize| self.begin.plus(Span::from_millis(push as i64)).nanos().to_string();
            let (start, end) = (at(first), at(first + QUERY_EVERY));
            let limit = (QUERY_EVERY * ROWS).to_string();
            let parameters =
                [("query", r#"{app="outage"}"#), ("start", &start), ("end", &end), ("limit", &limit)];
            let answer = self.larch().get(&with_query("/loki/api/v1/query_range", parameters));
            if answer.status != 200 {
                assert!((500..=504).contains(&answer.status), "{answer:?}");
                assert!(!answer.body.trim().is_empty(), "a failure says why");
                return false;
            }
            let body: Value = serde_json::from_str(&answer.body).expect("JSON");
            for stream in body["data"]["result"].as_array().expect("streams") {
                for value in stream["values"].as_array().expect("values") {
                    *found.entry(name(value[1].as_str().expect("a line"))).or_default() += 1;
                }
            }
        }
        for row in &self.acknowledged {
            assert_eq!(found.remove(row), Some(1), "acknowledged: {row}");
        }
        for (row, count) in found {
            assert!(count == 1 && self.refused.contains(&row), "{row} is there {count} times");
        }
        self.answered += 1;
        true
    }

    /// Pushes until one is refused for the reason.
    fn push_until_refused(&mut self, reason: &Regex) -> Answer {
        let begun = now();
        while now().since(begun) < Span::from(DEADLINE) {
            let answer = self.push();
            match answer.status {
                204 if self.pushes.is_multiple_of(QUERY_EVERY) => drop(self.query()),
                204 => {}
                429 if reason.is_match(&answer.body) => return answer,
                429 => std::thread::park_timeout(REST),
                _ => panic!("{answer:?}"),
            }
        }
        panic!("no push is refused")
    }

    fn push_until_taken(&mut self) {
        let begun = now();
        while self.push().status != 204 {
            assert!(now().since(begun) < Span::from(DEADLINE), "pushes are refused still");
            std::thread::park_timeout(REST);
        }
    }

    /// Until nothing is in memory or in files alone.
    fn wait_until_all_is_stored(&self) {
        let flushed = self.larch().ask("POST", "/flush", &[], "");
        assert_eq!(flushed.status, 204, "{}", flushed.body);
        let is_zero =
            |answer: &Answer, name: &str| answer.body.lines().any(|line| line == format!("{name} 0"));
        self.larch().get_until("/metrics", |answer| {
            is_zero(answer, "loki_ingester_memory_chunks")
                && is_zero(answer, "loki_ingester_flush_queue_length")
        });
    }
}

/// What a row is called by: what stands before its noise.
fn name(line: &str) -> String {
    line.split(' ').next().unwrap_or_default().to_owned()
}

#[expect(clippy::disallowed_methods, reason = "the soak says how long")]
fn seconds() -> i64 {
    std::env::var("LARCH_SOAK_OUTAGE_SECONDS").ok().and_then(|text| text.parse().ok()).unwrap_or(0)
}

#[test]
fn nothing_is_lost_while_the_store_is_away() {
    let folder = tempfile::tempdir().expect("a folder");
    let server = Server::start();
    let mut house = House::new(folder.path(), &server);
    // More than the budget: what is uploaded makes room for what comes.
    for _ in 0..BUDGET as usize * 5 / 4 / (ROWS * LINE_BYTES) {
        house.push_until_taken();
    }
    house.wait_until_all_is_stored();
    assert!(house.query(), "nothing is in the way");

    let begun = now();
    server.become_one_that(Mode::Refuses);
    assert!(house.query(), "what was read once needs no store");
    let full = Regex::new(
        r"log and segment files take \d+ bytes, and beyond 4194304 no rows are taken; \d+ bytes wait for their upload, which fails: ",
    )
    .expect("a pattern");
    let before = house.acknowledged.len();
    let answer = house.push_until_refused(&full);
    assert_eq!(answer.header("retry-after"), Some("1"), "{answer:?}");
    assert!(
        answer.body.contains("the store is not available"),
        "it names the failure of the store: {}",
        answer.body
    );
    let taken = house.acknowledged.len() - before;
    assert!(taken > ROWS, "{taken} rows were taken while the store was away");

    server.become_one_that(Mode::Closes);
    house.kill();
    house.start();
    house.query();
    let answer = house.push_until_refused(&full);
    assert_eq!(answer.header("retry-after"), Some("1"), "{answer:?}");
    house.query();
    while now().since(begun) < Span::from_secs(seconds()) {
        house.push();
        house.query();
        std::thread::park_timeout(REST);
    }

    server.become_one_that(Mode::Answers);
    house.push_until_taken();
    house.wait_until_all_is_stored();
    assert!(house.query(), "the store is back");
    house.kill();
    std::fs::remove_dir_all(folder.path().join("data/wal")).expect("remove the log");
    house.start();
    assert!(house.query(), "the store has all of it");
    println!(
        "{} rows, {} refused, {} queries answered",
        house.acknowledged.len(),
        house.refused.len(),
        house.answered
    );
}
