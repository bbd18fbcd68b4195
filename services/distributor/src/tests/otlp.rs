//! OTLP as collectors push it: answers, and what is stored.

use std::io::Write;

use flate2::Compression;
use flate2::write::GzEncoder;
use larch_limits::LimitsSettings;
use larch_proto::Failure;
use larch_types::{ErrorKind, Span};
use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::common::v1::InstrumentationScope;
use opentelemetry_proto::tonic::logs::v1::LogRecord;
use prost::Message;

use super::house::{Answer, House, JSON, OTLP, PROTOBUF, Wanted, in_house};
use crate::decode::otlp::wire::{pair, request_of, text};

fn answer(status: u16, text: &str) -> Answer {
    Answer { status, text: text.to_owned() }
}

/// The request of the documentation's example, with these lines.
fn request(house: &House, lines: &[&str]) -> ExportLogsServiceRequest {
    let now = house.now().nanos() as u64;
    let resource = vec![
        pair("service.name", text("pay")),
        pair("k8s.pod.name", text("pay-1")),
        pair("host.name", text("n7")),
    ];
    let scope = InstrumentationScope {
        name: "lib".to_owned(),
        version: "1.2".to_owned(),
        ..InstrumentationScope::default()
    };
    let record = |line: &&str| LogRecord {
        time_unix_nano: now,
        severity_number: 17,
        severity_text: "ERROR".to_owned(),
        body: Some(text(line)),
        trace_id: vec![0x4b; 16],
        ..LogRecord::default()
    };
    request_of(resource, scope, lines.iter().map(record).collect())
}

fn row(line: &str) -> String {
    let id = "4b".repeat(16);
    format!(
        "{{k8s_pod_name=\"pay-1\", service_name=\"pay\"}} {line} host_name=n7 scope_name=lib scope_version=1.2 \
         severity_number=17 severity_text=ERROR trace_id={id} [error]"
    )
}

fn gzipped(data: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(data).unwrap();
    encoder.finish().unwrap()
}

#[test]
fn every_form_and_wrapping_is_stored_alike() {
    in_house(Wanted::default(), async |house| {
        let request = request(&house, &["boom", "again"]);
        let message = request.encode_to_vec();
        let json = serde_json::to_vec(&request).unwrap();
        let pushes = [
            (PROTOBUF, None, message.clone()),
            (PROTOBUF, Some("gzip"), gzipped(&message)),
            (PROTOBUF, Some("zstd"), zstd::encode_all(message.as_slice(), 3).unwrap()),
            (PROTOBUF, Some("lz4"), {
                let mut encoder = lz4_flex::frame::FrameEncoder::new(Vec::new());
                encoder.write_all(&message).unwrap();
                encoder.finish().unwrap()
            }),
            (JSON, None, json.clone()),
            (JSON, Some("gzip"), gzipped(&json)),
            (("content-type", "application/json; charset=utf-8"), None, json),
        ];
        for (content_type, encoding, body) in pushes {
            let mut headers = vec![content_type];
            headers.extend(encoding.map(|encoding| ("content-encoding", encoding)));
            assert_eq!(house.push(OTLP, &headers, body).await, answer(204, ""), "{headers:?}");
            assert_eq!(house.rows(), [row("boom"), row("again")], "{headers:?}");
            house.ingesters[0].kept.lock().unwrap().clear();
        }
        let counted = house.scraped("loki_distributor_lines_received_total");
        assert_eq!(counted.len(), 1);
        assert!(counted[0].contains("format=\"otlp\"") && counted[0].ends_with(" 14"), "{counted:?}");
    });
}

