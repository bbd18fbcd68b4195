//! Under what answers may be kept, and estimates.

use larch_proto::{Direction, Done, Estimate, Piece, Question, ResultPart};
use larch_types::{Span, Timestamp};

use super::fakes::{FakeIngester, Stored};
use super::setting::{Setting, piece, selector};

fn row(second: i64, line: &str) -> Stored {
    Stored::new("t", r#"{app="a"}"#, second, line)
}

fn questions() -> Vec<Question> {
    let (start, end) = (Timestamp::from_secs(5), Timestamp::from_secs(45));
    let metric = r#"sum(count_over_time({app="a"} |= "x" [10s]))"#.to_owned();
    let any_of = vec![selector(r#"{app="a"}"#)];
    vec![
        Question::Logs { query: r#"{app="a"} |= "x""#.to_owned(), direction: Direction::Forward, limit: 10 },
        Question::Metric { query: metric, start, end, step: Span::from_secs(10) },
        Question::Stats { any_of: any_of.clone() },
        Question::Volume { any_of, target_labels: Vec::new(), by_label_names: false, step: Span::ZERO },
    ]
}

/// The last part of the answer, and whether there were others.
async fn ask(setting: &Setting, id: u64, question: &Question, kept: Option<u128>) -> (Done, bool) {
    let asked = Piece { keeps_answer: true, kept, ..piece(id, &["t"], question.clone()) };
    let (parts, end) = setting.ask(asked).await;
    (end.expect("an answer"), !parts.is_empty())
}

#[tokio::test]
async fn an_answer_is_known_by_its_segments() {
    let setting = Setting::new(vec![FakeIngester::new(1, Vec::new())]);
    setting.planner.announce(1, &[row(10, "x 1"), row(20, "x 2")]).await;
    setting.start();
    let mut id = 0;
    let mut keys = Vec::new();
    for question in questions() {
        id += 10;
        let (first, has_parts) = ask(&setting, id, &question, None).await;
        let key = first.cache_key.expect("a key");
        assert!(has_parts && !first.unchanged);
        let (again, has_parts) = ask(&setting, id + 1, &question, Some(key)).await;
        assert_eq!((again.cache_key, again.unchanged, has_parts), (Some(key), true, false), "{question:?}");
        let (other, has_parts) = ask(&setting, id + 2, &question, Some(key ^ 1)).await;
        assert_eq!((other.cache_key, other.unchanged, has_parts), (Some(key), false, true));
        let whole = piece(id + 3, &["t"], question.clone());
        let unasked = setting.ask(whole).await.1.expect("an answer");
        assert_eq!(unasked.cache_key, None, "nobody wants to know");
        keys.push(key);
    }
    // Rows that come late are in another segment.
    setting.planner.announce(2, &[row(15, "x 3")]).await;
    for (question, key) in questions().iter().zip(&keys) {
        id += 10;
        let (late, has_parts) = ask(&setting, id, question, Some(*key)).await;
        assert!(
            late.cache_key.is_some_and(|new| new != *key) && !late.unchanged && has_parts,
            "{question:?}"
        );
    }
    keys.sort_unstable();
    keys.dedup();
    assert_eq!(keys.len(), 4, "each question has its own");
    setting.stop().await;
}

#[tokio::test]
async fn what_an_ingester_holds_is_not_kept() {
    let setting = Setting::new(vec![
        FakeIngester::new(1, Vec::new()),
        FakeIngester::new(2, vec![row(30, "x 3"), Stored::new("t", r#"{app="b"}"#, 30, "x")]),
    ]);
    setting.planner.announce(1, &[row(10, "x 1")]).await;
    setting.start();
    for (number, question) in questions().into_iter().enumerate() {
        let id = 10 * number as u64;
        let (done, has_parts) = ask(&setting, id, &question, Some(7)).await;
        assert_eq!((done.cache_key, done.unchanged, has_parts), (None, false, true), "{question:?}");
        // Before the rows that it holds.
        let early =
            Piece { keeps_answer: true, end: Timestamp::from_secs(25), ..piece(id + 1, &["t"], question) };
        assert!(setting.ask(early).await.1.expect("an answer").cache_key.is_some());
    }
    setting.stop().await;
}

#[tokio::test]
async fn estimates_add_up() {
    let setting = Setting::new(vec![
        FakeIngester::new(1, vec![row(30, "x")]),
        FakeIngester::new(2, vec![row(31, "y")]),
    ]);
    setting.planner.announce(1, &[row(10, "x 1")]).await;
    setting.start();
    let question = Question::Estimate { any_of: vec![selector(r#"{app="a"}"#)] };
    let (parts, end) = setting.ask(piece(1, &["t"], question)).await;
    let [ResultPart::Stats(Estimate { chunks, .. })] = parts.as_slice() else { panic!("{parts:?}") };
    assert_eq!((*chunks, end.expect("an answer").statistics.ingesters_asked), (3, 2));
    setting.stop().await;
}
