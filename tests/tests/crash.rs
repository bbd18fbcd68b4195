//! A process is killed again and again while clients push and rows are flushed: what it acknowledged is
//! there exactly once, and what it did not at most once, whether or not the client tries again.

#![allow(clippy::expect_used, reason = "a test that cannot go on says so by panicking")]

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::mpsc::{SyncSender, sync_channel};

use larch_testkit::http::{Client, DEADLINE, with_query};
use larch_testkit::process::{Running, built};
use larch_tests::{now, push_json};
use larch_types::{Span, Timestamp};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use serde_json::{Value, json};

const SEED: u64 = 20_261_001;
const ROUNDS: usize = 20;
const CLIENTS: usize = 4;
/// How many pushes are answered before a process is killed, at most.
const MOST_PUSHES: usize = 100;
/// How long it then goes on, at most: a few milliseconds, so that it is killed anywhere in the way of a
/// write, and not only where it has just answered.
const MOST_SPINS: u32 = 200_000;
/// How often in a round the rows in memory are told to move into files, at most.
const MOST_FLUSHES: usize = 2;
/// The lines of a push in the stream of its client, and in the one that all clients share.
const OWN_LINES: usize = 3;
const SHARED_LINES: usize = 2;
/// The most rows that one query answers, by default. The lines of each client are fewer.
const QUERY_LIMIT: usize = 5000;

/// What one client has sent, and what it knows of it.
#[derive(Debug)]
struct Sender {
    id: usize,
    begin: Timestamp,
    next: usize,
    acknowledged: BTreeSet<usize>,
    /// Sent and never answered: each is there or not.
    unanswered: BTreeSet<usize>,
    /// One of these, which it means to try again.
    again: Option<usize>,
}

/// When a process is killed.
#[derive(Debug)]
struct Moment {
    /// After so many answers, of all clients together,
    pushes: usize,
    /// with rows flushed after so many of them,
    flush_after: Vec<usize>,
    /// and so much later.
    spins: u32,
}

#[test]
fn acknowledged_lines_survive_twenty_crashes_exactly_once() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut random = StdRng::seed_from_u64(SEED);
    let begin = now();
    let mut senders: Vec<Sender> = (0..CLIENTS).map(|id| Sender::new(id, begin)).collect();
    for round in 0..ROUNDS {
        // Killed while it reads what the last one left behind.
        if random.random_ratio(1, 4) {
            start(folder.path()).kill();
        }
        let larch = start(folder.path());
        larch.get_until("/ready", |answer| answer.status == 200);
        check_all(&larch, &senders, &format!("seed {SEED}, round {round}"));
        for sender in &mut senders {
            sender.again = sender.again.filter(|_| random.random_ratio(2, 3));
        }
        let pushes = random.random_range(0..MOST_PUSHES);
        let flushes = random.random_range(0..=MOST_FLUSHES);
        let moment = Moment {
            pushes,
            flush_after: (0..flushes).map(|_| random.random_range(0..=pushes)).collect(),
            spins: random.random_range(0..MOST_SPINS),
        };
        push_until_killed(larch, &mut senders, &moment);
    }
    let larch = start(folder.path());
    larch.get_until("/ready", |answer| answer.status == 200);
    check_all(&larch, &senders, &format!("seed {SEED}, at the end"));
    for sender in &mut senders {
        while let Some(number) = sender.unanswered.first().copied() {
            sender.push(&mut larch.client(), number).expect("an answer");
        }
    }
    check_all(&larch, &senders, &format!("seed {SEED}, after every push was tried again"));
    let answered: usize = senders.iter().map(|sender| sender.acknowledged.len()).sum();
    assert!(answered > ROUNDS, "{answered} pushes were answered in {ROUNDS} rounds");
    larch.stop();
}

fn start(folder: &Path) -> Running {
    let mut command = built("larch");
    command.current_dir(folder).env_clear().arg("-server.http-listen-port=0");
    // However full the disk of the test is.
    command.arg("-ingester.wal.disk-full-threshold=0");
    Running::start(command)
}

/// All clients push at once, until the process is gone.
fn push_until_killed(larch: Running, senders: &mut [Sender], moment: &Moment) {
    // Nobody waits for room here: a client that is ahead of the count has as much as it can want.
    let (answered, answers) = sync_channel(1_000_000);
    let address = larch.address();
    std::thread::scope(|scope| {
        for sender in senders {
            let answered = answered.clone();
            scope.spawn(move || sender.push_until_refused(address, &answered));
        }
        drop(answered);
        for count in 0..=moment.pushes {
            for _ in moment.flush_after.iter().filter(|after| **after == count) {
                scope.spawn(move || flush(address));
            }
            if count < moment.pushes {
                answers.recv_timeout(DEADLINE).expect("the process answers until it is killed");
            }
        }
        for _ in 0..moment.spins {
            std::hint::spin_loop();
        }
        larch.kill();
    });
}

fn flush(address: SocketAddr) {
    // It may be killed in the middle of it.
    if let Ok(answer) = Client::new(address).post("/flush", &[], b"") {
        assert_eq!(answer.status, 204, "{}", answer.body);
    }
}