#[test]
fn refusals_are_told_as_a_status() {
    in_house(Wanted::default(), async |house| {
        let nothing = "error at least one valid stream is required for ingestion";
        for (headers, body, status, text) in [
            (vec![JSON], "{}", 422, nothing),
            (vec![PROTOBUF], "", 422, nothing),
            (vec![JSON], r#"{"resourceLogs":[{"scopeLogs":[{"logRecords":[]}]}]}"#, 422, nothing),
            (vec![JSON], "", 400, "EOF while parsing a value at line 1 column 0"),
            (vec![PROTOBUF], "\x0a", 400, "proto: unexpected end of the message"),
            (vec![], "", 400, "content type:  is not supported"),
            (vec![("content-type", "text/plain")], "", 400, "content type: text/plain is not supported"),
            (
                vec![JSON, ("content-encoding", "deflate")],
                "{}",
                400,
                "unsupported content encoding deflate: only gzip, lz4 and zstd are supported",
            ),
            (vec![JSON, ("content-encoding", "gzip")], "{}", 400, "gzip: invalid data"),
            (
                vec![JSON],
                r#"{"resourceLogs":[{"scopeLogs":[{"logRecords":[{"attributes":[{"key":""}]}]}]}]}"#,
                400,
                "symbolizer lookup: label name is empty",
            ),
        ] {
            assert_eq!(house.push(OTLP, &headers, body).await, answer(status, text), "{body}");
        }
        assert_eq!(house.rows(), Vec::<String>::new());
        let nobody = house.push(OTLP, &[PROTOBUF, ("x-scope-orgid", "")], "").await;
        assert_eq!(nobody, answer(401, "no org id\n"));
    });
}

#[test]
fn good_records_are_stored_beside_bad_ones() {
    let limits = LimitsSettings { max_line_size: larch_types::ByteSize::bytes(5), ..Default::default() };
    in_house(Wanted { limits, ..Wanted::default() }, async |house| {
        let body = request(&house, &["too long", "good"]).encode_to_vec();
        let text = "max entry size '5' bytes exceeded for stream '{k8s_pod_name=\"pay-1\", \
                    service_name=\"pay\"}' while adding an entry with length '8' bytes";
        assert_eq!(house.push(OTLP, &[PROTOBUF], body).await, answer(400, text));
        assert_eq!(house.rows(), [row("good")]);
        assert_eq!(house.kept()[0].streams[0].entries[0].index, 1, "its place in the push");
    });
}

#[test]
fn what_may_yet_succeed_is_answered_so_that_collectors_try_again() {
    let limits = LimitsSettings { ingestion_burst_size_mb: 0.0001, ..LimitsSettings::default() };
    in_house(Wanted { limits, ..Wanted::default() }, async |house| {
        let body = request(&house, &["x"]).encode_to_vec();
        let refused = house.push(OTLP, &[PROTOBUF], body).await;
        assert_eq!(refused.status, 429, "{}", refused.text);
        assert!(refused.text.starts_with("ingestion rate limit exceeded for user t "), "{}", refused.text);
    });
    in_house(Wanted::default(), async |house| {
        let body = request(&house, &["x"]).encode_to_vec();
        for (kind, status) in [
            (ErrorKind::Internal, 503),
            (ErrorKind::Corrupt, 503),
            (ErrorKind::Unavailable, 503),
            (ErrorKind::Timeout, 504),
            (ErrorKind::TooMany, 429),
            (ErrorKind::Invalid, 400),
        ] {
            let failure = Failure { kind, text: "why".to_owned() };
            *house.ingesters[0].refuse.lock().unwrap() = Some(Box::new(move |_| Some(failure.clone())));
            let answered = house.push(OTLP, &[PROTOBUF], body.clone()).await;
            assert_eq!((answered.status, answered.text.as_str()), (status, "why"), "{kind:?}");
        }
    });
    in_house(Wanted { ingesters: Some(0), ..Wanted::default() }, async |house| {
        let body = request(&house, &["x"]).encode_to_vec();
        assert_eq!(house.push(OTLP, &[PROTOBUF], body).await.status, 503, "500 elsewhere");
    });
}

#[test]
fn rows_that_are_too_old_are_named() {
    in_house(Wanted::default(), async |house| {
        let mut request = request(&house, &["old", "new", "far"]);
        let records = &mut request.resource_logs[0].scope_logs[0].log_records;
        records[0].time_unix_nano = house.now().minus(Span::from_days(8)).nanos() as u64;
        records[2].time_unix_nano = u64::MAX;
        let told = house.push(OTLP, &[PROTOBUF], request.encode_to_vec()).await;
        assert_eq!(told.status, 400);
        assert!(told.text.contains("has timestamp too old: "), "{}", told.text);
        assert!(told.text.contains("has timestamp too new: 2554-07-21T23:34:33Z"), "{}", told.text);
        assert_eq!(house.rows(), [row("new")]);
    });
}
