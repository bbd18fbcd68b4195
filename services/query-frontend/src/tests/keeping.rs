//! Answers that are kept, and answers that several get.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use futures_util::future::{join, join_all};
use larch_proto::{Done, Piece, QueryStatistics, ResultPart};
use larch_rpc::CallError;
use larch_types::ErrorKind;
use serde_json::json;

use super::answers::entries;
use super::house::{House, Reply, Wanted, done, in_house, in_plain_house, settle};

const RANGE: &str = "/loki/api/v1/query_range";
const LOGS: &str = r#"{app="x"}"#;

fn with_cache(test: impl AsyncFnOnce(House)) {
    let mut wanted = Wanted::default();
    wanted.config.query_range.cache_results = true;
    in_house(wanted, test);
}

/// A worker for which the stored segments are those of this number.
fn stored(number: Arc<AtomicU32>) -> impl Fn(&Piece) -> Reply + Send + Sync + 'static {
    move |piece: &Piece| {
        let key = u128::from(number.load(Ordering::Relaxed));
        let cache_key = (piece.keeps_answer && key > 0).then_some(key);
        if cache_key.is_some() && piece.kept == cache_key {
            return Reply::Parts(vec![ResultPart::Done(Box::new(Done {
                cache_key,
                unchanged: true,
                ..Done::default()
            }))]);
        }
        let statistics = QueryStatistics { rows: 7, ..QueryStatistics::default() };
        let line = format!("line {key}");
        let done = ResultPart::Done(Box::new(Done { cache_key, statistics, ..Done::default() }));
        Reply::Parts(vec![entries(&[(100, &line)]), done])
    }
}

async fn ask(house: &House, headers: &[(&str, &str)]) -> (String, i64, i64) {
    let parameters = [("query", LOGS), ("start", "0"), ("end", "200")];
    let answer = house.get_as("acme", RANGE, &parameters, headers).await.json();
    let line = answer["data"]["result"][0]["values"][0][1].as_str().expect("a line").to_owned();
    let stats = &answer["data"]["stats"];
    let number = |value: &serde_json::Value| value.as_i64().expect("a number");
    (
        line,
        number(&stats["summary"]["totalLinesProcessed"]),
        number(&stats["cache"]["result"]["entriesFound"]),
    )
}

#[test]
fn an_answer_is_kept_while_it_is_right() {
    with_cache(async |house| {
        let segments = Arc::new(AtomicU32::new(0));
        let worker = house.worker(1, 1, stored(Arc::clone(&segments)));
        let kept = |worker: &super::house::Worker| worker.pieces().last().expect("a piece").kept;
        // An ingester holds rows.
        assert_eq!(ask(&house, &[]).await, ("line 0".to_owned(), 7, 0));
        assert_eq!(ask(&house, &[]).await, ("line 0".to_owned(), 7, 0));
        assert_eq!(kept(&worker), None);
        segments.store(1, Ordering::Relaxed);
        assert_eq!(ask(&house, &[]).await, ("line 1".to_owned(), 7, 0));
        assert_eq!(ask(&house, &[]).await, ("line 1".to_owned(), 0, 1), "nothing is read for it");
        assert_eq!(kept(&worker), Some(1));
        // Rows came late.
        segments.store(2, Ordering::Relaxed);
        assert_eq!(ask(&house, &[]).await, ("line 2".to_owned(), 7, 0));
        assert_eq!(ask(&house, &[]).await, ("line 2".to_owned(), 0, 1));
        assert_eq!(ask(&house, &[("cache-control", "no-cache")]).await, ("line 2".to_owned(), 7, 0));
        assert_eq!((kept(&worker), worker.pieces().last().expect("a piece").keeps_answer), (None, false));
        let hits = house
            .metric("larch_query_frontend_results_cache_requests_total{type=\"limited\",result=\"hit\"}");
        assert!(hits[0].ends_with(" 2"), "{hits:?}");
    });
}

#[test]
fn what_is_new_is_not_kept() {
    with_cache(async |house| {
        let worker = house.worker(1, 1, stored(Arc::new(AtomicU32::new(1))));
        house.get(RANGE, &[("query", LOGS)]).await;
        assert!(!worker.pieces()[0].keeps_answer);
        let clock = [("query", r#"{app="x"} | line_format "{{ now }}""#), ("start", "0"), ("end", "200")];
        house.get(RANGE, &clock).await;
        assert!(!worker.pieces()[1].keeps_answer);
        let answer =
            house.get_as("other", RANGE, &[("query", LOGS), ("start", "0"), ("end", "200")], &[]).await;
        assert_eq!(answer.status, 200);
        assert_eq!(worker.pieces()[2].kept, None, "every tenant has its own");
    });
}

#[test]
fn an_answer_that_nobody_keeps_is_none() {
    with_cache(async |house| {
        house.worker(1, 1, |_| {
            Reply::Parts(vec![ResultPart::Done(Box::new(Done { unchanged: true, ..Done::default() }))])
        });
        let answer = house.get(RANGE, &[("query", LOGS), ("start", "0"), ("end", "200")]).await;
        assert_eq!(answer.status, 500);
    });
}

#[test]
fn those_who_ask_the_same_share_an_answer() {
    in_plain_house(async |house| {
        let asking = join_all((0..5).map(|number| {
            let tenant = if number == 4 { "other" } else { "acme" };
            house.get_as(tenant, RANGE, &[("query", LOGS), ("start", "0"), ("end", "200")], &[])
        }));
        let helping = async {
            settle().await;
            house.worker(1, 1, |_| Reply::Parts(vec![entries(&[(100, "line")]), done()]))
        };
        let (answers, worker) = join(asking, helping).await;
        for answer in answers {
            let lines = &answer.json()["data"]["result"][0]["values"];
            assert_eq!(*lines, json!([["100000000000", "line"]]));
        }
        assert_eq!(worker.pieces().len(), 2, "one for each tenant");
    });
}

#[test]
fn who_goes_away_takes_nothing_from_others() {
    in_plain_house(async |house| {
        let ask = || house.get_as("acme", RANGE, &[("query", LOGS), ("start", "0"), ("end", "200")], &[]);
        let first = tokio::time::timeout(Duration::from_millis(10), ask());
        let helping = async {
            tokio::time::sleep(Duration::from_millis(20)).await;
            house.worker(1, 1, |_| Reply::Parts(vec![entries(&[(100, "line")]), done()]))
        };
        let (first, (second, worker)) = join(first, join(ask(), helping)).await;
        assert!(first.is_err());
        assert_eq!((second.status, worker.pieces().len()), (200, 1));
    });
}

/// Whose run fails has to live with it; the others try for themselves.
#[test]
fn a_failure_is_not_shared() {
    in_plain_house(async |house| {
        let ask = || house.get_as("acme", RANGE, &[("query", LOGS), ("start", "0"), ("end", "200")], &[]);
        let tries = AtomicU32::new(0);
        let helping = async {
            settle().await;
            house.worker(1, 1, move |_| match tries.fetch_add(1, Ordering::Relaxed) {
                0 => Reply::Failure(CallError::new(ErrorKind::Internal, "broken")),
                _ => Reply::Parts(vec![done()]),
            })
        };
        let (answers, _) = join(join(ask(), ask()), helping).await;
        assert_eq!((answers.0.status, answers.1.status), (500, 200));
    });
}