impl Sender {
    fn new(id: usize, begin: Timestamp) -> Self {
        let (acknowledged, unanswered) = (BTreeSet::new(), BTreeSet::new());
        Self { id, begin, next: 0, acknowledged, unanswered, again: None }
    }

    fn push_until_refused(&mut self, address: SocketAddr, answered: &SyncSender<()>) {
        let mut client = Client::new(address);
        loop {
            let number = self.again.take().unwrap_or(self.next);
            self.next = self.next.max(number + 1);
            if self.push(&mut client, number).is_err() {
                self.again = Some(number);
                return;
            }
            // Whoever counts may have enough.
            answered.send(()).ok();
        }
    }

    /// Sends a push, and notes whether it was answered.
    fn push(&mut self, client: &mut Client, number: usize) -> io::Result<()> {
        self.unanswered.insert(number);
        let mut streams = Vec::new();
        for (stream, lines) in self.parts(number) {
            // All lines of a push have one time, and the pushes of all clients share theirs.
            let time = self.begin.plus(Span::from_millis(number as i64)).nanos().to_string();
            let values: Vec<Value> = lines.iter().map(|line| json!([time, line])).collect();
            streams.push(json!({"stream": {"job": "crash", "of": stream}, "values": values}));
        }
        let answer = push_json(client, None, &streams)?;
        assert_eq!(answer.status, 204, "{}", answer.body);
        self.unanswered.remove(&number);
        self.acknowledged.insert(number);
        Ok(())
    }

    /// The streams of a push with their lines. Every line is unique, and a push that is tried again has
    /// the same.
    fn parts(&self, number: usize) -> [(String, Vec<String>); 2] {
        let lines = |kind: &str, count: usize| {
            (0..count).map(|line| format!("client-{} push {number} {kind} {line}", self.id)).collect()
        };
        [
            (format!("client-{}", self.id), lines("own", OWN_LINES)),
            ("all".to_owned(), lines("shared", SHARED_LINES)),
        ]
    }
}

/// Holds what the process returns against what its clients know.
#[track_caller]
fn check_all(larch: &Running, senders: &[Sender], when: &str) {
    for sender in senders {
        let mut found = rows(larch, sender);
        let total: usize = found.values().sum();
        assert_eq!(
            count(larch, sender),
            total.to_string(),
            "{when}: the count and the rows of {}",
            sender.id
        );
        for number in &sender.acknowledged {
            for (_, lines) in sender.parts(*number) {
                for line in lines {
                    assert_eq!(found.remove(&line), Some(1), "{when}: acknowledged: {line}");
                }
            }
        }
        for number in &sender.unanswered {
            for (stream, lines) in sender.parts(*number) {
                let times: Vec<usize> = lines.iter().map(|line| found.remove(line).unwrap_or(0)).collect();
                // A stream's part of a push is taken whole or not at all.
                let is_all_or_none = times[0] <= 1 && times.iter().all(|count| *count == times[0]);
                assert!(
                    is_all_or_none,
                    "{when}: unanswered, in {stream}: {lines:?} are there {times:?} times"
                );
            }
        }
        assert!(found.is_empty(), "{when}: never sent: {found:?}");
    }
}

/// How often each line of a client is returned.
fn rows(larch: &Running, sender: &Sender) -> BTreeMap<String, usize> {
    let query = format!(r#"{{job="crash"}} |= "client-{} ""#, sender.id);
    let (start, end) = (sender.begin.nanos().to_string(), end(sender).nanos().to_string());
    let limit = QUERY_LIMIT.to_string();
    let parameters = [("query", query.as_str()), ("start", &start), ("end", &end), ("limit", &limit)];
    let answer = ask(larch, &with_query("/loki/api/v1/query_range", parameters));
    let mut rows = BTreeMap::new();
    for stream in answer["data"]["result"].as_array().expect("streams") {
        for row in stream["values"].as_array().expect("rows") {
            *rows.entry(row[1].as_str().expect("a line").to_owned()).or_default() += 1;
        }
    }
    assert!(rows.len() < QUERY_LIMIT, "more lines than one query returns");
    rows
}

/// How many lines of a client there are, as a metric query counts them.
fn count(larch: &Running, sender: &Sender) -> String {
    let query = format!(r#"sum(count_over_time({{job="crash"}} |= "client-{} " [2h]))"#, sender.id);
    let time = end(sender).nanos().to_string();
    let answer = ask(larch, &with_query("/loki/api/v1/query", [("query", query.as_str()), ("time", &time)]));
    let sample = answer["data"]["result"].as_array().expect("samples").first();
    sample.map_or("0", |sample| sample["value"][1].as_str().expect("a number")).to_owned()
}

/// Later than any row.
fn end(sender: &Sender) -> Timestamp {
    sender.begin.plus(Span::from_hours(1))
}

#[track_caller]
fn ask(larch: &Running, path: &str) -> Value {
    let answer = larch.get(path);
    assert_eq!(answer.status, 200, "{path}: {}", answer.body);
    serde_json::from_str(&answer.body).expect(&answer.body)
}
