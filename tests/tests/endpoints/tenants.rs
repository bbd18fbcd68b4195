//! Reads of several tenants at once.

use super::*;

const BOTH: &[(&str, &str)] = &[("x-scope-orgid", "globex|acme|acme")];

#[test]
fn several_tenants() {
    let house = House::start(&format!("{SETTINGS}querier: {{multi_tenant_queries_enabled: true}}\n"));
    let theirs = json!([{"stream": {"app": "shop", "__tenant_id__": "own"}, "values": [
        [(house.now.nanos() - 100_000_000_000).to_string(), "level=warn order=7"],
    ]}]);
    let theirs: Vec<Value> = serde_json::from_value(theirs).expect("a stream");
    let answer = push_json(&mut house.larch.client(), Some("globex"), &theirs).expect("an answer");
    assert_eq!(answer.status, 204, "{}", answer.body);
    let all = |cases: &[(&str, &str)]| {
        for (target, body) in cases {
            let target = format!("/loki/api/v1/{target}");
            let body = format!("{body}\n");
            house.check(&[Case { headers: BOTH, ..ok(&target, &body) }]);
        }
    };
    let begins = |cases: &[(&str, &str)]| {
        for (target, body) in cases {
            let target = format!("/loki/api/v1/{target}");
            house.check(&[Case { headers: BOTH, target: &target, body: Body::Begins(body), ..GET }]);
        }
    };
    let names = r#"{"status":"success","data":["__tenant_id__","app","env","original___tenant_id__","service_name"]}"#;
    let shops = concat!(
        r#"{"status":"success","data":["#,
        r#"{"__tenant_id__":"acme","app":"shop","env":"prod","service_name":"shop"},"#,
        r#"{"__tenant_id__":"globex","app":"shop","original___tenant_id__":"own","service_name":"shop"}]}"#
    );
    let theirs = r#"{"status":"success","data":[{"__tenant_id__":"globex","app":"shop","original___tenant_id__":"own","service_name":"shop"}]}"#;
    let nothing = r#"{"status":"success","data":{"resultType":"streams","result":[],"stats":{}}}"#;
    all(&[
        ("labels", names),
        ("label/__tenant_id__/values", r#"{"status":"success","data":["acme","globex"]}"#),
        ("label/original___tenant_id__/values", r#"{"status":"success","data":["own"]}"#),
        ("label/app/values", r#"{"status":"success","data":["pay","shop"]}"#),
        (r#"label/app/values?query={__tenant_id__="globex"}"#, r#"{"status":"success","data":["shop"]}"#),
        (r#"label/app/values?query={__tenant_id__=~"gl.*"}"#, r#"{"status":"success","data":["shop"]}"#),
        (r#"series?match[]={app="shop"}"#, shops),
        (r#"series?match[]={app="shop",__tenant_id__=~"g.*"}"#, theirs),
        (r#"series?match[]={original___tenant_id__="own"}"#, theirs),
        (r#"series?match[]={app="shop",__tenant_id__="nobody"}"#, r#"{"status":"success","data":[]}"#),
        (r#"query_range?query={app="shop",__tenant_id__="nobody"}"#, nothing),
        (r#"query_range?query={app="shop"} | __tenant_id__="nobody""#, nothing),
        (
            r#"detected_field/order/values?query={app="shop"}"#,
            r#"{"values":["17","18","19","7"],"limit":1000}"#,
        ),
    ]);
    let volume = r#"{"status":"success","data":{"resultType":"vector","result":["#;
    begins(&[
        (
            r#"query_range?query={app="shop",__tenant_id__="globex"}"#,
            r#"{"status":"success","data":{"resultType":"streams","result":[{"stream":{"__tenant_id__":"globex","app":"shop","detected_level":"warn","original___tenant_id__":"own","service_name":"shop"},"values":[["#,
        ),
        (
            r#"query?query=sum by (__tenant_id__) (count_over_time({app="shop"}[1h]))"#,
            r#"{"status":"success","data":{"resultType":"vector","result":[{"metric":{"__tenant_id__":"acme"},"value":["#,
        ),
        (r#"index/stats?query={app="shop"}"#, r#"{"streams":2,"#),
        (r#"index/stats?query={app="shop",__tenant_id__="globex"}"#, r#"{"streams":1,"#),
        (r#"index/volume?query={app="shop"}"#, &format!(r#"{volume}{{"metric":{{"app":"shop"}},"#)),
        // Tenants are summed up, so that there is nothing by which they could be told apart.
        (r#"index/volume?query={app="shop"}&targetLabels=__tenant_id__"#, &format!("{volume}]")),
        ("detected_labels", r#"{"detectedLabels":[{"label":"original___tenant_id__","cardinality":1},"#),
    ]);
    let whole = "parse error : queries require at least one regexp or equality matcher";
    house.check(&[
        Case {
            headers: BOTH,
            body: Body::Begins(whole),
            ..bad(r#"/loki/api/v1/query_range?query={__tenant_id__="acme"}"#, "")
        },
        Case { headers: BOTH, method: "POST", ..bad("/loki/api/v1/push", "multiple org IDs present\n") },
    ]);
    house.larch.stop();
}
