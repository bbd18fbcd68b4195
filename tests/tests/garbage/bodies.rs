//! Bodies on the endpoints that take pushes.

use std::io::Write;

use flate2::write::DeflateEncoder;
use flate2::{Compression, FlushCompress};
use larch_tests::{deflate, gzip, now, protobuf_field, push_request, snappy_literals, varint};
use rand::rngs::StdRng;
use rand::{Rng, RngExt, SeedableRng};
use serde_json::json;

use crate::Verdict::{Answered, Refused};
use crate::{SEED, Trial};

const PUSH: (&str, &str) = ("POST", "/loki/api/v1/push");
const LEGACY: (&str, &str) = ("POST", "/api/prom/push");
const OTLP: (&str, &str) = ("POST", "/otlp/v1/logs");

const JSON: (&str, &str) = ("content-type", "application/json");
const PROTOBUF: (&str, &str) = ("content-type", "application/x-protobuf");

const MIB: usize = 1024 * 1024;
const GIB: usize = 1024 * MIB;
const DEEP: usize = 100_000;

pub(crate) fn run(trial: &mut Trial) {
    random_bytes(trial);
    damaged_pushes(trial);
    bombs(trial);
    deep_bodies(trial);
    huge_labels(trial);
    many_streams(trial);
}

fn random_bytes(trial: &mut Trial) {
    let mut random = StdRng::seed_from_u64(SEED);
    let encodings =
        [None, Some("gzip"), Some("deflate"), Some("snappy"), Some("zstd"), Some("lz4"), Some("?")];
    for endpoint in [PUSH, LEGACY, OTLP] {
        for content in [JSON, PROTOBUF] {
            for encoding in encodings {
                for size in [0, 1, 10, 1000, 100_000] {
                    let mut body = vec![0; size];
                    random.fill_bytes(&mut body);
                    let mut headers = vec![content];
                    headers.extend(encoding.map(|encoding| ("content-encoding", encoding)));
                    trial.send("random bytes", endpoint, &headers, &body, Refused);
                }
            }
        }
        let mut body = [0; 100];
        random.fill_bytes(&mut body);
        for content in ["", "nonsense", "application/json; charset", "text/plain;=", "multipart/form-data"] {
            trial.send("a type of content", endpoint, &[("content-type", content)], &body, Refused);
        }
    }
}

/// A push that is in order, cut off and with bytes changed. Some of what comes out is in order as well.
fn damaged_pushes(trial: &mut Trial) {
    let mut random = StdRng::seed_from_u64(SEED);
    let time = now().nanos().to_string();
    let entry = json!([time, "a line that is long enough to be cut", {"trace": "7"}]);
    let protobuf = push_request(&json!({"streams": [{"labels": "{app=\"a\"}", "entries": [entry]}]}));
    let json = json!({"streams": [{"stream": {"app": "a"}, "values": [entry]}]}).to_string().into_bytes();
    for (headers, body) in [
        (vec![PROTOBUF], snappy_literals(&protobuf)),
        (vec![PROTOBUF, ("content-encoding", "gzip")], gzip(&snappy_literals(&protobuf))),
        (vec![PROTOBUF, ("content-encoding", "deflate")], deflate(&snappy_literals(&protobuf))),
        (vec![JSON], json.clone()),
        (vec![JSON, ("content-encoding", "gzip")], gzip(&json)),
    ] {
        for end in (0..body.len()).step_by(3) {
            trial.send("a truncated push", PUSH, &headers, &body[..end], Refused);
        }
        for _ in 0..30 {
            let mut changed = body.clone();
            let at = random.random_range(0..changed.len());
            changed[at] ^= random.random_range(1..=255);
            trial.send("a changed push", PUSH, &headers, &changed, Answered);
        }
    }
}

