//! What a push as a whole is answered: forms, heads, sizes, tenants.

use std::io::Write;

use axum::body::Body;
use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use futures_util::future::join;
use larch_limits::LimitsSettings;
use larch_types::{ByteSize, Span, Timestamp};
use prost::Message;

use super::house::{Answer, House, JSON, LEGACY, PROTOBUF, V1, Wanted, in_house};
use super::wire::{WireEntry, WirePair, WirePush, WireStream, WireTime, snappy_block};
use crate::settings::DistributorSettings;

fn answer(status: u16, text: &str) -> Answer {
    let end = if status == 204 { "" } else { "\n" };
    Answer { status, text: format!("{text}{end}") }
}

/// One row of now.
fn json_row(house: &House, line: &str) -> String {
    let now = house.now().nanos();
    format!(r#"{{"streams":[{{"stream":{{"app":"a"}},"values":[["{now}","{line}"]]}}]}}"#)
}

fn push_of(time: Timestamp, labels: &str, line: &[u8]) -> WirePush {
    let entry = WireEntry {
        timestamp: Some(WireTime::from_nanos(time.nanos())),
        line: line.to_vec(),
        metadata: vec![WirePair { name: b"trace.id".to_vec(), value: b"\xff7".to_vec() }],
        parsed: Vec::new(),
    };
    let stream = WireStream { labels: labels.as_bytes().to_vec(), entries: vec![entry], hash: 0 };
    WirePush { streams: vec![stream], format: String::new() }
}

#[test]
fn what_is_stored_of_one_row() {
    in_house(Wanted::default(), async |house| {
        let now = house.now();
        let body = snappy_block(&push_of(now, r#"{b="2", app='a'}"#, b"an error \xff").encode_to_vec());
        assert_eq!(house.push(V1, &[PROTOBUF], body).await, answer(204, ""));
        assert_eq!(house.rows(), [r#"{app="a", b="2", service_name="a"} an error � trace_id= 7 [error]"#]);
        let kept = house.ingesters[0].kept.lock().unwrap();
        let (context, request) = &kept[0];
        assert_eq!(context.tenant.as_str(), "t");
        assert!(!context.call.deadline.has_passed());
        assert_eq!(request.replica_sets.len(), 1);
        assert_eq!(request.replica_sets[0].nodes[0].as_u128(), 100);
        assert_eq!(request.stamp.0 >> 84, (now.nanos() / 1_000_000) as u128);
        let entry = &request.streams[0].entries[0];
        assert_eq!((entry.timestamp, &entry.line[..], entry.index), (now, &b"an error \xff"[..], 0));
    });
}

#[test]
fn rows_are_numbered_over_the_whole_push() {
    in_house(Wanted::default(), async |house| {
        let now = house.now().nanos();
        let body = format!(
            r#"{{"streams":[
                {{"stream":{{"app":"a"}},"values":[["{now}","0"],["1","too old"],["{now}","2"]]}},
                {{"stream":{{"app":"b"}},"values":[["{now}","3"]]}}]}}"#
        );
        assert_eq!(house.push_json(&body).await.status, 400);
        let request = &house.kept()[0];
        let rows = request.streams.iter().flat_map(|stream| &stream.entries);
        let rows: Vec<_> = rows.map(|row| format!("{} {:?}", row.index, row.line)).collect();
        assert_eq!(rows, [r#"0 b"0""#, r#"2 b"2""#, r#"3 b"3""#]);
    });
}

#[test]
fn every_push_has_a_later_stamp() {
    in_house(Wanted::default(), async |house| {
        for step in [0, 5, -10] {
            house.world.clock.step(Span::from_secs(step));
            assert_eq!(house.push_json(&json_row(&house, "x")).await.status, 204);
        }
        let stamps: Vec<_> = house.kept().iter().map(|request| request.stamp).collect();
        assert!(stamps.is_sorted_by(|one, next| one < next), "{stamps:?}");
    });
}

#[test]
fn heads() {
    in_house(Wanted::default(), async |house| {
        let row = json_row(&house, "x");
        for (headers, status, text) in [
            (&[JSON][..], 204, ""),
            (&[JSON, ("x-scope-orgid", "a:remark")], 204, ""),
            (&[JSON, ("authorization", "Basic eDp5")], 204, ""),
            (&[JSON, ("content-encoding", "snappy")], 204, ""),
            (&[JSON, ("x-scope-orgid", "")], 401, "no org id"),
            (&[JSON, ("x-scope-orgid", "a|b")], 400, "multiple org IDs present"),
            (&[JSON, ("x-scope-orgid", "a/b")], 400, "tenant ID 'a/b' contains unsupported character '/'"),
            (&[], 400, "mime: no media type"),
            (&[("content-type", "a/b; c")], 400, "mime: invalid media parameter"),
            (&[PROTOBUF], 400, "snappy: corrupt input"),
            (&[JSON, ("content-encoding", "br")], 400, "Content-Encoding \"br\" not supported"),
            (&[JSON, ("content-encoding", "gzip")], 400, "gzip: invalid data"),
        ] {
            assert_eq!(house.push(V1, headers, row.clone()).await, answer(status, text), "{headers:?}");
        }
        for path in [V1, LEGACY] {
            assert_eq!(house.push(path, &[JSON], "{}").await.status, 422);
            let empty = snappy_block(b"");
            let text = "error at least one valid stream is required for ingestion";
            assert_eq!(house.push(path, &[PROTOBUF], empty).await, answer(422, text));
        }
        assert_eq!(house.kept().len(), 4);
    });
}

#[test]
fn sizes() {
    let settings = DistributorSettings {
        max_recv_msg_size: ByteSize::bytes(1000),
        max_decompressed_size: ByteSize::bytes(2000),
        ..DistributorSettings::default()
    };
    in_house(Wanted { settings, ..Wanted::default() }, async |house| {
        let large = "request body too large: ";
        let body = json_row(&house, &"x".repeat(1000));
        let size = body.len();
        let text = format!("{large}message size too large than max ({size} vs 1000)");
        let length = size.to_string();
        let with_length = [JSON, ("content-length", length.as_str())];
        assert_eq!(house.push(V1, &with_length, body.clone()).await, answer(413, &text));
        assert_eq!(house.push(V1, &[JSON], body).await, answer(413, &text), "without a length in the head");

        for (bytes, status) in [(500, 204), (2000, 413)] {
            let body = json_row(&house, &"x".repeat(bytes));
            let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
            encoder.write_all(body.as_bytes()).unwrap();
            let answer =
                house.push(V1, &[JSON, ("content-encoding", "gzip")], encoder.finish().unwrap()).await;
            assert_eq!(answer.status, status);
            let body = snappy_block(&push_of(house.now(), "{}", &vec![b'x'; bytes]).encode_to_vec());
            let answer = house.push(V1, &[PROTOBUF], body).await;
            assert_eq!(answer.status, status);
            let text = format!("{large}decompressed message size too large than max (");
            assert_eq!(answer.text.starts_with(&text), status == 413, "{}", answer.text);
        }
    });
}

#[test]
fn bodies_may_come_in_pieces_and_break_off() {
    in_house(Wanted::default(), async |house| {
        let row = json_row(&house, "in pieces");
        let pieces: Vec<Result<Bytes, std::io::Error>> =
            row.as_bytes().chunks(7).map(|piece| Ok(Bytes::copy_from_slice(piece))).collect();
        let body = Body::from_stream(futures_util::stream::iter(pieces));
        assert_eq!(house.push(V1, &[JSON], body).await, answer(204, ""));
        assert_eq!(house.rows(), [r#"{app="a", service_name="a"} in pieces [unknown]"#]);

        let broken = vec![Ok(Bytes::from(row)), Err(std::io::Error::other("gone"))];
        let body = Body::from_stream(futures_util::stream::iter(broken));
        let text = "the client went away while it sent its body";
        assert_eq!(house.push(V1, &[JSON], body).await, answer(499, text));
        assert_eq!(house.kept().len(), 1);
    });
}

#[test]
fn large_bodies_are_worked_on_elsewhere_with_the_same_outcome() {
    in_house(Wanted::default(), async |house| {
        let line = "x".repeat(100_000);
        assert_eq!(house.push_json(&json_row(&house, &line)).await, answer(204, ""));
        assert_eq!(house.rows(), [format!(r#"{{app="a", service_name="a"}} {line} [unknown]"#)]);
        let broken = json_row(&house, &line).replace("app", "a-b");
        let text = "couldn't parse labels: 1:3: parse error: unexpected character inside braces: '-'";
        assert_eq!(house.push_json(&broken).await, answer(400, text));
    });
}

#[test]
fn bytes_in_flight_are_bounded_and_given_back() {
    let settings = DistributorSettings { max_inflight_bytes: ByteSize::bytes(1000), ..Default::default() };
    let limits = LimitsSettings { simulated_push_latency: Span::from_secs(1), ..Default::default() };
    in_house(Wanted { settings, limits, ..Wanted::default() }, async |house| {
        let busy = answer(503, "The server cannot accept more requests at this time.");
        let small = json_row(&house, &"x".repeat(500));
        let large = json_row(&house, &"x".repeat(1000));
        let bomb = snappy_block(&push_of(house.now(), "{}", &[b'x'; 2000]).encode_to_vec());
        // The first one waits for its ingesters while the other comes.
        let pushes = join(house.push_json(&small), house.push_json(&large)).await;
        assert_eq!(pushes, (answer(204, ""), busy.clone()));
        let pushes = join(house.push_json(&small), house.push(V1, &[PROTOBUF], bomb.clone())).await;
        assert_eq!(pushes, (answer(204, ""), busy));
        for _ in 0..3 {
            assert_eq!(house.push_json(&large).await, answer(204, ""), "alone");
            assert_eq!(house.push(V1, &[PROTOBUF], bomb.clone()).await, answer(204, ""), "alone");
            let pushes = join(house.push_json(&small), house.push_json(&json_row(&house, "x"))).await;
            assert_eq!(pushes, (answer(204, ""), answer(204, "")));
        }
        assert_eq!(house.scraped("larch_distributor_inflight_bytes"), ["larch_distributor_inflight_bytes 0"]);
    });
}

#[test]
fn one_bad_stream_refuses_the_push() {
    in_house(Wanted::default(), async |house| {
        let now = house.now().nanos();
        let good = format!(r#"{{"stream":{{"app":"a"}},"values":[["{now}","good"]]}}"#);
        for (bad, text) in [
            (
                r#"{"labels":"{app=","entries":[]}"#,
                "couldn't parse labels: 1:6: parse error: unexpected end of input inside braces",
            ),
            (
                r#"{"stream":{"__backfill__":"true"}}"#,
                "streams must not contain the reserved labels __backfill__ or __backfill_shard__; set the \
                 X-Loki-Backfill-Shard header to mark a push as backfill data",
            ),
            (&format!(r#"{{"values":[["{now}","x",{{"":"v"}}]]}}"#), "label name is empty"),
            (
                &format!(r#"{{"values":[["{now}","x",{{"...":"v"}}]]}}"#),
                "normalization for label name \"...\" resulted in invalid name \"_\"",
            ),
        ] {
            let body = format!(r#"{{"streams":[{good},{bad}]}}"#);
            assert_eq!(house.push_json(&body).await, answer(400, text));
        }
        assert_eq!(house.kept().len(), 0);
        let empty = format!(r#"{{"streams":[{good},{{"stream":{{"app":"b"}},"values":[]}}]}}"#);
        assert_eq!(house.push_json(&empty).await, answer(204, ""), "streams without rows are passed over");
        assert_eq!(house.rows().len(), 1);
    });
}

#[test]
fn backfill_may_be_of_any_age() {
    in_house(Wanted::default(), async |house| {
        let body = r#"{"streams":[{"stream":{"app":"a"},"values":[["1","old"]]}]}"#;
        let headers = [JSON, ("x-loki-backfill-shard", "s1")];
        assert_eq!(house.push(V1, &headers, body).await, answer(204, ""));
        let labels = r#"{__backfill__="true", __backfill_shard__="s1", app="a", service_name="a"}"#;
        assert_eq!(house.rows(), [format!("{labels} old [unknown]")]);
        assert_eq!(house.push_json(body).await.status, 400);
    });
}
