//! Every endpoint for reading, asked over HTTP: status, content type and body to the byte where clients see
//! them. Each case is data; `@-60` in one stands for a minute ago.

#![allow(clippy::expect_used, reason = "a test that cannot go on says so by panicking")]

mod documented;
mod memory;
mod metadata;
mod pages;
mod parameters;
mod queries;
mod requests;
mod tenants;

use larch_testkit::http::Answer;
use larch_testkit::process::{Running, built, configured};
use larch_tests::{now, push_json, time_marks_resolved};
use larch_types::Timestamp;
use serde_json::{Value, json};

const SETTINGS: &str = "
auth_enabled: true
common: {path_prefix: ./data, replication_factor: 1}
# However full the disk of the test is.
ingester: {wal: {disk_full_threshold: 0}}
";

const JSON: &str = "application/json; charset=UTF-8";
const TEXT: &str = "text/plain; charset=utf-8";
const FORM: &str = "application/x-www-form-urlencoded";

/// A request, and what it is answered.
#[derive(Debug, Clone, Copy)]
struct Case<'a> {
    method: &'a str,
    /// With its parameters, not encoded: `path?name=value&…`. Marks of time are resolved.
    target: &'a str,
    headers: &'a [(&'a str, &'a str)],
    /// Not encoded either, and sent as a form if there is one.
    form: &'a str,
    status: u16,
    content_type: &'a str,
    body: Body<'a>,
}

#[derive(Debug, Clone, Copy)]
enum Body<'a> {
    /// To the byte, but for statistics, which are left out as `"stats":{}`.
    Is(&'a str),
    Begins(&'a str),
    Any,
}

const GET: Case<'_> = Case {
    method: "GET",
    target: "",
    headers: &[("x-scope-orgid", "acme")],
    form: "",
    status: 200,
    content_type: JSON,
    body: Body::Any,
};

/// A success.
const fn ok<'a>(target: &'a str, body: &'a str) -> Case<'a> {
    Case { target, body: Body::Is(body), ..GET }
}

/// A mistake of the client, said in plain text.
const fn bad<'a>(target: &'a str, text: &'a str) -> Case<'a> {
    Case { target, status: 400, content_type: TEXT, body: Body::Is(text), ..GET }
}

struct House {
    _folder: tempfile::TempDir,
    larch: Running,
    now: Timestamp,
}

impl House {
    /// With rows of two apps for the tenant `acme`; all others have none.
    fn start(settings: &str) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let larch = Running::start(configured(built("larch"), folder.path(), settings));
        larch.get_until("/ready", |answer| answer.status == 200);
        // Even minutes, so that steps fall where the cases say.
        let now = Timestamp::from_secs(now().nanos() / 120_000_000_000 * 120);
        let streams = time_marks_resolved(&streams().to_string(), now);
        let streams: Vec<Value> = serde_json::from_str(&streams).expect(&streams);
        let answer = push_json(&mut larch.client(), Some("acme"), &streams).expect("an answer");
        assert_eq!(answer.status, 204, "{}", answer.body);
        Self { _folder: folder, larch, now }
    }

    /// Asks all, and fails with all that differ.
    #[track_caller]
    fn check(&self, cases: &[Case<'_>]) {
        let mut problems = Vec::new();
        for case in cases {
            let answer = self.ask(case);
            if let Some(problem) = self.difference(case, &answer) {
                problems.push(format!("{} {} {}\n    {problem}", case.method, case.target, case.form));
            }
        }
        assert!(problems.is_empty(), "{} of {}:\n{}", problems.len(), cases.len(), problems.join("\n"));
    }

    fn ask(&self, case: &Case<'_>) -> Answer {
        let target = time_marks_resolved(case.target, self.now);
        let target = match target.split_once('?') {
            Some((path, parameters)) => format!("{path}?{}", encoded(parameters)),
            None => target,
        };
        let form = encoded(&time_marks_resolved(case.form, self.now));
        let mut headers = case.headers.to_vec();
        if !form.is_empty() {
            headers.push(("content-type", FORM));
        }
        self.larch.ask(case.method, &target, &headers, &form)
    }

    fn difference(&self, case: &Case<'_>, answer: &Answer) -> Option<String> {
        let content_type = answer.header("content-type").unwrap_or_default();
        let is_text_error = case.content_type == TEXT && answer.status >= 400;
        let body = without_statistics(&answer.body);
        if (answer.status, content_type) != (case.status, case.content_type) {
            let (status, wanted) = (case.status, case.content_type);
            return Some(format!("{} {content_type}, not {status} {wanted}: {body}", answer.status));
        }
        if is_text_error && answer.header("x-content-type-options") != Some("nosniff") {
            return Some(format!("without nosniff: {}", answer.head));
        }
        let resolved = |text: &str| time_marks_resolved(text, self.now);
        match case.body {
            Body::Is(want) if body != resolved(want) => {
                Some(format!("is   {body:?}\n    want {:?}", resolved(want)))
            }
            Body::Begins(want) if !body.starts_with(&resolved(want)) => {
                Some(format!("is   {body:?}\n    want {:?} first", resolved(want)))
            }
            _ => None,
        }
    }
}

/// A JSON object ends where its braces do; in statistics there are no texts.
fn without_statistics(body: &str) -> String {
    const KEY: &str = "\"stats\":{";
    let Some(start) = body.find(KEY).map(|at| at + KEY.len()) else { return body.to_owned() };
    let mut depth = 1;
    for (place, byte) in body.bytes().enumerate().skip(start) {
        match byte {
            b'{' => depth += 1,
            b'}' => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return format!("{}{}", &body[..start], &body[place..]);
        }
    }
    body.to_owned()
}

/// Parameters as a client encodes them.
fn encoded(parameters: &str) -> String {
    if parameters.is_empty() {
        return String::new();
    }
    let encode = |parameter: &str| match parameter.split_once('=') {
        Some((name, value)) => {
            format!(
                "{}={}",
                larch_testkit::http::percent_encode(name),
                larch_testkit::http::percent_encode(value)
            )
        }
        None => larch_testkit::http::percent_encode(parameter),
    };
    parameters.split('&').map(encode).collect::<Vec<_>>().join("&")
}

fn streams() -> Value {
    json!([
        {"stream": {"app": "shop", "env": "prod"}, "values": [
            ["@-600", "level=info order=17 took=5ms"],
            ["@-540", "level=error order=18 took=2s"],
            ["@-480", "level=info order=19 took=7ms"],
        ]},
        {"stream": {"app": "pay", "env": "dev"}, "values": [
            ["@-300", "{\"user\":{\"id\":7},\"ok\":true,\"size\":\"12MB\"}", {"trace_id": "abc"}],
            ["@-299", "a <b> & \"c\"\t\u{2028}"],
        ]},
    ])
}

#[test]
fn statistics_are_left_out() {
    assert_eq!(without_statistics(r#"{"a":1,"stats":{"x":{"y":2}}}"#), r#"{"a":1,"stats":{}}"#);
    assert_eq!(without_statistics("text"), "text");
    assert_eq!(encoded("query={a=\"b\"}&x=1"), "query=%7Ba%3D%22b%22%7D&x=1");
}
