//! What fails a piece, and with which words.

use larch_limits::LimitsSettings;
use larch_proto::{Direction, Partition, Piece, Question, SegmentEntry};
use larch_rpc::CallError;
use larch_types::{ByteSize, ErrorKind, NodeId, SegmentId, Span, Timestamp};

use super::fakes::{FakeIngester, Stored};
use larch_membership::Part;

use super::setting::{PLANNER, Setting, piece};
use crate::role::Config;

fn logs(query: &str) -> Question {
    Question::Logs { query: query.to_owned(), direction: Direction::Forward, limit: 1000 }
}

fn metric(query: &str) -> Question {
    let time = Timestamp::from_secs(100);
    Question::Metric { query: query.to_owned(), start: time, end: time, step: Span::ZERO }
}

/// Forty rows of forty streams.
fn rows() -> Vec<Stored> {
    let row = |number: i64| {
        Stored::new(
            "t",
            &format!(r#"{{app="{number}"}}"#),
            number,
            &format!("a line of 24 bytes n {number:03}"),
        )
    };
    (0..40).map(row).collect()
}

async fn failure(setting: &Setting, piece: Piece) -> (ErrorKind, String) {
    let error = setting.ask(piece).await.1.expect_err("it fails");
    (error.kind(), error.text().to_owned())
}

#[tokio::test]
async fn bounds_of_the_piece() {
    let mut config = Config::default();
    config.querier.engine.max_memory = ByteSize::kib(6);
    let limits = LimitsSettings { max_query_range: Span::from_mins(5), ..LimitsSettings::default() };
    let setting = Setting::with(vec![FakeIngester::new(1, rows())], config, limits);
    setting.start();
    let mut large = piece(1, &["t"], logs(r#"{app=~".+"} != "x""#));
    large.max_bytes = 100;
    assert_eq!(
        failure(&setting, large).await,
        (
            ErrorKind::Invalid,
            "query too large to execute on a single querier: (query: 120 B, limit: 100 B); consider adding more \
             specific stream selectors, reduce the time range of the query, or adjust parallelization settings"
                .to_owned()
        )
    );
    let mut wide = piece(2, &["t"], metric(r#"count_over_time({app=~"[0-7]"}[5m])"#));
    wide.max_series = 7;
    let (kind, text) = failure(&setting, wide).await;
    assert_eq!(kind, ErrorKind::Invalid);
    assert!(text.starts_with("maximum number of series (7) reached for a single query;"), "{text}");
    let (kind, text) =
        failure(&setting, piece(3, &["t"], metric(r#"count_over_time({app=~".+"}[5m])"#))).await;
    assert_eq!(kind, ErrorKind::Invalid);
    assert!(
        text.starts_with("the query needs more memory than a single query may use (limit: 6KB);"),
        "{text}"
    );
    let (_, text) = failure(&setting, piece(4, &["t"], metric(r#"rate({app="1"}[6m])"#))).await;
    assert_eq!(text, "[interval] value exceeds limit: [6m] > [5m]");
    let late = Piece { time_left: std::time::Duration::ZERO, ..piece(5, &["t"], logs(r#"{app="1"}"#)) };
    assert_eq!(failure(&setting, late).await, (ErrorKind::Timeout, "deadline exceeded".to_owned()));
    setting.stop().await;
}

#[tokio::test]
async fn queries_that_cannot_run() {
    let setting = Setting::new(vec![FakeIngester::new(1, rows())]);
    setting.start();
    for (question, start) in [
        (logs("{"), "parse error at line 1, col 2: syntax error: unexpected $end"),
        (logs(r#"rate({app="1"}[1m])"#), "only log selector is supported"),
        (logs(r#"{app="1"} | label_format a="{{" "#), "parse error : stage"),
        (metric(r#"{app="1"}"#), "a question about samples needs a metric query"),
        (
            metric(r#"sum_over_time({app=~".+"} | label_format v="x" | unwrap v [5m])"#),
            "pipeline error: 'SampleExtractionErr'",
        ),
    ] {
        let (kind, text) = failure(&setting, piece(1, &["t"], question)).await;
        assert_eq!(kind, ErrorKind::Invalid);
        assert!(text.starts_with(start), "{text}");
    }
    setting.stop().await;
}

/// Nothing that may be missing is left out without a word.
#[tokio::test]
async fn ingesters_that_do_not_answer() {
    let alone = Setting::new(Vec::new());
    alone.start();
    let (kind, text) = failure(&alone, piece(1, &["t"], logs(r#"{app="1"}"#))).await;
    assert_eq!((kind, text.as_str()), (ErrorKind::Unavailable, "empty ring: there is no ingester to ask"));
    // What reads nothing needs nobody.
    assert!(alone.ask(piece(2, &["t"], metric("vector(1)"))).await.1.is_ok());
    alone.stop().await;

    let mut config = Config::default();
    config.querier.query_store_only = true;
    let store_only = Setting::with(vec![FakeIngester::new(1, rows())], config, LimitsSettings::default());
    store_only.start();
    // Nothing is stored, and nobody else is asked.
    let (parts, end) = store_only.ask(piece(1, &["t"], logs(r#"{app="1"}"#))).await;
    assert!(parts.is_empty());
    assert_eq!(end.unwrap().statistics.ingesters_asked, 0);
    store_only.stop().await;

    let mut failing = FakeIngester::new(2, Vec::new());
    failing.fails = Some(CallError::new(ErrorKind::Unavailable, "still replaying"));
    let setting = Setting::new(vec![FakeIngester::new(1, rows()), failing]);
    setting.start();
    let (kind, text) = failure(&setting, piece(1, &["t"], logs(r#"{app="1"}"#))).await;
    assert_eq!((kind, text.as_str()), (ErrorKind::Unavailable, "still replaying"));
    setting.stop().await;
}

#[tokio::test]
async fn planners_that_do_not_answer() {
    let setting = Setting::new(vec![FakeIngester::new(1, rows())]);
    setting.members.leave(Part::Planner, PLANNER);
    setting.start();
    let (kind, text) = failure(&setting, piece(1, &["t"], logs(r#"{app="1"}"#))).await;
    assert_eq!(kind, ErrorKind::Unavailable);
    assert_eq!(text, "there is no index gateway to ask for stored segments");
    setting.stop().await;

    let mut config = Config::default();
    config.querier.query_ingester_only = true;
    let ingesters = Setting::with(vec![FakeIngester::new(1, rows())], config, LimitsSettings::default());
    ingesters.members.leave(Part::Planner, PLANNER);
    ingesters.start();
    assert!(ingesters.ask(piece(1, &["t"], logs(r#"{app="1"}"#))).await.1.is_ok());
    ingesters.stop().await;
}

#[tokio::test]
async fn segments_are_not_left_out() {
    let segment = SegmentEntry {
        id: SegmentId::new(1, 1),
        partition: Partition::Day(Timestamp::EPOCH.day()),
        first: Timestamp::from_secs(50),
        last: Timestamp::from_secs(60),
        rows: 1,
        raw_bytes: 1,
        uploader: NodeId::from_u128(1),
        object_bytes: 100,
        footer_offset: 0,
        footer_bytes: 100,
        embedded: None,
        label_summaries: Vec::new(),
        tombstones_applied: Vec::new(),
    };
    let mut ingester = FakeIngester::new(1, rows());
    ingester.handed_over = vec![segment];
    let setting = Setting::new(vec![ingester]);
    setting.start();
    let within = |id, start, end| {
        let (start, end) = (Timestamp::from_secs(start), Timestamp::from_secs(end));
        Piece { start, end, ..piece(id, &["t"], logs(r#"{app="1"}"#)) }
    };
    let (kind, text) = failure(&setting, within(1, 0, 51)).await;
    assert_eq!(kind, ErrorKind::Unavailable);
    assert!(text.starts_with("a segment that the catalog names cannot be found: "), "{text}");
    assert_eq!(failure(&setting, within(2, 60, 70)).await.0, ErrorKind::Unavailable);
    // It holds nothing of these ranges.
    assert!(setting.ask(within(3, 0, 50)).await.1.is_ok());
    assert!(setting.ask(within(4, 61, 70)).await.1.is_ok());
    setting.stop().await;
}

#[tokio::test]
async fn rows_out_of_order_are_noticed() {
    let mut ingester = FakeIngester::new(1, rows());
    ingester.turns_back = true;
    let setting = Setting::new(vec![ingester]);
    setting.start();
    let (kind, text) = failure(&setting, piece(1, &["t"], logs(r#"{app=~".+"} != "x""#))).await;
    assert_eq!((kind, text.as_str()), (ErrorKind::Internal, "an ingester sent rows out of order"));
    setting.stop().await;
}
