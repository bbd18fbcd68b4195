//! Work that nobody waits for stops, and lets go of what it holds. Counted, never timed.

use larch_limits::LimitsSettings;
use larch_membership::Part;
use larch_proto::{Assignment, Direction, Piece, PieceId, Question};
use larch_rpc::CallError;
use larch_types::ErrorKind;

use super::fakes::{FakeIngester, Stored};
use super::setting::{QUEUE, Setting, piece};
use crate::role::Config;

/// An ingester that sends one batch of each read and then nothing more.
fn stalling() -> FakeIngester {
    let row = |second| Stored::new("t", r#"{app="a"}"#, second, "line");
    let mut ingester = FakeIngester::new(1, (0..100).map(row).collect());
    ingester.stalls = true;
    ingester
}

fn count(id: u64) -> Piece {
    let query = r#"{app="a"} != "x""#.to_owned();
    piece(id, &["t"], Question::Logs { query, direction: Direction::Forward, limit: 1000 })
}

async fn wait_open(setting: &Setting, count: i64) {
    setting.ingesters[0].open.subscribe().wait_for(|open| *open == count).await.unwrap();
}

async fn begin(setting: &Setting, ids: std::ops::Range<u64>) {
    let open = ids.end as i64;
    for id in ids {
        setting.queue.send(Assignment::Piece(Box::new(count(id)))).await;
    }
    wait_open(setting, open).await;
}

#[tokio::test]
async fn a_cancelled_piece_lets_go_of_its_reads() {
    let setting = Setting::new(vec![stalling()]);
    setting.start();
    begin(&setting, 0..3).await;
    assert_eq!(setting.deps.metrics.inflight.get(), 3);
    setting.queue.send(Assignment::Cancel(PieceId(1))).await;
    wait_open(&setting, 2).await;
    // One that is not there is no matter.
    setting.queue.send(Assignment::Cancel(PieceId(77))).await;
    // Handed out again, the same piece replaces itself.
    setting.queue.send(Assignment::Piece(Box::new(count(2)))).await;
    setting.queue.send(Assignment::Cancel(PieceId(2))).await;
    wait_open(&setting, 1).await;
    setting.stop().await;
}

#[tokio::test]
async fn a_lost_queue_ends_its_pieces_and_is_pulled_again() {
    let setting = Setting::new(vec![stalling()]);
    setting.start();
    for (round, error) in [None, Some(CallError::new(ErrorKind::Unavailable, "gone"))].into_iter().enumerate()
    {
        let mut pulled = setting.queue.pulled.subscribe();
        pulled.wait_for(|pulled| *pulled == round as u64 + 1).await.unwrap();
        begin(&setting, 0..2).await;
        setting.queue.hang_up(error).await;
        wait_open(&setting, 0).await;
    }
    setting.queue.pulled.subscribe().wait_for(|pulled| *pulled == 3).await.unwrap();
    setting.stop().await;
}

#[tokio::test]
async fn a_queue_that_leaves_ends_its_pieces() {
    let setting = Setting::new(vec![stalling()]);
    setting.start();
    begin(&setting, 0..2).await;
    setting.members.leave(Part::WorkQueue, QUEUE);
    wait_open(&setting, 0).await;
    setting.stop().await;
}

#[tokio::test]
async fn stopping_ends_everything() {
    let setting = Setting::new(vec![stalling()]);
    setting.start();
    begin(&setting, 0..4).await;
    let open = setting.ingesters[0].open.clone();
    setting.stop().await;
    assert_eq!(*open.subscribe().borrow(), 0);
}

/// More pieces than slots wait for one.
#[tokio::test]
async fn slots_bound_the_work() {
    let mut config = Config::default();
    config.querier.max_concurrent = 2;
    let setting = Setting::with(vec![stalling()], config, LimitsSettings::default());
    setting.start();
    for id in 0..4 {
        setting.queue.send(Assignment::Piece(Box::new(count(id)))).await;
    }
    wait_open(&setting, 2).await;
    assert_eq!(*setting.queue.concurrency.lock().unwrap(), 2);
    let mut begun = setting.ingesters[0].begun.subscribe();
    for done in 0..2 {
        assert_eq!(*begun.wait_for(|begun| *begun >= 2 + done).await.unwrap(), 2 + done);
        assert_eq!(*setting.ingesters[0].open.subscribe().borrow(), 2);
        setting.queue.send(Assignment::Cancel(PieceId(done))).await;
    }
    begun.wait_for(|begun| *begun == 4).await.unwrap();
    setting.stop().await;
}

/// A queue that wants no more of a report ends the work on it.
#[tokio::test]
async fn a_report_that_is_not_wanted_stops_the_work() {
    let row = |second| Stored::new("t", r#"{app="a"}"#, second, "line");
    let mut ingester = FakeIngester::new(1, (0..20_000).map(row).collect());
    ingester.batch = 5000;
    let setting = Setting::new(vec![ingester]);
    setting.start();
    setting.queue.unwanted.lock().unwrap().insert(PieceId(0));
    let query = r#"{app="a"}"#.to_owned();
    let question = Question::Logs { query, direction: Direction::Forward, limit: 100_000 };
    setting.queue.send(Assignment::Piece(Box::new(piece(0, &["t"], question)))).await;
    setting.ingesters[0].sent.subscribe().wait_for(|sent| *sent == 4).await.unwrap();
    wait_open(&setting, 0).await;
    setting.stop().await;
}

/// A limit that is reached early reads no further: of 10,000 batches a few are sent.
#[tokio::test]
async fn enough_rows_are_enough() {
    let row = |second| Stored::new("t", r#"{app="a"}"#, second, "line");
    let mut ingester = FakeIngester::new(1, (0..50_000).map(row).collect());
    ingester.batch = 5;
    let setting = Setting::new(vec![ingester]);
    setting.start();
    let query = r#"{app="a"} != "x""#.to_owned();
    let question = Question::Logs { query, direction: Direction::Backward, limit: 10 };
    let (parts, end) = setting.ask(piece(0, &["t"], question)).await;
    assert_eq!(parts.len(), 1);
    let sent = *setting.ingesters[0].sent.subscribe().borrow();
    // The batch that was evaluated, and the one that was fetched beside.
    assert!(sent <= 2 * 4096 / 5 + 2, "{sent}");
    let statistics = end.unwrap().statistics;
    assert_eq!(statistics.rows_after_filters, 10);
    setting.stop().await;
}

/// What is fetched ahead is no matter once the answer is there, even if it can never come: batches double from
/// 128 rows, and the one that follows 3968 rows is never full.
#[tokio::test]
async fn an_answer_that_is_there_waits_for_nothing() {
    let row = |second| Stored::new("t", r#"{app="a"}"#, second, "line");
    let mut ingester = FakeIngester::new(1, (0..10_000).map(row).collect());
    ingester.batch = 5000;
    ingester.stalls = true;
    let setting = Setting::new(vec![ingester]);
    setting.start();
    let query = r#"{app="a"} != "x""#.to_owned();
    let question = Question::Logs { query, direction: Direction::Forward, limit: 3968 };
    let (_, end) = setting.ask(piece(0, &["t"], question)).await;
    assert_eq!(end.unwrap().statistics.rows_after_filters, 3968);
    setting.stop().await;
}
