//! Labels, series, sizes, and what rows turn out to have.

use super::*;

const NO_SELECTOR: &str = "parse error : queries require at least one regexp or equality matcher that does not have an empty-compatible value. For instance, app=~\".*\" does not meet this requirement, but app=~\".+\" will";
const ONLY_MATCHERS: &str = "only label matchers are supported";

/// What is found, each answer with its line feed.
#[test]
fn lists() {
    let house = House::start(SETTINGS);
    let names = r#"{"status":"success","data":["app","env","service_name"]}"#;
    for (target, want) in [
        ("/loki/api/v1/labels", names),
        ("/loki/api/v1/label", names),
        (r#"/loki/api/v1/labels?query={app="shop"}"#, names),
        (r#"/loki/api/v1/labels?query={app="none"}"#, r#"{"status":"success"}"#),
        ("/loki/api/v1/labels?start=1&end=2", r#"{"status":"success"}"#),
        ("/loki/api/v1/label/app/values", r#"{"status":"success","data":["pay","shop"]}"#),
        (r#"/loki/api/v1/label/app/values?query={env=~"p.*"}"#, r#"{"status":"success","data":["shop"]}"#),
        ("/loki/api/v1/label/trace_id/values", r#"{"status":"success"}"#),
        ("/loki/api/v1/label/__stream_shard__/values", r#"{"status":"success"}"#),
        ("/loki/api/v1/label/__tenant_id__/values", r#"{"status":"success","data":["acme"]}"#),
        ("/api/prom/label", r#"{"values":["app","env","service_name"]}"#),
        ("/api/prom/label/app/values", r#"{"values":["pay","shop"]}"#),
        ("/api/prom/label/none/values", "{}"),
        (
            "/loki/api/v1/series",
            r#"{"status":"success","data":[{"app":"pay","env":"dev","service_name":"pay"},{"app":"shop","env":"prod","service_name":"shop"}]}"#,
        ),
        (
            "/loki/api/v1/series?match={}",
            r#"{"status":"success","data":[{"app":"pay","env":"dev","service_name":"pay"},{"app":"shop","env":"prod","service_name":"shop"}]}"#,
        ),
        (
            r#"/loki/api/v1/series?match={app="pay"}&match[]={app="none"}"#,
            r#"{"status":"success","data":[{"app":"pay","env":"dev","service_name":"pay"}]}"#,
        ),
        (r#"/api/prom/series?match[]={app="none"}"#, r#"{"status":"success","data":[]}"#),
        (
            r#"/loki/api/v1/index/stats?query={app="none"}"#,
            r#"{"streams":0,"chunks":0,"bytes":0,"entries":0}"#,
        ),
        (
            r#"/loki/api/v1/index/stats?query={app="shop"}"#,
            r#"{"streams":1,"chunks":1,"bytes":84,"entries":3}"#,
        ),
        (
            r#"/loki/api/v1/detected_labels?query="#,
            r#"{"detectedLabels":[{"label":"app","cardinality":2},{"label":"env","cardinality":2},{"label":"service_name","cardinality":2}]}"#,
        ),
        (r#"/loki/api/v1/detected_labels?query={app="none"}"#, "{}"),
        (
            r#"/loki/api/v1/detected_fields?query={app="pay"}"#,
            r#"{"fields":[{"label":"detected_level","type":"string","cardinality":1,"parsers":null},{"label":"ok","type":"boolean","cardinality":1,"parsers":["json"],"jsonPath":["ok"]},{"label":"size","type":"bytes","cardinality":1,"parsers":["json"],"jsonPath":["size"]},{"label":"trace_id","type":"string","cardinality":1,"parsers":null},{"label":"user_id","type":"int","cardinality":1,"parsers":["json"],"jsonPath":["user","id"]}],"limit":1000}"#,
        ),
        (
            r#"/loki/api/v1/detected_fields?query={app="shop"}&field_limit=2"#,
            r#"{"fields":[{"label":"detected_level","type":"string","cardinality":2,"parsers":null},{"label":"level","type":"string","cardinality":2,"parsers":["logfmt"]}],"limit":2}"#,
        ),
        (r#"/loki/api/v1/detected_fields?query={app="shop"} |= "nothing like it""#, "{}"),
        (
            r#"/loki/api/v1/detected_field/size/values?query={app="pay"}"#,
            r#"{"values":["12MB"],"limit":1000}"#,
        ),
        (
            r#"/loki/api/v1/detected_field/order/values?query={app="shop"}&limit=2"#,
            r#"{"values":["17","18"],"limit":2}"#,
        ),
        (r#"/loki/api/v1/detected_field/none/values?query={app="shop"}"#, "{}"),
    ] {
        house.check(&[ok(target, &format!("{want}\n"))]);
    }
    house.larch.stop();
}

#[test]
fn sizes() {
    let house = House::start(SETTINGS);
    let vector = |result: &str| {
        format!(r#"{{"status":"success","data":{{"resultType":"vector","result":[{result}],"stats":{{}}}}}}"#)
    };
    let range = "start=@-3600&end=@+0";
    for (parameters, result) in [
        (r#"query={app="shop"}"#, r#"{"metric":{"app":"shop"},"value":[@+0s,"84"]}"#),
        (
            "query={}",
            r#"{"metric":{"app":"shop","env":"prod","service_name":"shop"},"value":[@+0s,"84"]},{"metric":{"app":"pay","env":"dev","service_name":"pay"},"value":[@+0s,"56"]}"#,
        ),
        ("query={}&limit=1&targetLabels=env", r#"{"metric":{"env":"prod"},"value":[@+0s,"84"]}"#),
        (r#"query={}&targetLabels=env,none"#, ""),
        (
            "query={}&aggregateBy=labels&targetLabels=env,app",
            r#"{"metric":{"app":""},"value":[@+0s,"140"]},{"metric":{"env":""},"value":[@+0s,"140"]}"#,
        ),
        (r#"query={app="none"}"#, ""),
    ] {
        let target = format!("/loki/api/v1/index/volume?{parameters}&{range}");
        house.check(&[ok(&target, &vector(result))]);
    }
    // Steps end a millisecond before the next one begins.
    let matrix = r#"{"status":"success","data":{"resultType":"matrix","result":[{"metric":{"app":"shop"},"values":[[@-541s.999,"28"],[@-481s.999,"28"],[@-421s.999,"28"]]}],"stats":{}}}"#;
    house.check(&[
        ok("/loki/api/v1/index/volume_range?query={app=\"shop\"}&start=@-3600&end=@+0&step=60", matrix),
        Case {
            status: 404,
            content_type: TEXT,
            body: Body::Is("404 page not found\n"),
            target: "/loki/api/v1/index/nothing",
            ..GET
        },
    ]);
    house.larch.stop();
}

#[test]
fn selectors() {
    let house = House::start(SETTINGS);
    for endpoint in [
        "labels",
        "label/app/values",
        "series",
        "index/stats",
        "index/volume",
        "index/volume_range",
        "index/shards",
        "detected_labels",
    ] {
        let asked = |selector: &str| {
            let name = if endpoint == "series" { "match[]" } else { "query" };
            format!("/loki/api/v1/{endpoint}?{name}={selector}&targetBytesPerShard=1MB")
        };
        house.check(&[
            bad(&asked(r#"{app="shop"} |= "x""#), ONLY_MATCHERS),
            bad(&asked(r#"rate({app="shop"}[1m])"#), ONLY_MATCHERS),
            bad(
                &asked("{app="),
                "parse error at line 1, col 6: syntax error: unexpected $end, expecting STRING",
            ),
        ]);
        match endpoint {
            "index/volume" | "index/volume_range" => house.check(&[Case { target: &asked("{}"), ..GET }]),
            "series" => house.check(&[
                Case { target: &asked("{}"), ..GET },
                bad(&format!(r#"{}&match[]={{app="shop"}}"#, asked("{}")), NO_SELECTOR),
            ]),
            _ => house.check(&[bad(&asked("{}"), NO_SELECTOR)]),
        }
    }
    for endpoint in ["detected_fields", "detected_field/x/values"] {
        let asked = |query: &str| format!("/loki/api/v1/{endpoint}?query={query}");
        house.check(&[
            bad(&asked(""), "parse error : syntax error: unexpected $end"),
            bad(&asked("{}"), NO_SELECTOR),
            bad(&asked(r#"rate({app="shop"}[1m])"#), "only log selector is supported"),
        ]);
    }
    house.larch.stop();
}

#[test]
fn volumes_can_be_forbidden() {
    let house = House::start(&format!("{SETTINGS}\nlimits_config: {{volume_enabled: false}}\n"));
    for endpoint in ["index/volume", "index/volume_range"] {
        let target = format!("/loki/api/v1/{endpoint}?query={{}}");
        house.check(&[Case { status: 404, ..bad(&target, "not found") }]);
    }
    house.larch.stop();
    let house = House::start(&format!("{SETTINGS}\nlimits_config: {{volume_max_series: 1}}\n"));
    house.check(&[bad(
        "/loki/api/v1/index/volume?query={}",
        "the query hit the max number of series limit (limit: 1 series)",
    )]);
    house.larch.stop();
}
