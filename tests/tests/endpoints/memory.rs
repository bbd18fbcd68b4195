//! A query beyond its memory ends with the limit's text, and others go on beside it.

use larch_testkit::http::{Client, with_query};

use super::*;

/// Beside the large stream and the other side by side, so many times each.
const ROUNDS: usize = 10;

#[test]
fn who_asks_for_too_much_harms_nobody_else() {
    let house = House::start(&format!("{SETTINGS}querier: {{engine: {{max_memory: 16KB}}}}\n"));
    let row = |n: i64| {
        json!([(house.now.nanos() - n * 1_000_000_000).to_string(), format!("n={n} {}", "x".repeat(100))])
    };
    let large: Vec<Value> = (1..300).map(row).collect();
    let streams = [json!({"stream": {"app": "large"}, "values": large})];
    let answer = push_json(&mut house.larch.client(), Some("acme"), &streams).expect("an answer");
    assert_eq!(answer.status, 204, "{}", answer.body);
    let too_much = "the query needs more memory than a single query may use (limit: 16KB); ";
    let rows = r#"{"status":"success","data":{"resultType":"streams","result":[{"stream":{"app":"shop","#;
    let counted = r#"{"status":"success","data":{"resultType":"matrix","result":[{"metric":{},"values":[["#;
    let cases = [
        (r#"{app="large"}"#, 400, too_much),
        (r#"count_over_time({app="large"} | logfmt [1h])"#, 400, too_much),
        (r#"{app="shop"}"#, 200, rows),
        (r#"sum(count_over_time({app="large"}[1h]))"#, 200, counted),
    ];
    let address = house.larch.address();
    std::thread::scope(|scope| {
        for (query, status, begins) in cases {
            scope.spawn(move || {
                let mut client = Client::new(address);
                let parameters = [("query", query), ("limit", "300"), ("step", "60")];
                let target = with_query("/loki/api/v1/query_range", parameters);
                for _ in 0..ROUNDS {
                    let answer = client.get(&target, &[("x-scope-orgid", "acme")]).expect("an answer");
                    let is_wanted = answer.status == status && answer.body.starts_with(begins);
                    assert!(is_wanted, "{query}: {answer:?}");
                }
            });
        }
    });
    house.larch.stop();
}
