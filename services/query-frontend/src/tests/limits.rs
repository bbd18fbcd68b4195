//! Limits as clients meet them: their texts, and what is cut instead of refused.

use larch_limits::{BlockedQuery, LimitsSettings};
use larch_proto::{Question, ResultPart, SampleSeries};
use larch_types::{Span, Timestamp};

use super::answers::pairs;
use super::house::{House, Reply, Wanted, done, in_house, in_plain_house, nothing};

const RANGE: &str = "/loki/api/v1/query_range";
const INSTANT: &str = "/loki/api/v1/query";
const LOGS: &str = r#"{app="x"}"#;
const RATE: &str = r#"rate({app="x"}[2h])"#;

fn with_limits(limits: LimitsSettings, test: impl AsyncFnOnce(House)) {
    in_house(Wanted { limits, ..Wanted::default() }, test);
}

#[track_caller]
fn check_refused(limits: LimitsSettings, parameters: &[(&str, &str)], status: u16, text: &str) {
    with_limits(limits, async |house| {
        let answer = house.get(RANGE, parameters).await;
        assert_eq!((answer.status, answer.text()), (status, text));
    });
}

#[test]
fn texts() {
    let days = [("query", LOGS), ("start", "0"), ("end", "2678400"), ("step", "1h")];
    let text = "the query time range exceeds the limit (query length: 744h0m0s, limit: 30d1h)";
    check_refused(LimitsSettings::default(), &days, 400, text);
    let range = LimitsSettings { max_query_range: Span::from_hours(1), ..LimitsSettings::default() };
    check_refused(range, &[("query", RATE)], 400, "[interval] value exceeds limit: [2h] > [1h]");
    let matchers = LimitsSettings { max_streams_matchers_per_query: 1, ..LimitsSettings::default() };
    let text = "max streams matchers per query exceeded, matchers-count > limit (2 > 1)";
    check_refused(matchers, &[("query", r#"{a="1", b="2"}"#)], 400, text);
    let required = LimitsSettings { required_labels: vec!["env".to_owned()], ..LimitsSettings::default() };
    let text = "stream selector is missing required matchers [env], labels present in the query were [app]";
    check_refused(required, &[("query", RATE)], 400, text);
    let few = LimitsSettings { minimum_labels_number: 2, ..LimitsSettings::default() };
    let text = "stream selector has less label matchers than required: (present: [app], number_present: 1, \
                required_number_label_matchers: 2)";
    check_refused(few, &[("query", LOGS)], 400, text);
    let internal = [("query", r#"{__pattern__="x"}"#)];
    let text = "internal streams can only be queried from Logs Drilldown";
    check_refused(LimitsSettings::default(), &internal, 400, text);
    let disabled = LimitsSettings { max_query_parallelism: 0, ..LimitsSettings::default() };
    let text = "querying is disabled, please contact your Loki operator";
    check_refused(disabled, &[("query", LOGS)], 429, text);
}

#[test]
fn blocked_queries_are_counted() {
    let blocked_queries = vec![BlockedQuery::default()];
    with_limits(LimitsSettings { blocked_queries, ..LimitsSettings::default() }, async |house| {
        let answer = house.get(RANGE, &[("query", LOGS)]).await;
        assert_eq!((answer.status, answer.text()), (400, "query blocked by policy"));
        assert_eq!(house.metric("loki_blocked_queries{"), ["loki_blocked_queries{user=\"acme\"} 1"]);
        house.worker(1, 1, nothing);
        assert_eq!(house.get("/loki/api/v1/labels", &[]).await.status, 200, "not of metadata");
    });
}

#[test]
fn what_is_too_old_is_cut_or_empty() {
    let limits = LimitsSettings { max_query_lookback: Span::from_hours(1), ..LimitsSettings::default() };
    with_limits(limits, async |house| {
        let worker = house.worker(1, 1, nothing);
        let now = house.world.env.clock.now();
        let seconds = |back: i64| (now.nanos() / 1_000_000_000 - back).to_string();
        let (old, older) = (seconds(7200), seconds(9000));
        for (path, query, want) in [
            (RANGE, LOGS, "\"streams\",\"result\":[]"),
            (RANGE, RATE, "\"matrix\",\"result\":[]"),
            (INSTANT, RATE, "\"vector\",\"result\":[]"),
            ("/loki/api/v1/labels", LOGS, "{\"status\":\"success\"}"),
            ("/loki/api/v1/series", LOGS, "\"data\":[]"),
            ("/loki/api/v1/index/stats", LOGS, "\"entries\":0"),
            ("/loki/api/v1/index/volume", LOGS, "\"result\":[]"),
            ("/loki/api/v1/patterns", LOGS, "\"data\":[]"),
            ("/loki/api/v1/detected_labels", LOGS, "{}"),
            ("/loki/api/v1/detected_fields", LOGS, "{}"),
        ] {
            let bounds = [("query", query), ("start", &older), ("end", &old), ("time", &old)];
            let answer = house.get(path, &bounds).await;
            assert_eq!(answer.status, 200);
            assert!(answer.text().contains(want), "{path}: {}", answer.text());
        }
        assert!(worker.pieces().is_empty());
        house.get(RANGE, &[("query", LOGS), ("start", &older)]).await;
        assert_eq!(worker.pieces()[0].start, now.minus(Span::from_hours(1)));
    });
}

fn many_series(count: usize) -> Vec<ResultPart> {
    let one = |number: usize| SampleSeries {
        labels: pairs(&[("n", &format!("{number:04}"))]),
        steps: vec![0],
        values: vec![1.0],
        remainders: Vec::new(),
    };
    vec![ResultPart::Samples((0..count).map(one).collect()), done()]
}

#[test]
fn too_many_series() {
    let limits = LimitsSettings { max_query_series: 3, ..LimitsSettings::default() };
    with_limits(limits, async |house| {
        let worker = house.worker(1, 1, |_| Reply::Parts(many_series(4)));
        for path in [RANGE, INSTANT] {
            let answer = house.get(path, &[("query", RATE)]).await;
            let text = "maximum number of series (3) reached for a single query; consider reducing query \
                        cardinality by adding more specific stream selectors, reducing the time range, or \
                        aggregating results with functions like sum(), count() or topk()";
            assert_eq!((answer.status, answer.text()), (400, text));
            let headers = [("x-query-tags", "Source=grafana-lokiexplore-app")];
            let answer = house.get_as("acme", path, &[("query", RATE)], &headers).await.json();
            let shown = answer["data"]["result"].as_array().unwrap();
            assert_eq!((shown.len(), &shown[2]["metric"]["n"]), (3, &"0002".into()));
            let text = "maximum number of series (3) reached for a single query; returning partial results";
            assert_eq!(answer["warnings"], serde_json::json!([text]));
        }
        let asked: Vec<u64> = worker.pieces().iter().map(|piece| piece.max_series).collect();
        assert_eq!(asked, [3, 0, 3, 0]);
    });
}

#[test]
fn several_tenants_have_the_tightest_limits() {
    let limits = LimitsSettings { max_entries_limit_per_query: 10, ..LimitsSettings::default() };
    with_limits(limits, async |house| {
        let answer = house.get_as("a|b", RANGE, &[("query", LOGS), ("limit", "11")], &[]).await;
        assert!(answer.text().ends_with("(11 > 10)"), "{}", answer.text());
    });
}

#[test]
fn answers_are_bounded_in_memory() {
    in_plain_house(async |house| {
        let worker = house.worker(1, 1, |_| {
            // Half a gigabyte that is one megabyte, shared.
            let line = bytes::Bytes::from(vec![b'x'; 1 << 20]);
            let entry = |number: i64| larch_proto::ResultEntry {
                stream: 0,
                labels: 0,
                timestamp: Timestamp::from_nanos(number),
                line: line.clone(),
            };
            let labels = vec![larch_proto::ResultLabels::default()];
            let batch = larch_proto::EntryBatch {
                streams: Vec::new(),
                labels,
                entries: (0..65).map(entry).collect(),
            };
            let mut parts = vec![ResultPart::Entries(batch); 16];
            parts.push(done());
            Reply::Parts(parts)
        });
        let answer = house.get(RANGE, &[("query", LOGS), ("limit", "5000")]).await;
        assert_eq!(answer.status, 400);
        assert!(answer.text().starts_with("the query needs more memory than a single query may use"));
        super::house::settle().await;
        assert_eq!(worker.seen(|seen| seen.wanted.clone()), [false], "the worker is told to stop");
    });
}

#[test]
fn volumes_have_a_limit_of_their_own() {
    let limits = LimitsSettings { volume_max_series: 7, ..LimitsSettings::default() };
    with_limits(limits, async |house| {
        let worker = house.worker(1, 1, nothing);
        house.get("/loki/api/v1/index/volume", &[("query", "{}")]).await;
        let piece = worker.pieces().remove(0);
        assert!(matches!(piece.question, Question::Volume { .. }));
        assert_eq!(piece.max_series, 7);
    });
}
