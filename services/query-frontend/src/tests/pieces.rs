//! What becomes of a request until a worker sees it.

use larch_proto::{Direction, LabelsQuery, Piece, Question};
use larch_types::{Span, Timestamp};

use super::house::{Wanted, in_house, in_plain_house, nothing};

const RANGE: &str = "/loki/api/v1/query_range";
const INSTANT: &str = "/loki/api/v1/query";
const SECOND: i64 = 1_000_000_000;

/// The piece that a request of some tenants becomes.
#[track_caller]
fn piece_of(
    wanted: Wanted,
    tenants: &str,
    path: &str,
    parameters: &[(&str, &str)],
    check: impl FnOnce(Piece),
) {
    in_house(wanted, async |house| {
        let worker = house.worker(1, 1, nothing);
        let answer = house.get_as(tenants, path, parameters, &[]).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        let mut pieces = worker.pieces();
        assert_eq!(pieces.len(), 1);
        check(pieces.remove(0));
    });
}

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_secs(seconds)
}

#[test]
fn log_queries() {
    let query = r#"{app="x"}   |= "y""#;
    let parameters =
        [("query", query), ("start", "100"), ("end", "200"), ("direction", "forward"), ("limit", "7")];
    piece_of(Wanted::default(), "acme", RANGE, &parameters, |piece| {
        let question = Question::Logs { query: query.to_owned(), direction: Direction::Forward, limit: 7 };
        assert_eq!((piece.question, piece.start, piece.end), (question, at(100), at(200)));
        assert_eq!((piece.tenants.len(), piece.tenants[0].tenant.as_str()), (1, "acme"));
        assert_eq!((piece.max_series, piece.max_bytes, piece.shard), (0, 150 << 30, None));
        assert_eq!((piece.time_left, piece.no_cache), (std::time::Duration::from_secs(60), false));
    });
    // The newest rows of the hour before, whatever the direction.
    let parameters = [("query", query), ("time", "7200"), ("direction", "forward"), ("limit", "7")];
    piece_of(Wanted::default(), "acme", INSTANT, &parameters, |piece| {
        let question = Question::Logs { query: query.to_owned(), direction: Direction::Backward, limit: 7 };
        assert_eq!((piece.question, piece.start, piece.end), (question, at(3600), at(7200)));
    });
    let parameters = [("query", query), ("interval", "5s"), ("limit", "7")];
    piece_of(Wanted::default(), "acme", RANGE, &parameters, |piece| {
        let Question::Logs { limit, .. } = piece.question else { panic!("no log question") };
        assert_eq!(limit, u64::from(u32::MAX), "which rows are left out is not known before they are seen");
    });
}

#[track_caller]
fn check_steps(wanted: Wanted, step: &str, (start, end): (&str, &str), first: i64, last: i64) {
    let query = r#"sum(rate({app="x"}[2m] offset 30s))"#;
    let parameters = [("query", query), ("start", start), ("end", end), ("step", step)];
    piece_of(wanted, "acme", RANGE, &parameters, |piece| {
        let Question::Metric { start, end, .. } = piece.question else { panic!("no metric question") };
        assert_eq!((start, end), (Timestamp::from_millis(first), Timestamp::from_millis(last)));
        let nanos = Span::from_nanos(1);
        let rows =
            (start.minus(Span::from_secs(150)).plus(nanos), end.minus(Span::from_secs(30)).plus(nanos));
        assert_eq!((piece.start, piece.end), rows);
        assert_eq!(piece.max_series, 500);
    });
}

#[test]
fn metric_queries_are_aligned_to_their_steps() {
    check_steps(Wanted::default(), "60", ("1000.5", "1100"), 960_000, 1_140_000);
    check_steps(Wanted::default(), "60", ("960", "1140"), 960_000, 1_140_000);
    check_steps(Wanted::default(), "0.5", ("1000.3", "1000.4"), 1_000_000, 1_000_500);
    let unsplit = || {
        let mut wanted = Wanted::default();
        wanted.limits.split_queries_by_interval = Span::ZERO;
        wanted
    };
    check_steps(unsplit(), "60", ("1000.5", "1100"), 1_000_500, 1_100_000);
    let mut aligned = unsplit();
    aligned.config.query_range.align_queries_with_step = true;
    check_steps(aligned, "60", ("1000.5", "1100"), 960_000, 1_140_000);
}

