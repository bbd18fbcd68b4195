//! Tables of requests and the streams that they become.

use larch_limits::{AttributeAction, AttributesSettings, LimitsSettings, OtlpLimits};
use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::common::v1::{AnyValue, InstrumentationScope, KeyValue};
use opentelemetry_proto::tonic::logs::v1::LogRecord;
use prost::Message;

use super::*;
use crate::decode::otlp::wire::{example, map, pair, request_of, text};
use crate::decode::read_otlp_protobuf;
use crate::settings::DistributorSettings;

fn rules(limits: &OtlpLimits) -> OtlpRules {
    let defaults = DistributorSettings::default().otlp_config.default_resource_attributes_as_index_labels;
    OtlpRules::new(limits, &defaults)
}

fn rule(action: AttributeAction, attribute: &str) -> AttributesSettings {
    AttributesSettings { action, attributes: vec![attribute.to_owned()], regex: String::new() }
}

fn made(
    request: &ExportLogsServiceRequest,
    limits: &OtlpLimits,
    bounds: Bounds,
) -> Result<Vec<PushedStream>, DecodeError> {
    let discover = LimitsSettings::default().discover_service_name;
    let rules = rules(limits);
    let mapping =
        Mapping { rules: &rules, discover: &discover, now: Timestamp::from_nanos(77), watched: None };
    make(read_otlp_protobuf(&request.encode_to_vec().into())?, mapping, bounds)
}

fn no_bounds() -> Bounds {
    Bounds { elements: Allowance::of(MAX_ELEMENTS), bytes: MAX_MADE_BYTES }
}

/// One line for each row: labels, time, line and metadata in its order; streams without rows are shown too.
fn shown(request: &ExportLogsServiceRequest, limits: &OtlpLimits) -> Vec<String> {
    let mut out = Vec::new();
    for stream in made(request, limits, no_bounds()).unwrap() {
        let PushedLabels::Pairs(labels) = stream.labels else { panic!("labels are pairs") };
        let labels: Vec<String> = labels.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let labels = format!("{{{}}}", labels.join(" "));
        if stream.entries.is_empty() {
            out.push(labels.clone());
        }
        for entry in stream.entries {
            let time = entry.time.timestamp().unwrap().nanos();
            let mut row = format!("{labels} {time} {}", String::from_utf8_lossy(&entry.line));
            for pair in entry.metadata {
                let (name, value) =
                    (String::from_utf8_lossy(&pair.name), String::from_utf8_lossy(&pair.value));
                row.push_str(&format!(" | {name}={value}"));
            }
            out.push(row);
        }
    }
    out
}

#[track_caller]
fn check(request: &ExportLogsServiceRequest, limits: &OtlpLimits, want: &[&str]) {
    assert_eq!(shown(request, limits), want);
}

fn log(line: &str, attributes: Vec<KeyValue>) -> LogRecord {
    LogRecord { time_unix_nano: 5, body: Some(text(line)), attributes, ..LogRecord::default() }
}

fn of_resource(resource: Vec<KeyValue>) -> ExportLogsServiceRequest {
    request_of(resource, InstrumentationScope::default(), vec![log("x", Vec::new())])
}

fn of_record(record: LogRecord) -> ExportLogsServiceRequest {
    request_of(Vec::new(), InstrumentationScope::default(), vec![record])
}

#[test]
fn metadata_comes_in_its_order() {
    let mut request = example();
    request.resource_logs[0].scope_logs[0].log_records.truncate(1);
    check(
        &request,
        &OtlpLimits::default(),
        &[
            "{service_name=pay} 1790812822494853000 {\"list\":[\"a\",1.5],\"msg\":\"boom\"} | http_status=500 \
           | http_ok=true | raw=aGVsbG8= | none= | observed_timestamp=1790812822500000000 \
           | severity_number=17 | severity_text=ERROR | dropped_attributes_count=2 | flags=1 \
           | trace_id=0102030405060708090a0b0c0d0e0f10 | span_id=0102030405060708 | event_name=user.login \
           | host_name=n7 | sc_a=1 | scope_name=lib | scope_version=1.2 | scope_dropped_attributes_count=3",
        ],
    );
}

#[test]
fn services_are_discovered() {
    let defaults = OtlpLimits::default();
    check(&of_resource(Vec::new()), &defaults, &["{service_name=unknown_service} 5 x"]);
    check(&of_resource(vec![pair("service.name", text("a"))]), &defaults, &["{service_name=a} 5 x"]);
    let resource = vec![
        pair("service.name", text("")),
        pair("k8s.job.name", text("j")),
        pair("container.name", text("c")),
        pair("app", text("of metadata")),
    ];
    let want = "{container_name=c k8s_job_name=j service_name=c} 5 x | app=of metadata";
    check(&of_resource(resource), &defaults, &[want]);
    let rules = rules(&defaults);
    let mapping = Mapping { rules: &rules, discover: &[], now: Timestamp::MIN, watched: None };
    let request = of_resource(Vec::new()).encode_to_vec();
    let streams = streams_of(read_otlp_protobuf(&request.into()).unwrap(), mapping).unwrap();
    assert_eq!(streams[0].labels, PushedLabels::Pairs(Vec::new()), "the tenant wants none");
}