/// Small bodies that unfold to a gigabyte, or claim to.
fn bombs(trial: &mut Trial) {
    for claim in [GIB as u64, 1 << 32, 1 << 40, u64::MAX] {
        let body = [varint(claim), b"\x00a".to_vec()].concat();
        trial.send("a claim of length in snappy", PUSH, &[PROTOBUF], &body, Refused);
    }
    trial.send("a bomb in snappy", PUSH, &[PROTOBUF], &snappy_bomb(), Refused);
    // Inside: white space, which any document in JSON may begin with, and a line that does not end.
    let line = br#"{"streams":[{"stream":{"a":"b"},"values":[["1",""#;
    for (what, begin, filling) in [("white space", &b""[..], b' '), ("a line", line, b'x')] {
        let raw = deflate_bomb(begin, filling);
        let gzipped = [b"\x1f\x8b\x08\0\0\0\0\0\0\x03", raw.as_slice(), &[0; 8]].concat();
        for endpoint in [PUSH, LEGACY, OTLP] {
            let what = format!("a bomb of {what}");
            trial.send(&what, endpoint, &[JSON, ("content-encoding", "gzip")], &gzipped, Refused);
            trial.send(&what, endpoint, &[JSON, ("content-encoding", "deflate")], &raw, Refused);
            trial.send(&what, endpoint, &[PROTOBUF, ("content-encoding", "gzip")], &gzipped, Refused);
        }
    }
}

/// One literal, and copies of what stands 64 bytes before until it is a gigabyte.
fn snappy_bomb() -> Vec<u8> {
    let mut body = varint(GIB as u64);
    body.push(59 << 2);
    body.extend([b'x'; 60]);
    for _ in 0..(GIB - 60) / 60 {
        body.extend([(59 << 2) | 2, 60, 0]);
    }
    body
}

/// Sixteen mebibytes compressed once, and repeated: after a full flush, nothing refers to what stands
/// before.
fn deflate_bomb(begin: &[u8], filling: u8) -> Vec<u8> {
    let mut encoder = flate2::Compress::new(Compression::best(), false);
    let mut compressed = Vec::with_capacity(MIB);
    let block = vec![filling; 16 * MIB];
    encoder.compress_vec(&block, &mut compressed, FlushCompress::Full).expect("compress");
    assert_eq!(encoder.total_in(), block.len() as u64, "the block fits");
    let mut opening = DeflateEncoder::new(Vec::new(), Compression::best());
    opening.write_all(begin).expect("write to memory");
    opening.flush().expect("write to memory");
    let mut bomb = opening.get_ref().clone();
    for _ in 0..GIB / block.len() {
        bomb.extend_from_slice(&compressed);
    }
    // An empty last block.
    bomb.extend([3, 0]);
    bomb
}

fn deep_bodies(trial: &mut Trial) {
    let nested = |open: &str, middle: &str, close: &str| {
        format!("{}{middle}{}", open.repeat(DEEP), close.repeat(DEEP)).into_bytes()
    };
    let within =
        |before: &str, deep: Vec<u8>, after: &str| [before.as_bytes(), &deep, after.as_bytes()].concat();
    let (lists, objects) = (nested("[", "", "]"), nested("{\"a\":", "1", "}"));
    for endpoint in [PUSH, LEGACY, OTLP] {
        for deep in [&lists, &objects] {
            let bodies = [
                deep.clone(),
                within("{\"streams\":", deep.clone(), "}"),
                within("{\"streams\":[{\"stream\":", deep.clone(), "}]}"),
                within(
                    "{\"streams\":[{\"stream\":{\"a\":\"b\"},\"values\":[[\"1\",\"x\",",
                    deep.clone(),
                    "]]}]}",
                ),
                within(
                    "{\"resourceLogs\":[{\"scopeLogs\":[{\"logRecords\":[{\"body\":",
                    deep.clone(),
                    "}]}]}]}",
                ),
                deep[..deep.len() / 2].to_vec(),
            ];
            for (number, body) in bodies.iter().enumerate() {
                // On the other ways in, some of these names are unknown, and skipped with all below.
                let is_known = endpoint == PUSH || !(2..5).contains(&number);
                // The value of a label stands for its own text.
                let is_label = endpoint == PUSH && number == 2 && deep == &objects;
                let verdict = if is_known && !is_label { Refused } else { Answered };
                trial.send("deep JSON", endpoint, &[JSON], body, verdict);
            }
            // What nobody knows is skipped, however deep it is.
            let skipped = within("{\"unknown\":", deep.clone(), ",\"streams\":[]}");
            trial.send("deep JSON to be skipped", endpoint, &[JSON], &skipped, Answered);
        }
    }
    let attribute = "{\"kvlistValue\":{\"values\":[{\"key\":\"k\",\"value\":";
    let values = nested(attribute, "{\"stringValue\":\"x\"}", "}]}}");
    let body = within("{\"resourceLogs\":[{\"scopeLogs\":[{\"logRecords\":[{\"body\":", values, "}]}]}]}");
    trial.send("deep values in JSON", OTLP, &[JSON], &body, Refused);
    trial.send("deep values in protobuf", OTLP, &[PROTOBUF], &deep_protobuf(), Refused);
}

