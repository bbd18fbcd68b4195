//! The commands on files, as a user runs them.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on says so by panicking")]

use std::process::{Command, Output};

use larch_segment::{Effort, Provenance, Row, SegmentBuilder};
use larch_types::{Labels, NodeId, SegmentId, Timestamp};

fn segment() -> Vec<u8> {
    let mut builder = SegmentBuilder::new();
    let stream = builder.stream(&Labels::from_pairs([("app", "shop")]).unwrap()).unwrap();
    for second in 0..10 {
        let timestamp = Timestamp::from_secs(second);
        builder.push(stream, &Row { timestamp, line: b"hello", metadata: &[], level: None }, None).unwrap();
    }
    let provenance = Provenance {
        id: SegmentId::from_u128(1),
        uploader: NodeId::from_u128(2),
        inputs: Vec::new(),
        siblings: Vec::new(),
        tombstones: Vec::new(),
    };
    builder.finish(provenance, Effort::Fresh).unwrap().bytes
}

fn larchctl(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_larchctl")).args(arguments).output().unwrap()
}

fn stdout(output: &Output) -> &str {
    std::str::from_utf8(&output.stdout).unwrap()
}

#[test]
fn a_good_file() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("a.seg");
    std::fs::write(&file, segment()).unwrap();
    let file = file.to_str().unwrap();
    let text = larchctl(&["segment", "inspect", file]);
    assert!(text.status.success());
    assert!(stdout(&text).contains("rows         10\n"), "{}", stdout(&text));
    let json = larchctl(&["segment", "inspect", "--json", file]);
    let json: serde_json::Value = serde_json::from_str(stdout(&json)).unwrap();
    let sections = json["sections"].as_array().unwrap();
    let sum: u64 = sections.iter().map(|section| section["bytes"].as_u64().unwrap()).sum();
    assert_eq!(Some(sum), json["bytes"].as_u64(), "sizes add up");
    assert_eq!(json["first_time"], "1970-01-01T00:00:00Z");
    let verified = larchctl(&["segment", "verify", file]);
    assert!(stdout(&verified).ends_with("good: 10 rows of 1 streams in 1 chunks\n"));
}

#[test]
fn a_bad_file_and_a_bad_command() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("a.seg");
    let mut bytes = segment();
    bytes[12] ^= 1;
    std::fs::write(&file, bytes).unwrap();
    let file = file.to_str().unwrap();
    let output = larchctl(&["segment", "verify", file]);
    assert_eq!(output.status.code(), Some(1));
    let error = String::from_utf8(output.stderr).unwrap();
    assert!(error.ends_with("corrupt segment: times: the checksum does not match\n"), "{error}");
    assert_eq!(larchctl(&["segment", "inspect", "no/such/file"]).status.code(), Some(1));
    assert_eq!(larchctl(&["segment", "inspect"]).status.code(), Some(2));
    assert_eq!(larchctl(&[]).status.code(), Some(2));
    assert!(larchctl(&["--help"]).status.success());
}