#[test]
fn instant_queries_are_not_aligned() {
    let parameters = [("query", r#"rate({app="x"}[1m])"#), ("time", "1000.5")];
    piece_of(Wanted::default(), "acme", INSTANT, &parameters, |piece| {
        let time = Timestamp::from_millis(1_000_500);
        let Question::Metric { start, end, step, .. } = piece.question else { panic!("no metric question") };
        assert_eq!((start, end, step), (time, time, Span::ZERO));
        assert_eq!(piece.end, Timestamp::from_nanos(1_000_500_000_001));
    });
}

#[test]
fn selectors_and_ranges_of_labels() {
    let parameters = [("query", r#"{app=~"x.*"}"#), ("start", "100"), ("end", "200")];
    piece_of(Wanted::default(), "acme", "/loki/api/v1/label/env/values", &parameters, |piece| {
        let Question::Labels { query, any_of } = piece.question else { panic!("no question about labels") };
        assert_eq!((query, any_of.len()), (LabelsQuery::Values("env".to_owned()), 1));
        assert_eq!((piece.start.nanos(), piece.end.nanos()), (100 * SECOND, 200 * SECOND));
    });
    let parameters = [("query", "{}"), ("targetLabels", "a,b"), ("aggregateBy", "labels"), ("step", "10")];
    piece_of(Wanted::default(), "acme", "/loki/api/v1/index/volume_range", &parameters, |piece| {
        let Question::Volume { any_of, target_labels, by_label_names, step } = piece.question else {
            panic!("no question about volumes")
        };
        assert_eq!((any_of[0].matchers.len(), target_labels.len(), by_label_names), (0, 2, true));
        assert_eq!((step, piece.max_series), (Span::from_secs(10), 1000));
    });
}

/// Tenants with a star may not be seen.
fn tenants_of(piece: &Piece) -> Vec<String> {
    let name = |tenant: &larch_proto::PieceTenant| match &tenant.policy {
        None => tenant.tenant.to_string(),
        Some(policy) => {
            assert!(policy.any_of.is_empty());
            format!("{}*", tenant.tenant)
        }
    };
    piece.tenants.iter().map(name).collect()
}

#[test]
fn reads_of_several_tenants() {
    for (query, tenants, stored) in [
        (r#"{app="x"}"#, &["a", "b", "c"][..], r#"{app="x"}"#),
        (r#"{app="x", __tenant_id__=~"a|b"}"#, &["a", "b"], r#"{app="x"}"#),
        (r#"{app="x", __tenant_id__="b"}"#, &["b", "a*"], r#"{app="x"}"#),
        (r#"{original___tenant_id__="x"}"#, &["a", "b", "c"], r#"{__tenant_id__="x"}"#),
    ] {
        piece_of(Wanted::default(), "c|a|b|a", RANGE, &[("query", query)], |piece| {
            assert_eq!(tenants_of(&piece), tenants);
            let Question::Logs { query, .. } = piece.question else { panic!("no log question") };
            assert_eq!(query, stored);
        });
    }
    let matches = [("match[]", r#"{app="x", __tenant_id__="b"}"#)];
    piece_of(Wanted::default(), "a|b", "/loki/api/v1/series", &matches, |piece| {
        assert_eq!(tenants_of(&piece), ["b", "a*"]);
        let Question::Labels { any_of, .. } = piece.question else { panic!("no question about labels") };
        assert_eq!(any_of[0].matchers.len(), 1);
    });
}

#[test]
fn tenants_that_are_not_asked_for_answer_nothing() {
    in_plain_house(async |house| {
        for (path, query, want) in [
            (RANGE, r#"{app="x", __tenant_id__="z"}"#, "\"streams\",\"result\":[]"),
            (RANGE, r#"rate({app="x", __tenant_id__="z"}[1m])"#, "\"matrix\",\"result\":[]"),
            (INSTANT, r#"rate({app="x", __tenant_id__="z"}[1m])"#, "\"vector\",\"result\":[]"),
            ("/loki/api/v1/labels", r#"{app="x", __tenant_id__="z"}"#, "{\"status\":\"success\"}"),
        ] {
            let answer = house.get_as("a|b", path, &[("query", query)], &[]).await;
            assert_eq!(answer.status, 200);
            assert!(answer.text().contains(want), "{}", answer.text());
        }
        for tenants in ["b|a", "a|b"] {
            let values = house.get_as(tenants, "/loki/api/v1/label/__tenant_id__/values", &[], &[]).await;
            assert_eq!(values.text(), "{\"status\":\"success\",\"data\":[\"a\",\"b\"]}\n");
        }
        let one = house.get("/loki/api/v1/label/__tenant_id__/values", &[]).await;
        assert_eq!(one.text(), "{\"status\":\"success\",\"data\":[\"acme\"]}\n");
    });
}

#[test]
fn an_empty_range_needs_nobody() {
    in_plain_house(async |house| {
        let bounds = [("query", r#"{app="x"}"#), ("start", "100"), ("end", "100")];
        let answer = house.get(RANGE, &bounds).await;
        assert!(answer.text().contains("\"streams\",\"result\":[]"), "{}", answer.text());
    });
}