/// A record whose body is a list in a list, and so on.
fn deep_protobuf() -> Vec<u8> {
    let mut value = protobuf_field(1, b"x");
    // Each level copies all below it, so that fewer levels must do.
    for _ in 0..DEEP / 20 {
        value = protobuf_field(5, &protobuf_field(1, &value));
    }
    let record = protobuf_field(2, &protobuf_field(5, &value));
    protobuf_field(1, &protobuf_field(2, &record))
}

fn huge_labels(trial: &mut Trial) {
    let time = now().nanos().to_string();
    let names: Vec<String> = (0..10_000).map(|number| format!("label_{number}=\"x\"")).collect();
    let texts = [
        format!("{{a=\"{}\"}}", "v".repeat(10 * MIB)),
        format!("{{a=\"{}\"}}", "v".repeat(17 * MIB)),
        format!("{{{}=\"x\"}}", "n".repeat(MIB)),
        format!("{{{}}}", names.join(",")),
        format!("{{a=\"{}", "\\".repeat(MIB)),
        "{".repeat(MIB),
        format!("{{a=\"{}\"}}", "\\x".repeat(MIB)),
    ];
    for labels in &texts {
        let body = json!({"streams": [{"labels": labels, "entries": [[time, "x"]]}]});
        trial.send("huge labels", PUSH, &[PROTOBUF], &snappy_literals(&push_request(&body)), Refused);
        let entries = json!([{"ts": "2026-10-01T00:00:00Z", "line": "x"}]);
        let body = json!({"streams": [{"labels": labels, "entries": entries}]}).to_string();
        trial.send("huge labels", LEGACY, &[JSON], body.as_bytes(), Refused);
    }
    let body = json!({"streams": [{"stream": {"a": "v".repeat(17 * MIB)}, "values": [[time, "x"]]}]});
    trial.send("huge labels", PUSH, &[JSON], body.to_string().as_bytes(), Refused);
    let mut metadata = serde_json::Map::new();
    for number in 0..100_000 {
        metadata.insert(format!("name_{number}"), json!("x"));
    }
    let body = json!({"streams": [{"stream": {"a": "b"}, "values": [[time, "x", metadata]]}]});
    trial.send("huge metadata", PUSH, &[JSON], body.to_string().as_bytes(), Refused);
}

/// More streams than a tenant may have, and as many that are wrong.
fn many_streams(trial: &mut Trial) {
    let time = now().nanos().to_string();
    let mut good = Vec::new();
    let mut bad = Vec::new();
    for number in 0..DEEP {
        good.push(json!({"stream": {"n": number.to_string()}, "values": [[time, "x"]]}));
        bad.push(json!({"stream": {"n": number.to_string()}, "values": [["1", "x"]]}));
    }
    for (what, streams) in [("good", good), ("bad", bad)] {
        let body = json!({"streams": streams}).to_string();
        trial.send(&format!("{DEEP} {what} streams"), PUSH, &[JSON], body.as_bytes(), Refused);
    }
}
