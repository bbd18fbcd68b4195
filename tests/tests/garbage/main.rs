//! Bytes that no client should send, on every endpoint: each is refused with a clear status or a closed
//! connection, and the process stays as it was: it answers, has not panicked, and has not grown.

#![allow(clippy::expect_used, reason = "a test that cannot go on says so by panicking")]

mod bodies;
mod connections;
mod reads;

use std::io;
use std::time::Duration;

use larch_testkit::http::{Answer, Client, with_query};
use larch_testkit::process::{Running, built, configured};
use larch_tests::{now, push_json};
use serde_json::{Value, json};

/// The limits of tenants are the defaults. What one process takes at a time is bounded, as an operator
/// bounds it; and a request must arrive within a time that the test can wait for.
const SETTINGS: &str = "
auth_enabled: true
common: {path_prefix: ./data, replication_factor: 1}
# However full the disk of the test is.
ingester: {wal: {disk_full_threshold: 0}}
server: {http_server_read_timeout: 5s}
distributor: {max_recv_msg_size: 64MB, max_decompressed_size: 128MB, max_inflight_bytes: 256MB}
";

/// Twice what pushes may hold by these settings, and something for the rest. Some of the bombs unfold to a
/// gigabyte.
const MOST_MEMORY: u64 = 640 * 1024 * 1024;

/// Refusing takes no longer than this on a slow machine.
const PATIENCE: Duration = Duration::from_secs(60);

const SEED: u64 = 20_261_002;

/// What may come back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Verdict {
    /// A status of refusal, or no answer on a closed connection.
    Refused,
    /// That, or success: what was asked makes sense.
    Answered,
}

/// A server under garbage, and what went wrong with it so far.
struct Trial {
    larch: Running,
    problems: Vec<String>,
    requests: usize,
    /// The most memory held so far, and each request that raised it by much.
    peak: u64,
    raised: Vec<String>,
}

#[test]
fn garbage_is_refused_and_leaves_no_trace() {
    let folder = tempfile::tempdir().expect("a folder");
    let larch = Running::start(configured(built("larch"), folder.path(), SETTINGS));
    larch.get_until("/ready", |answer| answer.status == 200);
    let mut trial = Trial { larch, problems: Vec::new(), requests: 0, peak: 0, raised: Vec::new() };
    check_alive(&trial.larch, "before");

    // These hold their connections until the end.
    let slow = connections::slow_clients(&trial.larch);
    bodies::run(&mut trial);
    trial.check_memory("after bodies");
    reads::run(&mut trial);
    trial.check_memory("after reads");
    connections::run(&mut trial);
    check_alive(&trial.larch, "with slow clients");
    connections::check_cut_off(slow);

    trial.check_memory("at the end");
    check_alive(&trial.larch, "after");
    let metrics = trial.larch.get("/metrics").body;
    assert!(metrics.contains("\nloki_panic_total 0\n"), "something panicked");
    let Trial { larch, problems, requests, .. } = trial;
    assert!(problems.is_empty(), "{} of {requests} requests:\n{}", problems.len(), problems.join("\n"));
    assert!(requests > 500, "only {requests} requests");
    larch.stop();
}

impl Trial {
    /// Sends one request on a connection of its own and judges the answer. Every request has a tenant of
    /// its own unless it names one, so that none meets a limit that another used up.
    fn send(
        &mut self,
        what: &str,
        (method, path): (&str, &str),
        headers: &[(&str, &str)],
        body: &[u8],
        verdict: Verdict,
    ) {
        self.requests += 1;
        let tenant = format!("garbage-{}", self.requests);
        let mut all = vec![("connection", "close")];
        all.extend_from_slice(headers);
        if !headers.iter().any(|(name, _)| *name == "x-scope-orgid") {
            all.push(("x-scope-orgid", &tenant));
        }
        let mut client = Client::new(self.larch.address()).with_timeout(PATIENCE);
        let answer = client.send(method, path, &all, body);
        if let Err(problem) = judge(&answer, verdict) {
            self.report(&format!("{what}: {method} {} {headers:?}: {problem}", beginning(path)));
        }
        let peak = self.larch.peak_memory();
        if peak > self.peak + 16 * 1024 * 1024 {
            self.raised.push(format!(
                "{} MiB by {what}: {} {headers:?}",
                peak / 1024 / 1024,
                beginning(path)
            ));
            self.peak = peak;
        }
    }

    fn report(&mut self, problem: &str) {
        self.problems.push(beginning(problem));
    }

    #[track_caller]
    fn check_memory(&self, when: &str) {
        let peak = self.larch.peak_memory();
        let raised = self.raised.join("\n");
        assert!(peak < MOST_MEMORY, "{when} it has held {} MiB:\n{raised}", peak / 1024 / 1024);
    }
}

fn judge(answer: &io::Result<Answer>, verdict: Verdict) -> Result<(), String> {
    match answer {
        Err(error) if is_silence(error) => Err("no answer in time".to_owned()),
        // Closed or reset: the rest of the garbage was not worth reading.
        Err(_) => Ok(()),
        Ok(answer) if (400..600).contains(&answer.status) => match answer.body.contains("panic") {
            true => Err(format!("{answer:?}")),
            false => Ok(()),
        },
        Ok(answer) if verdict == Verdict::Answered && (200..400).contains(&answer.status) => Ok(()),
        Ok(answer) => Err(format!("answered {answer:?}")),
    }
}

fn is_silence(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut)
}

/// Enough of a text to find it again.
fn beginning(text: &str) -> String {
    text.chars().take(400).collect()
}

/// A push that is in order is taken, and found.
#[track_caller]
fn check_alive(larch: &Running, when: &str) {
    let mut client = larch.client();
    let time = now().nanos().to_string();
    let stream = json!({"stream": {"app": "alive"}, "values": [[time, when]]});
    let pushed = push_json(&mut client, Some("alive"), &[stream]).expect(when);
    assert_eq!((pushed.status, pushed.body.as_str()), (204, ""), "{when}");
    let query = format!(r#"{{app="alive"}} |= `{when}`"#);
    let path = with_query("/loki/api/v1/query_range", [("query", query.as_str())]);
    let found = client.get(&path, &[("x-scope-orgid", "alive")]).expect(when);
    let body: Value = serde_json::from_str(&found.body).expect(&found.body);
    assert_eq!(body["data"]["result"][0]["values"], json!([[time, when]]), "{when}: {}", found.body);
}