#[test]
fn times() {
    for (time, observed, want) in [
        (5, 0, "{service_name=unknown_service} 5 "),
        (5, 6, "{service_name=unknown_service} 5  | observed_timestamp=6"),
        (0, 6, "{service_name=unknown_service} 6 "),
        (0, 0, "{service_name=unknown_service} 77 "),
    ] {
        let record =
            LogRecord { time_unix_nano: time, observed_time_unix_nano: observed, ..LogRecord::default() };
        check(&of_record(record), &OtlpLimits::default(), &[want]);
    }
}

#[test]
fn maps_are_flattened_and_names_made_normal() {
    let nested = map(vec![
        pair("request", map(vec![pair("method", text("GET")), pair("2nd.", text("b"))])),
        pair("", text("no name")),
        pair("gone", map(Vec::new())),
    ]);
    let record = log("x", vec![pair("http", nested), pair("__meta__", text("m")), pair("2", text("2"))]);
    check(
        &of_record(record),
        &OtlpLimits::default(),
        &[
            "{service_name=unknown_service} 5 x | http_request_method=GET | http_request_2nd_=b | http_=no name \
           | __meta__=m | key_2=2",
        ],
    );
    let resource = vec![pair("service", map(vec![pair("name", text("a"))]))];
    check(
        &of_resource(resource),
        &OtlpLimits::default(),
        &["{service_name=unknown_service} 5 x | service_name=a"],
    );
}

#[test]
fn names_without_a_normal_form_refuse_the_push() {
    for (key, want) in [
        ("", "symbolizer lookup: label name is empty"),
        ("...", "symbolizer lookup: normalization for label name \"...\" resulted in invalid name \"_\""),
    ] {
        for request in
            [of_record(log("x", vec![pair(key, text("v"))])), of_resource(vec![pair(key, text("v"))])]
        {
            let error = made(&request, &OtlpLimits::default(), no_bounds()).unwrap_err();
            assert_eq!(error.to_string(), want);
        }
    }
    let mut limits = OtlpLimits::default();
    limits.log_attributes.push(rule(AttributeAction::Drop, "..."));
    let dropped = of_record(log("x", vec![pair("...", text("v"))]));
    check(&dropped, &limits, &["{service_name=unknown_service} 5 x"]);
}

#[test]
fn rules_decide() {
    let mut limits = OtlpLimits::default();
    limits.resource_attributes.attributes_config = vec![
        rule(AttributeAction::IndexLabel, "team.name"),
        rule(AttributeAction::Drop, "secret"),
        rule(AttributeAction::Drop, "service.name"),
    ];
    limits.scope_attributes = vec![rule(AttributeAction::Drop, "noise")];
    limits.log_attributes =
        vec![rule(AttributeAction::IndexLabel, "app"), rule(AttributeAction::Drop, "secret")];
    let resource = vec![
        pair("service.name", text("s")),
        pair("team.name", map(vec![pair("a", text("t")), pair("b", text("u"))])),
        pair("secret", text("no")),
        pair("noise", text("r")),
    ];
    let scope = InstrumentationScope {
        attributes: vec![pair("noise", text("no")), pair("secret", text("s"))],
        ..InstrumentationScope::default()
    };
    let app = |value: &str| vec![pair("app", text(value)), pair("secret", text("no"))];
    let records = vec![
        log("1", app("a")),
        log("2", app("b")),
        log("3", Vec::new()),
        log("4", app("a")),
        log("5", vec![pair("app", text(""))]),
    ];
    let base = "service_name=s team_name_a=t team_name_b=u";
    let rest = "| noise=r | secret=s";
    check(
        &request_of(resource, scope, records),
        &limits,
        &[
            &format!("{{{base}}} 5 3 {rest}"),
            &format!("{{{base}}} 5 5 {rest}"),
            &format!("{{app=a {base}}} 5 1 {rest}"),
            &format!("{{app=a {base}}} 5 4 {rest}"),
            &format!("{{app=b {base}}} 5 2 {rest}"),
        ],
    );
}

#[test]
fn the_severity_may_be_a_label_too() {
    let limits = OtlpLimits { severity_text_as_label: true, ..OtlpLimits::default() };
    let record = LogRecord { severity_text: "WARN".to_owned(), ..log("x", Vec::new()) };
    check(
        &of_record(record),
        &limits,
        &[
            "{service_name=unknown_service}",
            "{service_name=unknown_service severity_text=WARN} 5 x | severity_text=WARN",
        ],
    );
}

