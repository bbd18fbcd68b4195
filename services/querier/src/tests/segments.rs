//! Rows of stored segments: wherever rows are, the answer is the same; what cannot be read fails it.

use std::collections::BTreeMap;

use bytes::Bytes;
use larch_limits::LimitsSettings;
use larch_proto::{Direction, LabelsQuery, Piece, Question, ResultPart, TieOrder, Tombstone};
use larch_types::{ByteSize, ErrorKind, PushStamp, Span, StreamShard, Timestamp, TombstoneId};
use proptest::prelude::*;

use super::fakes::{FakeIngester, Reported, Stored};
use super::planner::build;
use super::setting::{Setting, piece, selector};
use crate::role::Config;

const LABELS: [&str; 4] =
    [r#"{app="a", env="prod"}"#, r#"{app="a", env="dev"}"#, r#"{app="b"}"#, r#"{app="c", service_name="c"}"#];

fn logs(query: &str, direction: Direction, limit: u64) -> Question {
    Question::Logs { query: query.to_owned(), direction, limit }
}

fn metric(query: &str) -> Question {
    let (start, end) = (Timestamp::from_secs(5), Timestamp::from_secs(45));
    Question::Metric { query: query.to_owned(), start, end, step: Span::from_secs(10) }
}

/// A row, and who holds it: bits 0 and 1 are ingesters, 2 to 4 segments.
#[derive(Debug, Clone)]
struct Held {
    row: Stored,
    holders: u8,
    /// One of the holders has it from a retry of the push, which came later.
    retried_at: Option<u8>,
}

fn held_row() -> impl Strategy<Value = (usize, i64, u8, u8, Option<u8>)> {
    (0..LABELS.len(), 0..40_i64, 0..12_u8, 1..32_u8, prop::option::of(0..5_u8))
}

fn held_rows(given: Vec<(usize, i64, u8, u8, Option<u8>)>) -> Vec<Held> {
    let mut rows: BTreeMap<(usize, i64, u8), Held> = BTreeMap::new();
    for (number, (stream, second, text, holders, retried_at)) in given.into_iter().enumerate() {
        let line = format!("line {text} of error {}", text % 3);
        let mut row = Stored::new("t", LABELS[stream], second, &line);
        if text % 4 == 1 {
            row.metadata = vec![("trace".to_owned(), format!("{text:04x}"))];
        }
        row.level = ["info", "error"].get(usize::from(text % 3)).copied();
        // Pushes in any order, each with some rows.
        let stamp = PushStamp(u128::from((number as u64 * 7919) % 13));
        row.tie = TieOrder { stamp, index: number as u32 };
        rows.entry((stream, second, text)).or_insert(Held { row, holders, retried_at });
    }
    rows.into_values().collect()
}

/// The rows of one holder as that one has them.
fn rows_of(rows: &[Held], holder: u8) -> Vec<Stored> {
    let mut held = Vec::new();
    for one in rows.iter().filter(|one| one.holders & (1 << holder) != 0) {
        let mut row = one.row.clone();
        if one.retried_at == Some(holder) && one.holders.count_ones() > 1 {
            row.tie.stamp = PushStamp(row.tie.stamp.0 + 100);
        }
        held.push(row);
    }
    held
}

fn questions() -> Vec<Question> {
    let any = r#"{app=~".+"}"#;
    vec![
        logs(any, Direction::Forward, 1000),
        logs(any, Direction::Backward, 1000),
        logs(any, Direction::Forward, 7),
        logs(any, Direction::Backward, 7),
        logs(r#"{app="a"} |= "line 1" |= "error""#, Direction::Backward, 5),
        logs(r#"{app=~".+"} |~ "(?i)LINE 2|Line 3""#, Direction::Forward, 1000),
        logs(r#"{app="b"} |= "nowhere""#, Direction::Forward, 10),
        logs(r#"{app="a"} | trace != """#, Direction::Backward, 10),
        logs(r#"{env="prod"} | detected_level="error""#, Direction::Forward, 10),
        metric(r#"sum by (app) (count_over_time({app=~".+"}[10s]))"#),
        metric(r#"first_over_time({app="a"} | regexp "line (?P<n>\\d+)" | unwrap n [10s]) by (app)"#),
        metric(r#"sum(bytes_over_time({app="a"} |= "line 1" [20s]))"#),
        metric(r#"rate({app=~".+"} |~ "(?i)LINE" != "line 2" [15s])"#),
        metric(r#"sum by (trace) (count_over_time({app=~".+"} | trace != "" [7s]))"#),
        metric(r#"avg_over_time({app="a"} | pattern "line <n> <_>" | unwrap n [30s]) by (env)"#),
        metric(r#"count_over_time({app="a"}[10s]) / count_over_time({app="a"} |= "line" [20s])"#),
        metric(r#"absent_over_time({app="a"} |= "nowhere" [10s])"#),
        Question::Labels { query: LabelsQuery::Names, any_of: Vec::new() },
        Question::Labels { query: LabelsQuery::Series, any_of: vec![selector(r#"{app="a"}"#)] },
        Question::Volume {
            any_of: vec![selector(r#"{app=~".+"}"#)],
            target_labels: Vec::new(),
            by_label_names: false,
            step: Span::ZERO,
        },
    ]
}

fn pieces() -> Vec<Piece> {
    let mut pieces = Vec::new();
    for question in questions() {
        let is_labels = matches!(question, Question::Labels { .. });
        let whole = piece(pieces.len() as u64, &["t"], question);
        if !is_labels {
            let mut part = Piece { id: larch_proto::PieceId(1000 + pieces.len() as u64), ..whole.clone() };
            (part.start, part.end) = (Timestamp::from_secs(11), Timestamp::from_secs(23));
            part.shard = StreamShard::new(1, 2);
            pieces.push(part);
        }
        pieces.push(whole);
    }
    pieces
}

/// The parts, with those of a list of entries together.
async fn parts(setting: &Setting, piece: Piece) -> Vec<ResultPart> {
    let (parts, end) = setting.ask(piece).await;
    end.expect("an answer");
    parts
}

async fn check(rows: Vec<Held>) {
    let ingesters = vec![FakeIngester::new(1, rows_of(&rows, 0)), FakeIngester::new(2, rows_of(&rows, 1))];
    let split = Setting::new(ingesters);
    for holder in 2..5 {
        let of_segment = rows_of(&rows, holder);
        if !of_segment.is_empty() {
            split.planner.announce(u128::from(holder), &of_segment).await;
        }
    }
    split.start();
    let together = Setting::new(vec![FakeIngester::new(1, rows.iter().map(|one| one.row.clone()).collect())]);
    together.start();
    for piece in pieces() {
        let want = parts(&together, piece.clone()).await;
        let found = parts(&split, piece.clone()).await;
        assert_eq!(found, want, "{:?}", piece.question);
        // Once more, from the cache.
        assert_eq!(parts(&split, piece.clone()).await, want, "{:?}", piece.question);
    }
    split.stop().await;
    together.stop().await;
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    #[test]
    fn answers_do_not_depend_on_where_rows_are(given in prop::collection::vec(held_row(), 1..120)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(check(held_rows(given)));
    }
}

fn rows(count: i64) -> Vec<Stored> {
    let mut rows = Vec::new();
    for number in 0..count {
        let labels = LABELS[number as usize % LABELS.len()];
        let mut row = Stored::new("t", labels, number / 2, &format!("line {number}"));
        row.tie = TieOrder { stamp: PushStamp(number as u128), index: 0 };
        rows.push(row);
    }
    rows
}

async fn failure(setting: &Setting, piece: Piece) -> (ErrorKind, String) {
    let error = setting.ask(piece).await.1.expect_err("it fails");
    (error.kind(), error.text().to_owned())
}

fn count(end: &Reported) -> usize {
    let entries = |part: &ResultPart| match part {
        ResultPart::Entries(batch) => batch.entries.len(),
        other => panic!("{other:?}"),
    };
    end.0.iter().map(entries).sum()
}

#[tokio::test]
async fn what_reading_costs_is_told() {
    let setting = Setting::new(vec![FakeIngester::new(1, rows(10))]);
    setting.planner.announce(1, &rows(100)).await;
    setting.start();
    let question = || logs(r#"{app=~".+"}"#, Direction::Forward, 1000);
    let first = setting.ask(piece(1, &["t"], question())).await;
    assert_eq!(count(&first), 100);
    let cold = first.1.unwrap().statistics;
    assert_eq!((cold.segments_planned, cold.chunks_planned, cold.chunks_read), (1, 1, 1));
    assert_eq!((cold.rows, cold.duplicate_rows, cold.ingester_rows), (100, 10, 10));
    // Times and lines, and stamps, as the ingester has rows of these streams and times; no row has metadata, and
    // all levels are unknown.
    assert_eq!((cold.pages_read, cold.pages_from_cache), (3, 0));
    assert!(cold.page_bytes > 0 && cold.decompressed_bytes > 0);
    let warm = setting.ask(piece(2, &["t"], question())).await.1.unwrap().statistics;
    assert_eq!((warm.pages_read, warm.pages_from_cache), (3, 3));
    assert_eq!((warm.page_bytes, warm.page_bytes_from_cache), (cold.page_bytes, cold.page_bytes));
    setting.stop().await;
}

/// Who wants few rows leaves most chunks where they are.
#[tokio::test]
async fn few_chunks_are_read_for_few_rows() {
    let setting = Setting::new(vec![FakeIngester::new(1, Vec::new())]);
    for segment in 0..60 {
        let mut of_segment = rows(50);
        for row in &mut of_segment {
            row.timestamp = Timestamp::from_secs(row.timestamp.nanos() / 1_000_000_000 + segment * 100);
        }
        setting.planner.announce(segment as u128 + 1, &of_segment).await;
    }
    setting.start();
    for direction in [Direction::Forward, Direction::Backward] {
        let question = logs(r#"{app=~".+"}"#, direction, 3);
        let found = setting.ask(piece(1, &["t"], question)).await;
        assert_eq!(count(&found), 3);
        let statistics = found.1.unwrap().statistics;
        assert_eq!(statistics.chunks_planned, 60);
        assert!(statistics.chunks_read < 30, "{}", statistics.chunks_read);
    }
    setting.stop().await;
}

#[tokio::test]
async fn chunks_are_limited_in_number() {
    for (limit, refusal) in
        [(0, None), (3, None), (2, Some("the query hit the max number of chunks limit (limit: 2 chunks)"))]
    {
        let limits = LimitsSettings { max_chunks_per_query: limit, ..LimitsSettings::default() };
        let setting = Setting::with(vec![FakeIngester::new(1, Vec::new())], Config::default(), limits);
        for segment in 1..=3 {
            setting.planner.announce(segment, &rows(10)).await;
        }
        setting.start();
        let question = logs(r#"{app=~".+"}"#, Direction::Forward, 1);
        let end = setting.ask(piece(1, &["t"], question)).await.1;
        let refused = end.err().map(|error| (error.kind(), error.text().to_owned()));
        assert_eq!(refused, refusal.map(|text| (ErrorKind::Invalid, text.to_owned())), "{limit}");
        setting.stop().await;
    }
}

#[tokio::test]
async fn what_ingesters_handed_over_is_planned() {
    let setting = Setting::new(Vec::new());
    let entry = setting.planner.write(5, &rows(10)).await;
    let mut ingester = FakeIngester::new(1, Vec::new());
    ingester.handed_over = vec![entry.clone()];
    let mut setting = setting;
    setting.add_ingester(std::sync::Arc::new(ingester));
    setting.start();
    let found = setting.ask(piece(1, &["t"], logs(r#"{app=~".+"}"#, Direction::Forward, 100))).await;
    assert_eq!(count(&found), 10);
    let labels = Question::Labels { query: LabelsQuery::Names, any_of: Vec::new() };
    let (parts, end) = setting.ask(piece(2, &["t"], labels)).await;
    end.unwrap();
    let [ResultPart::Texts(batch)] = parts.as_slice() else { panic!("{parts:?}") };
    assert_eq!(batch.texts, ["app", "env", "service_name"]);
    // What lies beside the range is not told.
    let mut early = piece(3, &["t"], logs(r#"{app=~".+"}"#, Direction::Forward, 100));
    (early.start, early.end) = (Timestamp::from_secs(-10), Timestamp::from_secs(0));
    assert_eq!(count(&setting.ask(early).await), 0);
    let scopes = setting.planner.scopes.lock().unwrap().clone();
    let announced: Vec<usize> = scopes.iter().map(|scope| scope.announced.len()).collect();
    assert_eq!(announced, [1, 1, 0]);
    setting.stop().await;
}

/// A segment that others have replaced is found by planning again; one that is just gone fails the query.
#[tokio::test]
async fn missing_objects() {
    let setting = Setting::new(vec![FakeIngester::new(1, Vec::new())]);
    let gone = setting.planner.announce(1, &rows(10)).await;
    let fresh = setting.planner.write(2, &rows(10)).await;
    setting.planner.replace("t", &gone, None).await;
    setting.start();
    let question = || logs(r#"{app=~".+"}"#, Direction::Backward, 100);
    let (kind, text) = failure(&setting, piece(1, &["t"], question())).await;
    assert_eq!(kind, ErrorKind::Unavailable);
    assert!(text.starts_with("a segment that the catalog names cannot be found: "), "{text}");
    let tenant = "t".parse().unwrap();
    *setting.planner.fresh.lock().unwrap() = Some(BTreeMap::from([(tenant, vec![fresh])]));
    assert_eq!(count(&setting.ask(piece(2, &["t"], question())).await), 10);
    let ages: Vec<bool> =
        setting.planner.scopes.lock().unwrap().iter().map(|scope| scope.max_view_age.is_zero()).collect();
    assert_eq!(ages, [false, true, false, true]);
    setting.stop().await;
}

/// The footer is in the cache, and the object is gone.
#[tokio::test]
async fn missing_pages() {
    let setting = Setting::new(vec![FakeIngester::new(1, Vec::new())]);
    let gone = setting.planner.announce(1, &rows(10)).await;
    setting.start();
    let series = Question::Labels { query: LabelsQuery::Series, any_of: Vec::new() };
    setting.ask(piece(1, &["t"], series)).await.1.unwrap();
    setting.planner.replace("t", &gone, None).await;
    for question in [logs(r#"{app=~".+"}"#, Direction::Forward, 1), metric(r#"rate({app="a"}[1h])"#)] {
        let (kind, text) = failure(&setting, piece(2, &["t"], question)).await;
        assert_eq!(kind, ErrorKind::Unavailable);
        assert!(text.contains("cannot be found: get range of t/seg/wide/"), "{text}");
    }
    setting.stop().await;
}

#[tokio::test]
async fn corrupt_objects_fail_the_query() {
    let mut tied = rows(40);
    for row in &mut tied {
        row.metadata = vec![("k".to_owned(), row.tie.stamp.0.to_string())];
        row.level = Some("info");
        row.timestamp = Timestamp::from_secs(row.timestamp.nanos() / 10_000_000_000);
    }
    let (bytes, entry) = build(1, &tied);
    for at in 0..bytes.len() {
        if at % 3 != 0 && at > 300 {
            continue;
        }
        let setting = Setting::new(vec![FakeIngester::new(1, Vec::new())]);
        let mut flipped = bytes.to_vec();
        flipped[at] ^= 1 << (at % 8);
        setting.planner.replace("t", &entry, Some(Bytes::from(flipped))).await;
        setting.planner.live.lock().unwrap().insert("t".parse().unwrap(), vec![entry.clone()]);
        setting.start();
        let question = || logs(r#"{app=~".+"}"#, Direction::Forward, 100);
        let answer = setting.ask(piece(1, &["t"], question())).await;
        match &answer.1 {
            // A byte that this query need not read.
            Ok(_) => assert_eq!(count(&answer), 40, "flip at {at}"),
            Err(error) => {
                let kinds = [ErrorKind::Corrupt, ErrorKind::Unprocessable];
                assert!(kinds.contains(&error.kind()), "flip at {at}: {error}");
                // Nothing wrong is kept: once the object is right, so is the answer.
                setting.planner.replace("t", &entry, Some(bytes.clone())).await;
                let right = setting.ask(piece(2, &["t"], question())).await;
                assert_eq!(count(&right), 40, "flip at {at}");
            }
        }
        setting.stop().await;
    }
}

#[tokio::test]
async fn deletes_are_not_overlooked() {
    let setting = Setting::new(vec![FakeIngester::new(1, rows(10))]);
    let delete = Tombstone {
        id: TombstoneId::from_u128(1),
        query: r#"{app="a"}"#.to_owned(),
        start: Timestamp::EPOCH,
        end: Timestamp::from_secs(100),
    };
    *setting.planner.tombstones.lock().unwrap() = vec![delete];
    setting.start();
    let labels = Question::Labels { query: LabelsQuery::Names, any_of: Vec::new() };
    for question in [logs(r#"{app="b"}"#, Direction::Forward, 1), labels] {
        let (kind, text) = failure(&setting, piece(1, &["t"], question)).await;
        assert_eq!(kind, ErrorKind::Unavailable);
        assert!(text.ends_with("which this querier cannot"), "{text}");
    }
    setting.stop().await;
}

#[tokio::test]
async fn rows_of_segments_count_for_the_bound_of_memory() {
    let mut config = Config::default();
    config.querier.engine.max_memory = ByteSize::kib(8);
    let setting = Setting::with(vec![FakeIngester::new(1, Vec::new())], config, LimitsSettings::default());
    setting.planner.announce(1, &rows(2000)).await;
    setting.start();
    let (kind, text) =
        failure(&setting, piece(1, &["t"], logs(r#"{app=~".+"}"#, Direction::Forward, 1))).await;
    assert_eq!(kind, ErrorKind::Invalid);
    assert!(text.starts_with("the query needs more memory than a single query may use"), "{text}");
    setting.stop().await;
}
