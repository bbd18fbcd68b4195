//! Range and instant queries, and the old form of a range query.

use super::*;

const SHOP: &str = r#"{"app":"shop","detected_level":"info","env":"prod","service_name":"shop"}"#;

#[test]
fn answers() {
    let house = House::start(SETTINGS);
    let categorized =
        [("x-scope-orgid", "acme"), ("x-loki-response-encoding-flags", "foo,categorize-labels")];
    let untrimmed = [("x-scope-orgid", "acme"), ("x-loki-response-encoding-flags", "foo, categorize-labels")];
    let newest = format!(
        r#"{{"status":"success","data":{{"resultType":"streams","result":[{{"stream":{SHOP},"values":[["@-480","level=info order=19 took=7ms"]]}}],"stats":{{}}}}}}{}"#,
        "\n"
    );
    let escaped = r#"a \u003cb\u003e \u0026 \"c\"\t\u2028"#;
    let object = r#"{\"user\":{\"id\":7},\"ok\":true,\"size\":\"12MB\"}"#;
    let flagged = |flags: &str, values: &str| {
        format!(
            r#"{{"status":"success","data":{{"resultType":"streams","encodingFlags":{flags},"result":{values},"stats":{{}}}}}}{}"#,
            "\n"
        )
    };
    let by_category = flagged(
        r#"["foo","categorize-labels"]"#,
        &format!(
            r#"[{{"stream":{{"app":"pay","env":"dev","service_name":"pay"}},"values":[["@-299","{escaped}",{{"structuredMetadata":{{"detected_level":"unknown"}}}}],["@-300","{object}",{{"structuredMetadata":{{"detected_level":"unknown","trace_id":"abc"}}}}]]}}]"#
        ),
    );
    let unknown_flags = flagged(
        r#"["foo"," categorize-labels"]"#,
        &format!(
            r#"[{{"stream":{{"app":"pay","detected_level":"unknown","env":"dev","service_name":"pay"}},"values":[["@-299","{escaped}"]]}}]"#
        ),
    );
    let legacy = format!(
        r#"{{"streams":[{{"labels":"{{app=\"pay\", detected_level=\"unknown\", env=\"dev\", service_name=\"pay\"}}","entries":[{{"ts":"@-299r","line":"{escaped}"}}]}}],"stats":{{}}}}{}"#,
        "\n"
    );
    let empty = "{\"status\":\"success\",\"data\":{\"resultType\":\"streams\",\"result\":[],\"stats\":{}}}\n";
    house.check(&[
        ok(r#"/loki/api/v1/query_range?query={app="shop"}&limit=1"#, &newest),
        Case {
            method: "POST",
            target: "/loki/api/v1/query_range?limit=7",
            form: r#"query={app="shop"}&limit=1"#,
            ..ok("", &newest)
        },
        ok(r#"/loki/api/v1/query?query={app="shop"}&limit=1&time=@+0"#, &newest),
        Case { headers: &categorized, ..ok(r#"/loki/api/v1/query_range?query={app="pay"}"#, &by_category) },
        Case { headers: &untrimmed, ..ok(r#"/loki/api/v1/query_range?query={app="pay"}&limit=1"#, &unknown_flags) },
        ok(r#"/loki/api/v1/query_range?query={app="none"}"#, empty),
        // The start counts, the end does not.
        ok(r#"/loki/api/v1/query_range?query={app="shop"}&start=@-480&end=@-479.9"#, &newest),
        ok(r#"/loki/api/v1/query_range?query={app="shop"}&start=@-480s&end=@-479s"#, &newest),
        ok(r#"/loki/api/v1/query_range?query={app="shop"}&start=@-480r&end=@-479r"#, &newest),
        ok(r#"/loki/api/v1/query_range?query={app="shop"}&start=@-500&end=@-480"#, empty),
        ok(r#"/loki/api/v1/query_range?query={app="shop"}&start=@-480&end=@-480"#, empty),
        ok(r#"/api/prom/query?query={app="pay"}&limit=1"#, &legacy),
        ok(r#"/api/prom/query?query={app="pay"}&limit=1&regexp=.b."#, &legacy),
        ok(
            r#"/loki/api/v1/query_range?query=count_over_time({app="shop"}[2m])&start=@-600&end=@-480&step=120"#,
            r#"{"status":"success","data":{"resultType":"matrix","result":[{"metric":{"app":"shop","detected_level":"error","env":"prod","service_name":"shop"},"values":[[@-480s,"1"]]},{"metric":{"app":"shop","detected_level":"info","env":"prod","service_name":"shop"},"values":[[@-600s,"1"],[@-480s,"1"]]}],"stats":{}}}"#,
        ),
        ok(
            r#"/loki/api/v1/query?query=sum(count_over_time({app="shop"}[1h]))&time=@-1.5"#,
            r#"{"status":"success","data":{"resultType":"vector","result":[{"metric":{},"value":[@-2s.5,"3"]}],"stats":{}}}"#,
        ),
        ok(
            "/loki/api/v1/query?query=1+1&time=4000000000",
            r#"{"status":"success","data":{"resultType":"scalar","result":[4000000000,"2"],"stats":{}}}"#,
        ),
        ok(
            "/loki/api/v1/query?query=vector(1e23)&time=1790812860.5",
            r#"{"status":"success","data":{"resultType":"vector","result":[{"metric":{},"value":[1790812860.5,"100000000000000000000000"]}],"stats":{}}}"#,
        ),
        ok(
            "/loki/api/v1/query_range?query=vector(0.5)&start=60&end=120&step=60",
            r#"{"status":"success","data":{"resultType":"matrix","result":[{"metric":{},"values":[[60,"0.5"],[120,"0.5"]]}],"stats":{}}}"#,
        ),
    ]);
    house.larch.stop();
}

#[test]
fn mistakes() {
    let house = House::start(SETTINGS);
    let no_selector = "parse error : queries require at least one regexp or equality matcher that does not have an empty-compatible value. For instance, app=~\".*\" does not meet this requirement, but app=~\".+\" will";
    let internal = "internal streams can only be queried from Logs Drilldown";
    let parquet = [("x-scope-orgid", "acme"), ("accept", "application/vnd.apache.parquet")];
    let drilldown = [("x-scope-orgid", "acme"), ("x-query-tags", "Source=GRAFANA-lokiexplore-app")];
    house.check(&[
        bad("/loki/api/v1/query_range", "parse error : syntax error: unexpected $end"),
        bad("/loki/api/v1/query_range?query={}", no_selector),
        bad(r#"/loki/api/v1/query_range?query={app=~".*"}"#, no_selector),
        bad("/loki/api/v1/query_range?query=sum(", "parse error at line 1, col 5: syntax error: unexpected $end"),
        bad(
            r#"/api/prom/query?query=rate({app="shop"}[1m])"#,
            "legacy endpoints only support streams result type",
        ),
        bad(r#"/loki/api/v1/query_range?query={__pattern__="shop"}"#, internal),
        bad(r#"/loki/api/v1/query?query=sum(rate({__aggregated_metric__="x"}[1m]))"#, internal),
        Case { headers: &drilldown, ..ok(r#"/loki/api/v1/query?query=sum(rate({__pattern__="x"}[1m]))&time=60"#, r#"{"status":"success","data":{"resultType":"vector","result":[],"stats":{}}}"#) },
        Case {
            headers: &parquet,
            ..bad(
                r#"/loki/api/v1/query_range?query={app="shop"}"#,
                "support for Parquet encoded responses is disabled. Enable with -frontend.support-parquet-encoding=true",
            )
        },
        Case {
            body: Body::Begins("pipeline error: 'JSONParserErr' for series: '{"),
            ..bad(r#"/loki/api/v1/query?query=sum by (order) (rate({app="shop"} | json [1h]))&time=@+0"#, "")
        },
        Case { status: 413, ..bad("/loki/api/v1/query_range", "http: request body too large") }.with_long_form(),
    ]);
    house.larch.stop();
}

impl Case<'_> {
    /// A form beyond what a query may be.
    fn with_long_form(self) -> Self {
        let form: &'static str = Box::leak(format!("query={}", "x".repeat(11 << 20)).into_boxed_str());
        Case { method: "POST", form, ..self }
    }
}
