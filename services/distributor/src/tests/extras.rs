//! What Larch does beside: labels put right, fields found, usage, pages.

use axum::body::Body;
use http::Request;
use http_body_util::BodyExt;
use larch_limits::{DeniedAction, GenericFields, LabelRules, LimitsSettings};
use larch_proto::{Failure, RefusalReason};
use larch_types::ErrorKind;
use serde_json::{Value, json};
use tower::ServiceExt;

use super::house::{Answer, House, JSON, V1, Wanted, in_house};

async fn get(house: &House, path: &str, headers: &[(&str, &str)]) -> (u16, String, String) {
    let mut request = Request::get(path);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let response = house.router.clone().oneshot(request.body(Body::empty()).unwrap()).await.unwrap();
    let status = response.status().as_u16();
    let content_type = response.headers()["content-type"].to_str().unwrap().to_owned();
    let body = response.into_body().collect().await.unwrap().to_bytes();
    (status, content_type, String::from_utf8(body.to_vec()).unwrap())
}

fn push_body(house: &House, streams: &[(&str, &str)]) -> String {
    let now = house.now().nanos();
    let stream = |(labels, line): &(&str, &str)| json!({ "stream": serde_json::from_str::<Value>(labels).unwrap(), "values": [[now.to_string(), line]] });
    json!({ "streams": streams.iter().map(stream).collect::<Vec<_>>() }).to_string()
}

