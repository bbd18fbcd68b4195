//! The same pushes over gRPC.

use axum::body::Body;
use bytes::{BufMut, Bytes, BytesMut};
use http::Request;
use http_body_util::BodyExt;
use larch_limits::{BlockedUntil, LimitsSettings};
use larch_types::{ErrorKind, Span, Timestamp};
use prost::Message;
use tower::ServiceExt;

use super::house::{House, Wanted, in_house};
use super::wire::{WireEntry, WirePair, WirePush, WireStream, WireTime};

fn stream(labels: &str, lines: &[(i64, &[u8])]) -> WireStream {
    let entry = |(time, line): &(i64, &[u8])| WireEntry {
        timestamp: Some(WireTime::from_nanos(*time)),
        line: line.to_vec(),
        metadata: vec![WirePair { name: b"trace-id".to_vec(), value: b"7".to_vec() }],
        parsed: Vec::new(),
    };
    WireStream { labels: labels.as_bytes().to_vec(), entries: lines.iter().map(entry).collect(), hash: 9 }
}

fn message(streams: Vec<WireStream>) -> Vec<u8> {
    WirePush { streams, format: "loki".to_owned() }.encode_to_vec()
}

/// One call: its status and the text of it. `bytes` is the message, without the frame of gRPC.
async fn call(house: &House, tenant: Option<&str>, bytes: &[u8]) -> (i32, String) {
    let mut frame = BytesMut::new();
    frame.put_u8(0);
    frame.put_u32(bytes.len() as u32);
    frame.put_slice(bytes);
    let mut request = Request::post("/logproto.Pusher/Push")
        .header("content-type", "application/grpc")
        .header("te", "trailers")
        .header("user-agent", "grpc-go/1.0");
    if let Some(tenant) = tenant {
        request = request.header("x-scope-orgid", tenant);
    }
    let request = request.body(Body::from(frame.freeze())).unwrap();
    let response = house.router.clone().oneshot(request).await.unwrap();
    assert_eq!(response.headers()["content-type"], "application/grpc");
    let (parts, body) = response.into_parts();
    let collected = body.collect().await.unwrap();
    let trailers = collected.trailers().cloned().unwrap_or(parts.headers);
    let status = trailers["grpc-status"].to_str().unwrap().parse().unwrap();
    let text = trailers.get("grpc-message").map_or("", |text| text.to_str().unwrap()).to_owned();
    let body: Bytes = collected.to_bytes();
    let want: &[u8] = if status == 0 { &[0; 5] } else { &[] };
    assert_eq!(body, want, "an answer has no fields");
    (status, percent_decoded(&text))
}

fn percent_decoded(text: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = text.as_bytes();
    while let Some((first, behind)) = rest.split_first() {
        let code = (*first == b'%').then(|| std::str::from_utf8(&behind[..2]).unwrap());
        bytes.push(code.map_or(*first, |code| u8::from_str_radix(code, 16).unwrap()));
        rest = if code.is_some() { &behind[2..] } else { behind };
    }
    String::from_utf8(bytes).unwrap()
}

#[test]
fn rows_are_taken_as_over_http() {
    in_house(Wanted::default(), async |house| {
        let now = house.now().nanos();
        let push = message(vec![stream(r#"{app="a"}"#, &[(now, b"one"), (now, b"not \xff utf-8")])]);
        assert_eq!(call(&house, Some("acme"), &push).await, (0, String::new()));
        assert_eq!(
            house.rows(),
            [
                r#"{app="a", service_name="a"} one trace_id=7 [unknown]"#,
                "{app=\"a\", service_name=\"a\"} not \u{fffd} utf-8 trace_id=7 [unknown]",
            ]
        );
        let (context, _) = house.ingesters[0].kept.lock().unwrap()[0].clone();
        assert_eq!(context.tenant.as_str(), "acme");
        let received = house.scraped("loki_distributor_lines_received_total");
        let labels = r#"tenant="acme",is_internal_stream="false",policy="",format="loki""#;
        assert_eq!(received, [format!("loki_distributor_lines_received_total{{{labels}}} 2")]);
    });
}

#[test]
fn refusals_have_the_texts_of_http() {
    let limits = LimitsSettings { max_line_size: larch_types::ByteSize::bytes(10), ..Default::default() };
    in_house(Wanted { limits, ..Wanted::default() }, async |house| {
        let now = house.now().nanos();
        let good = || stream(r#"{app="a"}"#, &[(now, b"good")]);
        let many = "error at least one valid stream is required for ingestion";
        for (tenant, push, kind, text) in [
            (None, message(vec![good()]), ErrorKind::Unauthenticated, "no org id"),
            (Some("a|b"), message(vec![good()]), ErrorKind::Invalid, "multiple org IDs present"),
            (Some("t"), message(Vec::new()), ErrorKind::Unprocessable, many),
            (Some("t"), b"\x0a\xff".to_vec(), ErrorKind::Invalid, "proto: unexpected end of the message"),
            (
                Some("t"),
                message(vec![good(), stream("{a.b=\"1\"}", &[(now, b"lost"), (now, b"lost")])]),
                ErrorKind::Invalid,
                "error parsing labels '{a.b=\"1\"}' with error: 1:3: parse error: unexpected character \
                 inside braces: '.'",
            ),
            (
                Some("t"),
                message(vec![stream("{app=\"a\"}", &[(now, b"good"), (now, b"longer than 10")])]),
                ErrorKind::Invalid,
                "max entry size '10' bytes exceeded for stream '{app=\"a\", service_name=\"a\"}' while \
                 adding an entry with length '14' bytes",
            ),
        ] {
            let want = (kind.grpc(), text.to_owned());
            assert_eq!(call(&house, tenant, &push).await, want);
        }
        assert_eq!(house.rows().len(), 2, "what was good is stored");
        let discarded = house.scraped("loki_discarded_samples_total{reason=\"invalid_labels\"");
        assert_eq!(discarded.len(), 1);
        assert!(discarded[0].ends_with(" 2"), "{discarded:?}");
        let large = message(vec![stream("{}", &[(now, &vec![b'x'; 2 << 20])])]);
        let (status, _) = call(&house, Some("t"), &large).await;
        assert_eq!(status, tonic::Code::OutOfRange as i32, "as gRPC itself refuses messages");
    });
}

#[test]
fn blocked_and_limited() {
    let until = BlockedUntil::new(Timestamp::MAX.minus(Span::from_days(1)));
    let limits = LimitsSettings { block_ingestion_until: until, ..LimitsSettings::default() };
    in_house(Wanted { limits, ..Wanted::default() }, async |house| {
        let push = message(vec![stream("{}", &[(house.now().nanos(), b"x")])]);
        let (status, text) = call(&house, Some("t"), &push).await;
        assert_eq!(status, ErrorKind::Forbidden.grpc());
        assert!(text.starts_with("ingestion blocked for user 't' until '2262"), "{text}");
    });
    let limits = LimitsSettings { ingestion_rate_mb: 0.0, ..LimitsSettings::default() };
    in_house(Wanted { limits, ..Wanted::default() }, async |house| {
        let push = message(vec![stream("{}", &[(house.now().nanos(), b"x")])]);
        let (status, text) = call(&house, Some("t"), &push).await;
        assert_eq!(status, ErrorKind::TooMany.grpc());
        assert!(text.starts_with("ingestion rate limit exceeded for user t (limit: 0 bytes/sec)"), "{text}");
    });
}