#[test]
fn an_event_takes_the_place_of_an_attribute() {
    let record = LogRecord {
        event_name: "real".to_owned(),
        ..log("x", vec![pair("event.name", text("other")), pair("a", text("1"))])
    };
    let want = "{service_name=unknown_service} 5 x | a=1 | event_name=real";
    check(&of_record(record), &OtlpLimits::default(), &[want]);
}

#[test]
fn resources_with_the_same_labels_are_one_stream() {
    let mut request = of_resource(vec![pair("service.name", text("a")), pair("b", text("1"))]);
    request.resource_logs.extend(of_resource(vec![pair("service.name", text("c"))]).resource_logs);
    request.resource_logs.extend(of_resource(vec![pair("service.name", text("a"))]).resource_logs);
    let mut empty = of_resource(vec![pair("service.name", text("d"))]).resource_logs;
    empty[0].scope_logs[0].log_records.clear();
    request.resource_logs.extend(empty.clone());
    check(
        &request,
        &OtlpLimits::default(),
        &["{service_name=a} 5 x | b=1", "{service_name=a} 5 x", "{service_name=c} 5 x", "{service_name=d}"],
    );
    check(&ExportLogsServiceRequest { resource_logs: empty }, &OtlpLimits::default(), &[]);
}

#[test]
fn labels_that_are_not_utf_8_leave_their_rows_out() {
    let log_attributes = vec![rule(AttributeAction::IndexLabel, "app")];
    let limits = OtlpLimits { log_attributes, ..OtlpLimits::default() };
    let attribute = |key: &'static str, value: &'static [u8]| Attribute {
        key: Bytes::from_static(key.as_bytes()),
        value: Value::Text(Bytes::from_static(value)),
    };
    let record = |value| Record { attributes: vec![attribute("app", value)], ..Record::default() };
    let of_service = |service, records| ResourceLogs {
        attributes: vec![attribute("service.name", service)],
        scopes: vec![ScopeLogs { scope: Scope::default(), records }],
    };
    let rules = rules(&limits);
    let mapping = Mapping { rules: &rules, discover: &[], now: Timestamp::MIN, watched: None };
    let logs = vec![
        of_service(b"\xff", vec![Record::default()]),
        of_service(b"a", vec![record(b"\xff"), record(b"b")]),
    ];
    let streams = streams_of(logs, mapping).unwrap();
    let rows: Vec<usize> = streams.iter().map(|stream| stream.entries.len()).collect();
    assert_eq!(rows, [0, 1]);
    assert_eq!(streams_of(vec![of_service(b"\xff", vec![Record::default()])], mapping), Ok(Vec::new()));
}

#[test]
fn what_is_made_is_bounded() {
    let limits = OtlpLimits::default();
    let bounded = |request: &ExportLogsServiceRequest, elements, bytes| {
        made(request, &limits, Bounds { elements: Allowance::of(elements), bytes })
            .map(|streams| streams.len())
    };
    // A stream, two rows, and two pairs on each.
    let resource = vec![pair("a", text("1")), pair("b", text("2"))];
    let records = vec![log("x", Vec::new()), log("y", Vec::new())];
    let request = request_of(resource, InstrumentationScope::default(), records);
    assert_eq!(bounded(&request, 7, 100), Ok(1));
    for elements in 0..7 {
        assert_eq!(bounded(&request, elements, 100), Err(DecodeError::TooMany));
    }
    let service = "service_nameunknown_service".len();
    let nested = |value: AnyValue| of_record(log("x", vec![pair("a", map(vec![pair("b", value)]))]));
    assert_eq!(bounded(&nested(text("x")), 10, service + "a_b".len()), Ok(1));
    assert_eq!(bounded(&nested(text("x")), 10, service + "a_b".len() - 1), Err(DecodeError::TooLong));
    let deep = nested(map(vec![pair("c", text("x"))]));
    assert_eq!(bounded(&deep, 10, service + "a_ba_b_c".len()), Ok(1));
    assert_eq!(bounded(&deep, 10, service + "a_ba_b_c".len() - 1), Err(DecodeError::TooLong));
}

#[test]
fn lines_and_metadata_are_not_copied() {
    let body = Bytes::from(of_record(log("a line", vec![pair("name", text("value"))])).encode_to_vec());
    let rules = rules(&OtlpLimits::default());
    let mapping = Mapping { rules: &rules, discover: &[], now: Timestamp::MIN, watched: None };
    let streams = streams_of(read_otlp_protobuf(&body).unwrap(), mapping).unwrap();
    let entry = &streams[0].entries[0];
    for part in [&entry.line, &entry.metadata[0].name, &entry.metadata[0].value] {
        assert!(body.as_ptr_range().contains(&part.as_ptr()));
    }
}