#[test]
fn fields_are_found_and_added() {
    let limits = LimitsSettings {
        discover_generic_fields: GenericFields {
            fields: [("trace".to_owned(), vec!["traceID".to_owned(), "ctx.trace".to_owned()])].into(),
        },
        ..LimitsSettings::default()
    };
    in_house(Wanted { limits: limits.clone(), ..Wanted::default() }, async |house| {
        let body = push_body(
            &house,
            &[
                (r#"{"app":"a"}"#, r#"{"ctx":{"trace":"json"}}"#),
                (r#"{"app":"a"}"#, "traceID=logfmt level=warn"),
                (r#"{"app":"a","traceID":"label"}"#, "x"),
                (r#"{"app":"a"}"#, "none"),
            ],
        );
        assert_eq!(house.push_json(&body).await.status, 204);
        assert_eq!(
            house.rows(),
            [
                r#"{app="a", service_name="a"} {"ctx":{"trace":"json"}} trace=json [trace]"#,
                r#"{app="a", service_name="a"} traceID=logfmt level=warn trace=logfmt [warn]"#,
                r#"{app="a", service_name="a", traceID="label"} x trace=label [unknown]"#,
                r#"{app="a", service_name="a"} none [unknown]"#,
            ]
        );
    });
    let without = LimitsSettings { allow_structured_metadata: false, ..limits };
    in_house(Wanted { limits: without, ..Wanted::default() }, async |house| {
        let body = push_body(&house, &[(r#"{"app":"a"}"#, "traceID=x")]);
        assert_eq!(house.push_json(&body).await.status, 204);
        assert_eq!(house.rows(), [r#"{app="a", service_name="a"} traceID=x"#]);
    });
}

#[test]
fn labels_are_put_right() {
    let rules = LabelRules {
        normalize_names: true,
        lowercase_names: true,
        rename: [("app_kubernetes_io_name".to_owned(), "app".to_owned())].into(),
        denied: vec!["pod".to_owned()],
        max_values_of: [("req".to_owned(), 1)].into(),
        ..LabelRules::default()
    };
    let with = |rules: LabelRules| LimitsSettings { label_rules: rules, ..LimitsSettings::default() };
    in_house(Wanted { limits: with(rules.clone()), ..Wanted::default() }, async |house| {
        let body = push_body(
            &house,
            &[
                (r#"{"app.kubernetes.io/name":"a","POD":"p-1","req":"1"}"#, "first"),
                (r#"{"App":"a","pod":"p-2","req":"2"}"#, "second"),
            ],
        );
        assert_eq!(house.push_json(&body).await, Answer { status: 204, text: String::new() });
        assert_eq!(
            house.rows(),
            [
                r#"{app="a", req="1", service_name="a"} first pod=p-1 [unknown]"#,
                r#"{app="a", service_name="a"} second pod=p-2 req=2 [unknown]"#,
            ]
        );
        let denied = house.scraped("larch_distributor_denied_labels_total");
        assert_eq!(denied, [r#"larch_distributor_denied_labels_total{tenant="t"} 3"#]);
    });
    let refusing = LabelRules { denied_action: DeniedAction::Refuse, ..rules };
    in_house(Wanted { limits: with(refusing), ..Wanted::default() }, async |house| {
        let body = push_body(&house, &[(r#"{"app":"a","pod":"p"}"#, "bad"), (r#"{"app":"a"}"#, "good")]);
        let text = "stream '{app=\"a\", pod=\"p\", service_name=\"a\"}' has the label 'pod', which is denied by \
                    limits_config.label_rules\n";
        assert_eq!(house.push_json(&body).await, Answer { status: 400, text: text.to_owned() });
        assert_eq!(house.rows(), [r#"{app="a", service_name="a"} good [unknown]"#]);
        let discarded = house.scraped("loki_discarded_samples_total{reason=\"denied_label\"");
        assert_eq!(discarded.len(), 1);
    });
}

#[test]
fn what_ingesters_refuse_is_counted_once() {
    for (reason, label) in
        [(RefusalReason::StreamLimit, "stream_limit"), (RefusalReason::StreamRate, "per_stream_rate_limit")]
    {
        let wanted = Wanted { ingesters: Some(3), replication_factor: Some(3), ..Wanted::default() };
        in_house(wanted, async |house| {
            for ingester in &house.ingesters {
                let refusal = |labels: &str| {
                    let failure = || Failure { kind: ErrorKind::TooMany, text: "too much".to_owned() };
                    labels.contains("app=\"b\"").then(failure)
                };
                *ingester.refuse.lock().unwrap() = Some(Box::new(refusal));
                *ingester.reason.lock().unwrap() = Some(reason);
            }
            let body = push_body(&house, &[(r#"{"app":"a"}"#, "12345"), (r#"{"app":"b"}"#, "1234567")]);
            assert_eq!(house.push_json(&body).await.status, 429);
            let labels = r#"tenant="t",retention_hours="0",policy="",format="loki""#;
            for (name, count) in [("samples", 1), ("bytes", 7)] {
                let metric = format!("loki_discarded_{name}_total");
                let want = format!("{metric}{{reason=\"{label}\",{labels}}} {count}");
                assert_eq!(house.scraped(&metric), [want]);
            }
            let (_, _, usage) = get(&house, "/larch/api/v1/usage", &[("x-scope-orgid", "t")]).await;
            let usage: Value = serde_json::from_str(&usage).unwrap();
            assert_eq!(usage["accepted"], json!({ "lines": 1, "lineBytes": 5, "metadataBytes": 0 }));
            assert_eq!(usage["discarded"][label]["lineBytes"], 7);
        });
    }
}

#[test]
fn usage_is_shown_to_its_tenant() {
    let limits = LimitsSettings { usage_labels: vec!["team".to_owned()], ..LimitsSettings::default() };
    in_house(Wanted { limits, ..Wanted::default() }, async |house| {
        let body = push_body(&house, &[(r#"{"team":"red"}"#, "12345"), (r#"{"app":"b"}"#, "1234567")]);
        assert_eq!(house.push_json(&body).await.status, 204);
        let old = body.replace(&house.now().nanos().to_string(), "1");
        assert_eq!(house.push_json(&old).await.status, 400);
        let (status, content_type, text) =
            get(&house, "/larch/api/v1/usage", &[("x-scope-orgid", "t")]).await;
        assert_eq!((status, content_type.as_str()), (200, "application/json"));
        let usage: Value = serde_json::from_str(&text).unwrap();
        let volume =
            |lines: u64, bytes: u64| json!({ "lines": lines, "lineBytes": bytes, "metadataBytes": 0 });
        assert_eq!(usage["tenant"], "t");
        assert_eq!(usage["since"], house.now().to_string());
        assert_eq!(usage["accepted"], volume(2, 12));
        assert_eq!(usage["discarded"], json!({ "greater_than_max_sample_age": volume(2, 12) }));
        assert_eq!(usage["labels"], json!({ "team": { "red": volume(1, 5), "": volume(1, 7) } }));
        let (status, _, text) = get(&house, "/larch/api/v1/usage", &[]).await;
        assert_eq!((status, text.as_str()), (401, "no org id\n"));
        let (_, _, text) = get(&house, "/distributor/usage", &[]).await;
        let all: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(all["tenants"][0]["accepted"], volume(2, 12));
        assert_eq!(all["tenants"][0]["labels"], Value::Null, "not what labels say");
    });
}

#[test]
fn retries_are_told_when() {
    let limits = LimitsSettings { ingestion_rate_mb: 0.0001, ..LimitsSettings::default() };
    in_house(Wanted { limits, ..Wanted::default() }, async |house| {
        let retry_after = async |line: &str| {
            let body = push_body(&house, &[(r#"{"app":"a"}"#, line)]);
            let request = Request::post(V1).header(JSON.0, JSON.1).header("x-scope-orgid", "t");
            let response =
                house.router.clone().oneshot(request.body(Body::from(body)).unwrap()).await.unwrap();
            let seconds = response.headers().get("retry-after").map(|text| text.to_str().unwrap().to_owned());
            (response.status().as_u16(), seconds)
        };
        // The burst first, in lines that are short enough.
        for _ in 0..24 {
            assert_eq!(retry_after(&"x".repeat(262_144)).await, (204, None));
        }
        assert_eq!(retry_after("x").await, (429, Some("1".to_owned())));
        assert_eq!(retry_after(&"x".repeat(1000)).await, (429, Some("10".to_owned())));
        assert_eq!(retry_after(&"x".repeat(100_000)).await, (429, Some("60".to_owned())));
    });
}

#[test]
fn fast_streams_say_so_to_ingesters() {
    in_house(Wanted::default(), async |house| {
        let lines: Vec<Value> =
            (0..50).map(|_| json!([house.now().nanos().to_string(), "x".repeat(20_000)])).collect();
        let body = json!({ "streams": [{ "stream": { "app": "a" }, "values": lines }] }).to_string();
        for _ in 0..4 {
            assert_eq!(house.push_json(&body).await.status, 204);
            house.world.env.sleep(std::time::Duration::from_millis(500)).await;
        }
        let shards: Vec<u32> = house.kept().iter().map(|request| request.streams[0].write_shards).collect();
        // Two million bytes a second, and a push of one million: that is two or three times 1536 KB.
        assert_eq!(shards, [1, 1, 2, 2]);
        assert_eq!(house.scraped("loki_stream_sharding_count"), ["loki_stream_sharding_count 2"]);
    });
}
