//! Rows that several ingesters hold count once, with the order of the first push.

use larch_proto::{Direction, PieceTenant, Question, ResultPart, TieOrder};
use larch_types::{PushStamp, StreamShard, Timestamp};

use super::fakes::{FakeIngester, Reported, Stored};
use super::setting::{Setting, piece, selector};

/// As `(second, line)`.
fn entries((parts, end): Reported) -> Vec<(i64, String)> {
    end.expect("an answer");
    let mut out = Vec::new();
    for part in parts {
        let ResultPart::Entries(batch) = part else { panic!("{part:?}") };
        for entry in batch.entries {
            let line = String::from_utf8(entry.line.to_vec()).unwrap();
            out.push((entry.timestamp.nanos() / 1_000_000_000, line));
        }
    }
    out
}

fn logs(query: &str, direction: Direction, limit: u64) -> Question {
    Question::Logs { query: query.to_owned(), direction, limit }
}

/// Twenty rows of two streams at ten times; stamps say the order of a time's rows.
fn rows() -> Vec<Stored> {
    let mut rows = Vec::new();
    for number in 0..20 {
        let stream = if number % 4 == 3 { r#"{app="b"}"# } else { r#"{app="a"}"# };
        let mut row = Stored::new("t", stream, i64::from(number / 2), &format!("line {number}"));
        row.tie = TieOrder { stamp: PushStamp(u128::from(number)), index: number };
        rows.push(row);
    }
    rows
}

#[tokio::test]
async fn copies_are_one_row() {
    // The other ingester took a retry, with later stamps, of some of the rows.
    let mut retried = rows();
    for row in &mut retried {
        row.tie.stamp = PushStamp(100 - row.tie.stamp.0);
    }
    retried.truncate(13);
    let setting = Setting::new(vec![FakeIngester::new(1, rows()), FakeIngester::new(2, retried)]);
    setting.start();
    let alone = Setting::new(vec![FakeIngester::new(1, rows())]);
    alone.start();
    let queries = [
        logs(r#"{app=~".+"}"#, Direction::Forward, 1000),
        logs(r#"{app=~".+"}"#, Direction::Backward, 1000),
        logs(r#"{app=~".+"}"#, Direction::Backward, 7),
        logs(r#"{app=~".+"} |= "1""#, Direction::Forward, 3),
        logs(r#"{app=~".+"} | json"#, Direction::Forward, 5),
        logs(r#"{app=~".+"} != "1""#, Direction::Backward, 5),
    ];
    for (id, question) in queries.into_iter().enumerate() {
        let question = || question.clone();
        let found = entries(setting.ask(piece(id as u64, &["t"], question())).await);
        let want = entries(alone.ask(piece(id as u64, &["t"], question())).await);
        assert!(!want.is_empty());
        assert_eq!(found, want, "{:?}", question());
    }
    let count = Question::Metric {
        query: r#"sum(count_over_time({app=~".+"}[1h]))"#.to_owned(),
        start: Timestamp::from_secs(20),
        end: Timestamp::from_secs(20),
        step: larch_types::Span::ZERO,
    };
    let (parts, end) = setting.ask(piece(50, &["t"], count)).await;
    let [ResultPart::Samples(series)] = parts.as_slice() else { panic!("{parts:?}") };
    assert_eq!(series[0].values, [20.0]);
    let statistics = end.unwrap().statistics;
    assert_eq!((statistics.rows, statistics.duplicate_rows, statistics.ingester_rows), (20, 13, 33));
    assert_eq!((statistics.ingesters_asked, statistics.streams), (2, 2));
    setting.stop().await;
    alone.stop().await;
}

/// A row that two selectors of a query read is no copy: each of them reads its own rows.
#[tokio::test]
async fn two_selectors_read_their_own_rows() {
    let setting = Setting::new(vec![FakeIngester::new(1, rows())]);
    setting.start();
    let ratio = Question::Metric {
        query: r#"sum(count_over_time({app="a"}[1h])) / sum(count_over_time({app=~"a|b"}[1h]))"#.to_owned(),
        start: Timestamp::from_secs(20),
        end: Timestamp::from_secs(20),
        step: larch_types::Span::ZERO,
    };
    let (parts, end) = setting.ask(piece(1, &["t"], ratio)).await;
    let [ResultPart::Samples(series)] = parts.as_slice() else { panic!("{parts:?}") };
    assert_eq!(series[0].values, [0.75]);
    let statistics = end.unwrap().statistics;
    assert_eq!((statistics.rows, statistics.duplicate_rows), (15 + 20, 0));
    setting.stop().await;
}

#[tokio::test]
async fn policies_and_shards_reach_the_ingester() {
    let setting = Setting::new(vec![FakeIngester::new(1, rows())]);
    setting.start();
    let question = || logs(r#"{app=~".+"}"#, Direction::Forward, 1000);
    let mut hidden = piece(1, &["t"], question());
    let policy = larch_proto::AccessPolicy { any_of: vec![selector(r#"{app="b"}"#)] };
    hidden.tenants = vec![PieceTenant { tenant: "t".parse().unwrap(), policy: Some(policy) }];
    assert_eq!(entries(setting.ask(hidden).await).len(), 5);
    let mut whole = 0;
    for index in 0..4 {
        let mut part = piece(2 + u64::from(index), &["t"], question());
        part.shard = StreamShard::new(index, 4);
        whole += entries(setting.ask(part).await).len();
    }
    assert_eq!(whole, 20);
    setting.stop().await;
}
