//! What ingesters say, and what becomes of it.

use larch_proto::Failure;
use larch_types::ErrorKind;

use super::house::{Answer, FakeIngester, House, Wanted, in_house};

fn body(house: &House, streams: &[&str]) -> String {
    let now = house.now().nanos();
    let stream = |app: &&str| format!(r#"{{"stream":{{"app":"{app}"}},"values":[["{now}","x"]]}}"#);
    let streams: Vec<String> = streams.iter().map(stream).collect();
    format!(r#"{{"streams":[{}]}}"#, streams.join(","))
}

fn refuse(ingester: &FakeIngester, app: &'static str, kind: ErrorKind) {
    let of_app = format!(r#"app="{app}""#);
    let refusal = move |labels: &str| {
        labels.contains(&of_app).then(|| Failure { kind, text: format!("{app} is refused") })
    };
    *ingester.refuse.lock().unwrap() = Some(Box::new(refusal));
}

fn answer(status: u16, text: &str) -> Answer {
    let end = if status == 204 { "" } else { "\n" };
    Answer { status, text: format!("{text}{end}") }
}

#[test]
fn no_ingester() {
    in_house(Wanted { ingesters: Some(0), ..Wanted::default() }, async |house| {
        let text = "at least 1 live replicas required, could only find 0";
        assert_eq!(house.push_json(&body(&house, &["a"])).await, answer(500, text));
        // Nothing to send needs nobody.
        let empty = r#"{"streams":[{"stream":{"app":"a"},"values":[]}]}"#;
        assert_eq!(house.push_json(empty).await, answer(204, ""));
    });
}

#[test]
fn too_few_ingesters() {
    let wanted = Wanted { ingesters: Some(1), replication_factor: Some(3), ..Wanted::default() };
    in_house(wanted, async |house| {
        let text = "at least 2 live replicas required, could only find 1";
        assert_eq!(house.push_json(&body(&house, &["a"])).await, answer(500, text));
        assert_eq!(house.kept().len(), 0);
    });
}

#[test]
fn an_ingester_that_is_gone() {
    in_house(Wanted::default(), async |house| {
        house.local.remove(&"ingester-0:1".parse().unwrap());
        let pushed = house.push_json(&body(&house, &["a"])).await;
        assert_eq!(pushed, answer(503, "no ingester at ingester-0:1"));
        let failures = house.scraped("loki_distributor_ingester_append_failures_total");
        assert_eq!(
            failures,
            [r#"loki_distributor_ingester_append_failures_total{ingester="ingester-0:1"} 1"#]
        );
    });
}

#[test]
fn a_stream_that_is_refused() {
    for (kind, status) in [
        (ErrorKind::TooMany, 429),
        (ErrorKind::Invalid, 400),
        (ErrorKind::Internal, 500),
        (ErrorKind::Unavailable, 503),
    ] {
        in_house(Wanted::default(), async |house| {
            refuse(&house.ingesters[0], "b", kind);
            assert_eq!(
                house.push_json(&body(&house, &["a", "b", "c"])).await,
                answer(status, "b is refused")
            );
            assert_eq!(house.push_json(&body(&house, &["a", "c"])).await, answer(204, ""));
            // The ingester's word outranks what is invalid.
            let old = body(&house, &["a", "b"]).replacen(&house.now().nanos().to_string(), "1", 1);
            assert_eq!(house.push_json(&old).await, answer(status, "b is refused"));
        });
    }
}

#[test]
fn a_majority_of_three() {
    let wanted = || Wanted { ingesters: Some(4), replication_factor: Some(3), ..Wanted::default() };
    in_house(wanted(), async |house| {
        refuse(&house.ingesters[0], "a", ErrorKind::TooMany);
        assert_eq!(house.push_json(&body(&house, &["a", "b"])).await, answer(204, ""));
        let mut copies = std::collections::BTreeMap::new();
        for (number, ingester) in house.ingesters.iter().enumerate() {
            for (_, request) in &*ingester.kept.lock().unwrap() {
                for stream in &request.streams {
                    let nodes = &request.replica_sets[stream.replica_set as usize].nodes;
                    assert_eq!(nodes.len(), 3);
                    assert!(nodes.iter().any(|node| node.as_u128() == 100 + number as u128));
                    *copies.entry(stream.labels.clone()).or_insert(0) += 1;
                }
            }
        }
        assert_eq!(
            copies.into_values().collect::<Vec<_>>(),
            [3, 3],
            "so many as the replication factor says"
        );
    });
    let wanted = || Wanted { ingesters: Some(3), replication_factor: Some(3), ..Wanted::default() };
    in_house(wanted(), async |house| {
        refuse(&house.ingesters[0], "a", ErrorKind::TooMany);
        house.local.remove(&"ingester-1:1".parse().unwrap());
        let pushed = house.push_json(&body(&house, &["a", "b"])).await;
        assert_eq!(pushed, answer(503, "no ingester at ingester-1:1"), "one refuses, one is gone");
        assert_eq!(house.push_json(&body(&house, &["b"])).await, answer(204, ""));
    });
}
