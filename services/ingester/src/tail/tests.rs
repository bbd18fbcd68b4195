use std::time::Duration;

use larch_types::MatchOp;

use super::*;
use crate::testing::{needle, push, selection};

const A: &str = "{app=\"a\"}";
const B: &str = "{app=\"b\"}";

fn at(seconds: u64) -> Monotonic {
    Monotonic::from_start(Duration::from_secs(seconds))
}

fn filter() -> Arc<Filter> {
    Arc::new(Filter {
        chosen: Chosen::new(selection(&[("app", MatchOp::Equal, "a")], 0, 100)).unwrap(),
        needles: Needles::new(&[needle("x")]).unwrap(),
        most_examples: 2,
    })
}

fn lines(reading: Reading, filter: &Filter) -> (Vec<String>, u64) {
    let Reading::Pushes { pushes, position } = reading else { panic!("{reading:?}") };
    let batch = filter.rows(&pushes);
    let text = |row: &Row| String::from_utf8(row.line.to_vec()).unwrap();
    (batch.rows.iter().map(text).collect(), position.0)
}

#[test]
fn a_listener_reads_what_comes_after_it() {
    let (feed, filter) = (Feed::new(Feeds::default()), filter());
    feed.offer(&push(1, &[(A, 1, "x before")]), WalPosition(1), at(0));
    let (listener, start) = feed.listen(Arc::clone(&filter), None, WalPosition(3));
    assert_eq!(start, WalPosition(3));
    assert!(matches!(feed.read(listener, 99), Reading::Nothing { position: WalPosition(3) }));
    feed.offer(&push(2, &[(A, 1, "x one"), (B, 1, "x other"), (A, 200, "x late")]), WalPosition(4), at(0));
    feed.offer(&push(3, &[(A, 2, "no"), (A, 2, "x two")]), WalPosition(7), at(0));
    assert_eq!(lines(feed.read(listener, 1), &filter), (vec!["x one".to_owned()], 4));
    assert_eq!(lines(feed.read(listener, 1), &filter), (vec!["x two".to_owned()], 7));
    assert!(matches!(feed.read(listener, 1), Reading::Nothing { position: WalPosition(7) }));
}

#[test]
fn a_listener_that_comes_again_misses_nothing_for_a_while() {
    let (feed, filter) = (Feed::new(Feeds::default()), filter());
    let (listener, _) = feed.listen(Arc::clone(&filter), None, WalPosition(0));
    feed.leave(listener, at(0));
    feed.offer(&push(1, &[(A, 1, "x gap")]), WalPosition(1), at(1));
    let (listener, start) = feed.listen(Arc::clone(&filter), Some(WalPosition(0)), WalPosition(1));
    assert_eq!(start, WalPosition(0));
    assert_eq!(lines(feed.read(listener, 99), &filter).0, ["x gap"]);

    feed.leave(listener, at(2));
    feed.offer(&push(2, &[(A, 1, "x kept")]), WalPosition(2), at(3));
    feed.forget_if_left(at(31));
    assert_eq!(feed.lock().pushes.len(), 2);
    feed.forget_if_left(at(32));
    assert_eq!(feed.lock().pushes.len(), 0);
    assert_eq!(feed.lock().bytes, 0);
    feed.offer(&push(3, &[(A, 1, "x nobody")]), WalPosition(3), at(33));
    let (_, start) = feed.listen(filter, Some(WalPosition(1)), WalPosition(3));
    assert_eq!(start, WalPosition(3), "what is gone is said");
}

#[test]
fn a_slow_listener_is_told_what_it_missed() {
    let (feed, filter) = (Feed::new(Feeds::default()), filter());
    let (slow, _) = feed.listen(Arc::clone(&filter), None, WalPosition(0));
    let (other, _) = feed.listen(Arc::clone(&filter), None, WalPosition(0));
    let big = format!("x{}", "y".repeat(KEPT_BYTES / 4));
    for position in 1..=6 {
        feed.offer(&push(position, &[(A, 1, &big), (B, 1, "x")]), WalPosition(position as u64), at(0));
        if position == 2 {
            assert_eq!(lines(feed.read(other, usize::MAX), &filter).1, 2);
        }
    }
    assert!(feed.lock().bytes <= KEPT_BYTES);
    let Reading::Dropped(TailEvent::Dropped { rows, examples, position }) = feed.read(slow, usize::MAX)
    else {
        panic!("nothing was dropped")
    };
    assert_eq!((rows, examples.len(), position), (3, 2, WalPosition(3)));
    assert_eq!(examples[0].labels, A);
    assert_eq!(lines(feed.read(slow, usize::MAX), &filter), (vec![big.clone(); 3], 6));
    let Reading::Dropped(TailEvent::Dropped { rows, .. }) = feed.read(other, usize::MAX) else { panic!() };
    assert_eq!(rows, 1, "it had read two of three");
}

#[test]
fn tenants_that_are_listened_to_share_what_is_kept() {
    let (feeds, filter) = (Feeds::default(), filter());
    let line = format!("x{}", "y".repeat(KEPT_BYTES / 8));
    let kept_of = |feed: &Feed| {
        for position in 1..=9 {
            feed.offer(&push(position, &[(A, 1, &line)]), WalPosition(position as u64), at(0));
        }
        feed.lock().bytes
    };
    let first = Feed::new(feeds.clone());
    let (listener, _) = first.listen(Arc::clone(&filter), None, WalPosition(0));
    first.listen(Arc::clone(&filter), None, WalPosition(0));
    assert!(kept_of(&first) > KEPT_BYTES / 2);
    let others: Vec<Feed> = (0..63).map(|_| Feed::new(feeds.clone())).collect();
    for other in &others {
        other.listen(Arc::clone(&filter), None, WalPosition(0));
    }
    assert_eq!(feeds.share(), KEPT_BYTES / 4);
    assert!(kept_of(&first) <= KEPT_BYTES / 4);
    drop(others);
    assert_eq!(feeds.share(), KEPT_BYTES);
    first.leave(listener, at(0));
    first.leave(listener + 1, at(0));
    assert_eq!(feeds.0.load(Ordering::Relaxed), 1, "somebody may come back");
    first.forget_if_left(at(31));
    assert_eq!(feeds.0.load(Ordering::Relaxed), 0);
}
