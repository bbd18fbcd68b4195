//! Requests of the OpenTelemetry project's own types, and what is to be read of them.

use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value as WireValue;
use opentelemetry_proto::tonic::common::v1::{
    AnyValue, ArrayValue, InstrumentationScope, KeyValue, KeyValueList,
};
use opentelemetry_proto::tonic::logs::v1::{
    LogRecord, ResourceLogs as WireResourceLogs, ScopeLogs as WireScopeLogs,
};
use opentelemetry_proto::tonic::resource::v1::Resource;
use proptest::prelude::*;

use super::{Attribute, Record, ResourceLogs, Scope, ScopeLogs, Value};

pub(crate) fn text(text: &str) -> AnyValue {
    AnyValue { value: Some(WireValue::StringValue(text.to_owned())) }
}

pub(crate) fn pair(key: &str, value: AnyValue) -> KeyValue {
    KeyValue { key: key.to_owned(), value: Some(value), ..KeyValue::default() }
}

pub(crate) fn map(values: Vec<KeyValue>) -> AnyValue {
    AnyValue { value: Some(WireValue::KvlistValue(KeyValueList { values })) }
}

/// One resource with one scope.
pub(crate) fn request_of(
    resource: Vec<KeyValue>,
    scope: InstrumentationScope,
    log_records: Vec<LogRecord>,
) -> ExportLogsServiceRequest {
    let scope = WireScopeLogs { scope: Some(scope), log_records, ..WireScopeLogs::default() };
    let resource = Resource { attributes: resource, ..Resource::default() };
    let logs =
        WireResourceLogs { resource: Some(resource), scope_logs: vec![scope], ..WireResourceLogs::default() };
    ExportLogsServiceRequest { resource_logs: vec![logs] }
}

/// With everything that a record can have.
pub(crate) fn example() -> ExportLogsServiceRequest {
    let number = AnyValue { value: Some(WireValue::IntValue(500)) };
    let list = ArrayValue { values: vec![text("a"), AnyValue { value: Some(WireValue::DoubleValue(1.5)) }] };
    let list = AnyValue { value: Some(WireValue::ArrayValue(list)) };
    let bytes = AnyValue { value: Some(WireValue::BytesValue(b"hello".to_vec())) };
    let yes = AnyValue { value: Some(WireValue::BoolValue(true)) };
    let record = LogRecord {
        time_unix_nano: 1_790_812_822_494_853_000,
        observed_time_unix_nano: 1_790_812_822_500_000_000,
        severity_number: 17,
        severity_text: "ERROR".to_owned(),
        body: Some(map(vec![pair("msg", text("boom")), pair("list", list)])),
        attributes: vec![
            pair("http", map(vec![pair("status", number), pair("ok", yes)])),
            pair("raw", bytes),
            pair("none", AnyValue::default()),
        ],
        dropped_attributes_count: 2,
        flags: 1,
        trace_id: (1..=16).collect(),
        span_id: (1..=8).collect(),
        event_name: "user.login".to_owned(),
    };
    let scope = InstrumentationScope {
        name: "lib".to_owned(),
        version: "1.2".to_owned(),
        attributes: vec![pair("sc.a", text("1"))],
        dropped_attributes_count: 3,
    };
    let resource = vec![pair("service.name", text("pay")), pair("host.name", text("n7"))];
    request_of(resource, scope, vec![record.clone(), record])
}

/// What is to be read of a request.
pub(crate) fn model(request: ExportLogsServiceRequest) -> Vec<ResourceLogs> {
    request.resource_logs.into_iter().map(model_of_resource).collect()
}

fn model_of_resource(logs: WireResourceLogs) -> ResourceLogs {
    ResourceLogs {
        attributes: attributes(logs.resource.unwrap_or_default().attributes),
        scopes: logs.scope_logs.into_iter().map(model_of_scope).collect(),
    }
}

fn model_of_scope(logs: WireScopeLogs) -> ScopeLogs {
    let scope = logs.scope.unwrap_or_default();
    ScopeLogs {
        scope: Scope {
            name: scope.name.into(),
            version: scope.version.into(),
            attributes: attributes(scope.attributes),
            dropped_attributes: scope.dropped_attributes_count,
        },
        records: logs.log_records.into_iter().map(model_of_record).collect(),
    }
}

fn model_of_record(record: LogRecord) -> Record {
    let number = |id: &[u8]| id.iter().fold(0, |number, byte| number << 8 | u128::from(*byte));
    Record {
        time: record.time_unix_nano,
        observed: record.observed_time_unix_nano,
        severity_number: record.severity_number,
        severity_text: record.severity_text.into(),
        body: value(record.body.unwrap_or_default()),
        attributes: attributes(record.attributes),
        dropped_attributes: record.dropped_attributes_count,
        flags: record.flags,
        trace_id: number(&record.trace_id),
        span_id: number(&record.span_id) as u64,
        event_name: record.event_name.into(),
    }
}

