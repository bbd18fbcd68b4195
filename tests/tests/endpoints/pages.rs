//! What operators and apps look at besides logs.

use super::*;

const LOWER: &str = "application/json; charset=utf-8";

#[test]
fn pages_without_a_tenant() {
    let house = House::start(SETTINGS);
    let page = |target: &'static str, content_type: &'static str, body: Body<'static>| Case {
        target,
        headers: &[],
        content_type,
        body,
        ..GET
    };
    let broken = "{\"status\":\"invalid-query\",\"error\":\"parse error at line 1, col 6: syntax error: unexpected $end, expecting STRING\"}\n";
    house.check(&[
        page("/ready", TEXT, Body::Is("ready\n")),
        page("/services", TEXT, Body::Begins("server => Running\n")),
        page("/config", TEXT, Body::Begins("target: all\nauth_enabled: true\n")),
        page("/config?mode=diff", TEXT, Body::Begins("server:\n")),
        page("/config?mode=defaults", TEXT, Body::Begins("target: all\nauth_enabled: true\n")),
        page("/log_level", "application/json", Body::Is(r#"{"message":"Current log level is info"}"#)),
        page("/loki/api/v1/status/buildinfo", "application/json", Body::Begins("{\"version\":\"3.")),
        page("/memberlist", TEXT, Body::Is("This instance doesn't use memberlist.\n")),
        page(
            r#"/loki/api/v1/format_query?query={app="x"}|="y""#,
            LOWER,
            Body::Is("{\"status\":\"success\",\"data\":\"{app=\\\"x\\\"} |= \\\"y\\\"\"}\n"),
        ),
        Case {
            method: "POST",
            form: "query=sum(rate({a=\"b\"}[1m]))",
            ..page(
                "/loki/api/v1/format_query",
                LOWER,
                Body::Is("{\"status\":\"success\",\"data\":\"sum(rate({a=\\\"b\\\"}[1m]))\"}\n"),
            )
        },
        Case { status: 400, ..page("/loki/api/v1/format_query?query={app=", LOWER, Body::Is(broken)) },
        Case { status: 401, ..page("/config/tenant/v1/limits", TEXT, Body::Is("no org id\n")) },
        Case { status: 401, ..page("/loki/api/v1/drilldown-limits", TEXT, Body::Is("no org id\n")) },
        Case {
            body: Body::Begins("{\"limits\":{\"discover_log_levels\":true,"),
            target: "/loki/api/v1/drilldown-limits",
            ..GET
        },
    ]);
    house.larch.stop();
}

#[test]
fn rings_of_one_process() {
    let house = House::start(SETTINGS);
    for (path, title, has_member) in [
        ("/ring", "Ingester Ring", true),
        ("/distributor/ring", "Distributor Ring", true),
        ("/pattern/ring", "Pattern Ingester Ring", true),
        ("/scheduler/ring", "Query Scheduler Ring", true),
        ("/indexgateway/ring", "Index Gateway Ring", true),
        ("/compactor/ring", "Compactor Ring", true),
        ("/ruler/ring", "Ruler Ring", true),
    ] {
        let html = house.larch.get(path);
        assert_eq!(html.header("content-type"), Some("text/html; charset=utf-8"), "{path}");
        assert!(
            html.body.contains(title) && html.body.contains("<td>ACTIVE</td>") == has_member,
            "{}",
            html.body
        );
        let answer = house.larch.ask("GET", path, &[("accept", "application/json")], "");
        let ring: Value = serde_json::from_str(&answer.body).expect(&answer.body);
        let shards = ring["shards"].as_array().expect("shards");
        assert_eq!(shards.len(), usize::from(has_member), "{path}: {ring}");
        assert_eq!(
            (&shards[0]["state"], &shards[0]["read_only"]),
            (&json!("ACTIVE"), &json!(false)),
            "{path}"
        );
        for key in ["id", "address", "timestamp", "registered_timestamp", "zone"] {
            assert!(shards[0][key].is_string(), "{path} {key}: {ring}");
        }
        assert!(ring["now"].as_str().is_some_and(|now| now.parse::<Timestamp>().is_ok()), "{ring}");
        // Only ingesters own keys, and there is one.
        let tokens = shards[0]["tokens"].as_array().expect("tokens").len();
        let owns = matches!(path, "/ring" | "/pattern/ring");
        assert_eq!(
            (tokens, html.body.contains("<td>100.00%</td>")),
            if owns { (128, true) } else { (0, false) },
            "{path}"
        );
        let forgotten = house.larch.ask("POST", path, &[("content-type", FORM)], "forget=someone");
        assert_eq!((forgotten.status, forgotten.header("location")), (302, Some("#")), "{path}");
    }
    house.larch.stop();
}

#[test]
fn without_a_shared_rate_there_is_no_ring_of_distributors() {
    let settings = format!("{SETTINGS}limits_config: {{ingestion_rate_strategy: local}}\n");
    let house = House::start(&settings);
    let page = house.larch.ask("GET", "/distributor/ring", &[("accept", "application/json")], "");
    assert_eq!((page.status, page.header("content-type")), (200, Some("text/html; charset=utf-8")));
    assert!(page.body.contains("there is no ring of them"), "{}", page.body);
    house.larch.stop();
}

#[test]
fn there_are_no_partitions_to_take_away() {
    let house = House::start(SETTINGS);
    for method in ["GET", "POST", "DELETE"] {
        let answer = house.larch.ask(method, "/ingester/prepare_partition_downscale", &[], "");
        assert_eq!((answer.status, answer.body.as_str()), (405, ""), "{method}");
    }
    house.larch.stop();
}