fn attributes(pairs: Vec<KeyValue>) -> Vec<Attribute> {
    let attribute =
        |pair: KeyValue| Attribute { key: pair.key.into(), value: value(pair.value.unwrap_or_default()) };
    pairs.into_iter().map(attribute).collect()
}

fn value(any: AnyValue) -> Value {
    match any.value {
        // Texts by their place in a table are of another signal.
        None | Some(WireValue::StringValueStrindex(_)) => Value::Empty,
        Some(WireValue::StringValue(text)) => Value::Text(text.into()),
        Some(WireValue::BoolValue(truth)) => Value::Bool(truth),
        Some(WireValue::IntValue(number)) => Value::Int(number),
        Some(WireValue::DoubleValue(number)) => Value::Double(number),
        Some(WireValue::ArrayValue(list)) => Value::List(list.values.into_iter().map(value).collect()),
        Some(WireValue::KvlistValue(list)) => Value::Map(attributes(list.values)),
        Some(WireValue::BytesValue(bytes)) => Value::Bytes(bytes.into()),
    }
}

fn any_value() -> impl Strategy<Value = AnyValue> {
    let leaf = prop_oneof![
        Just(None),
        "\\PC{0,8}".prop_map(|text| Some(WireValue::StringValue(text))),
        any::<bool>().prop_map(|truth| Some(WireValue::BoolValue(truth))),
        any::<i64>().prop_map(|number| Some(WireValue::IntValue(number))),
        any::<f64>().prop_map(|number| Some(WireValue::DoubleValue(number))),
        prop::collection::vec(any::<u8>(), 0..8).prop_map(|bytes| Some(WireValue::BytesValue(bytes))),
    ];
    let leaf = leaf.prop_map(|value| AnyValue { value });
    leaf.prop_recursive(4, 12, 3, |inner| {
        let list = prop::collection::vec(inner.clone(), 0..3)
            .prop_map(|values| WireValue::ArrayValue(ArrayValue { values }));
        let pairs = prop::collection::vec(("[a-c.]{0,3}", inner), 0..3).prop_map(|pairs| {
            let values = pairs.into_iter().map(|(key, value)| pair(&key, value)).collect();
            WireValue::KvlistValue(KeyValueList { values })
        });
        prop_oneof![list, pairs].prop_map(|value| AnyValue { value: Some(value) })
    })
}

fn pairs() -> impl Strategy<Value = Vec<KeyValue>> {
    prop::collection::vec(("[a-c.]{0,3}", any_value()).prop_map(|(key, value)| pair(&key, value)), 0..3)
}

fn record() -> impl Strategy<Value = LogRecord> {
    let times = (any::<u64>(), any::<u64>());
    let ids = (prop::bool::ANY, any::<[u8; 16]>(), any::<[u8; 8]>());
    let numbers = (any::<i32>(), any::<u32>(), any::<u32>());
    let texts = ("\\PC{0,4}", "\\PC{0,4}");
    (times, numbers, texts, ids, prop::option::of(any_value()), pairs()).prop_map(
        |(times, numbers, texts, (has_ids, trace_id, span_id), body, attributes)| LogRecord {
            time_unix_nano: times.0,
            observed_time_unix_nano: times.1,
            severity_number: numbers.0,
            dropped_attributes_count: numbers.1,
            flags: numbers.2,
            severity_text: texts.0,
            event_name: texts.1,
            trace_id: if has_ids { trace_id.to_vec() } else { Vec::new() },
            span_id: if has_ids { span_id.to_vec() } else { Vec::new() },
            body,
            attributes,
        },
    )
}

fn scope_logs() -> impl Strategy<Value = WireScopeLogs> {
    let scope = ("[a-z]{0,3}", "[0-9.]{0,3}", pairs(), any::<u32>()).prop_map(
        |(name, version, attributes, dropped_attributes_count)| InstrumentationScope {
            name,
            version,
            attributes,
            dropped_attributes_count,
        },
    );
    (prop::option::of(scope), prop::collection::vec(record(), 0..3), "[a-z]{0,3}")
        .prop_map(|(scope, log_records, schema_url)| WireScopeLogs { scope, log_records, schema_url })
}

pub(crate) fn request() -> impl Strategy<Value = ExportLogsServiceRequest> {
    let resource = (pairs(), any::<u32>()).prop_map(|(attributes, dropped_attributes_count)| Resource {
        attributes,
        dropped_attributes_count,
        ..Resource::default()
    });
    let logs = (prop::option::of(resource), prop::collection::vec(scope_logs(), 0..3), "[a-z]{0,3}")
        .prop_map(|(resource, scope_logs, schema_url)| WireResourceLogs { resource, scope_logs, schema_url });
    prop::collection::vec(logs, 0..3).prop_map(|resource_logs| ExportLogsServiceRequest { resource_logs })
}
