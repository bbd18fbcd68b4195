//! Lines in, patterns out.

use std::collections::BTreeMap;

use larch_types::Span;
use proptest::prelude::*;

use super::*;
use crate::patterns::tokens::{Format, tokenize};

fn rules() -> Rules {
    Rules {
        max_clusters: 300,
        max_eviction_ratio: 0.25,
        intervals: Intervals::new(Span::from_secs(10), Span::from_mins(1)),
        has_room: true,
        now: Monotonic::from_start(Duration::ZERO),
    }
}

fn add(tree: &mut Tree, line: &str, second: i64, rules: Rules) -> Option<Outcome> {
    let tokens = tokenize(line, Format::of(line), &["msg".to_owned()]).ok()?;
    Some(tree.add(&tokens, Timestamp::from_secs(second), rules))
}

fn rows(samples: &Samples) -> u64 {
    samples.between(Timestamp::MIN, Timestamp::MAX, rules().intervals).map(|(_, rows)| rows).sum()
}

fn patterns(tree: &Tree) -> BTreeMap<String, u64> {
    let mut all = BTreeMap::new();
    for (text, samples) in tree.patterns() {
        *all.entry(text).or_default() += rows(samples);
    }
    all
}

#[track_caller]
fn check(lines: &[&str], want: &[(&str, u64)]) {
    let mut tree = Tree::default();
    for line in lines {
        add(&mut tree, line, 0, rules());
    }
    let want: BTreeMap<String, u64> = want.iter().map(|(text, rows)| ((*text).to_owned(), *rows)).collect();
    assert_eq!(patterns(&tree), want);
}

#[test]
fn numbers_vary() {
    check(
        &["order 17 was accepted", "order 18 was accepted", "order 19 was refused", "order 20 was accepted"],
        &[("order <_> was accepted", 3), ("order 19 was refused", 1)],
    );
    check(
        &[
            "GET /users/17 200 in 3ms from 10.0.0.1",
            "GET /users/18 200 in 5ms from 10.0.0.2",
            "POST /users/18 200 in 5ms from 10.0.0.2",
        ],
        &[("GET <_> 200 in <_> from <_>", 2), ("POST /users/18 200 in 5ms from 10.0.0.2", 1)],
    );
    check(&["a 1 2 ends", "a 3 4 ends", "a 5 6 7 ends"], &[("a <_> ends", 2), ("a 5 6 7 ends", 1)]);
}

#[test]
fn words_are_a_choice_until_there_are_too_many() {
    let names = "abcdefghijklmnopqrst";
    let lines: Vec<String> = names.chars().map(|name| format!("user {name} logged in again")).collect();
    let mut tree = Tree::default();
    for line in &lines {
        add(&mut tree, line, 0, rules());
    }
    let found = patterns(&tree);
    assert_eq!(found.len(), 16);
    assert_eq!(found["user <_> logged in again"], 5);
    assert_eq!(found["user a logged in again"], 1);
}

#[test]
fn formats() {
    check(
        &[
            "level=info ts=2026-01-01T00:00:00Z msg=\"order 17 was accepted\" took=3ms",
            "level=info ts=2026-01-01T00:00:01Z msg=\"order 18 was accepted\" took=4ms",
        ],
        &[("level=info ts=<_> msg=<_> took=<_>", 2)],
    );
    check(
        &[
            r#"{"id":17,"msg":"order 17 was accepted"}"#,
            r#"{"id":18,"msg":"order 18 was accepted","more":1}"#,
        ],
        &[("<_>order <_> was accepted<_>", 2)],
    );
    check(&["a ,b 1", "a, b 1"], &[("a ,b 1", 1), ("a, b 1", 1)]);
}

#[test]
fn the_pattern_that_has_not_come_for_longest_goes() {
    let few = Rules { max_clusters: 2, max_eviction_ratio: 1.0, ..rules() };
    let mut tree = Tree::default();
    assert_eq!(add(&mut tree, "one a is here", 0, few), Some(Outcome::New { evicted: false }));
    assert_eq!(add(&mut tree, "two b was there", 0, few), Some(Outcome::New { evicted: false }));
    assert_eq!(add(&mut tree, "one a is here", 0, few), Some(Outcome::Known));
    assert_eq!(add(&mut tree, "three c will come", 0, few), Some(Outcome::New { evicted: true }));
    let texts: Vec<String> = patterns(&tree).into_keys().collect();
    assert_eq!(texts, ["one a is here", "three c will come"]);
    assert_eq!(tree.len(), 2);
}

#[test]
fn a_stream_without_patterns_is_left_alone_for_a_while() {
    let few = Rules { max_clusters: 4, ..rules() };
    let later = |minute| Rules { now: Monotonic::from_start(Duration::from_mins(minute)), ..few };
    let mut tree = Tree::default();
    let words = ["a", "b", "c", "d", "e", "f"];
    let outcomes: Vec<Outcome> = words
        .iter()
        .filter_map(|word| add(&mut tree, &format!("{word} {word} {word} {word}"), 0, few))
        .collect();
    assert_eq!(outcomes[..4], [Outcome::New { evicted: false }; 4]);
    assert_eq!(outcomes[4..], [Outcome::New { evicted: true }; 2]);
    assert_eq!(add(&mut tree, "g g g g", 0, later(9)), Some(Outcome::Paused));
    assert_eq!(add(&mut tree, "f f f f", 0, later(9)), Some(Outcome::Known), "what is known is counted");
    assert_eq!(add(&mut tree, "g g g g", 0, later(10)), Some(Outcome::New { evicted: true }));
}

#[test]
fn without_room_nothing_grows() {
    let full = Rules { has_room: false, ..rules() };
    let mut tree = Tree::default();
    add(&mut tree, "one 1 a b", 0, rules());
    let before = tree.bytes();
    assert_eq!(add(&mut tree, "two 2 not that", 0, full), Some(Outcome::Full));
    assert_eq!(add(&mut tree, "one 1 a b", 0, full), Some(Outcome::Known));
    assert_eq!(add(&mut tree, "one 1 a b", 60, full), Some(Outcome::Full), "another interval takes memory");
    assert_eq!(tree.bytes(), before);
}

/// Whether a line filter with the pattern would let the line through.
fn matches(pattern: &str, line: &str) -> bool {
    let parts: Vec<&str> = pattern.split("<_>").collect();
    let [first, middle @ .., last] = parts.as_slice() else { return pattern == line };
    let Some(mut rest) = line.strip_prefix(first) else { return false };
    for part in middle {
        let Some(at) = rest.find(part) else { return false };
        rest = &rest[at + part.len()..];
    }
    rest.ends_with(last)
}

proptest! {
    #[test]
    fn every_row_is_in_one_pattern_that_matches_it(
        lines in prop::collection::vec(("[ab]", "[ab,= ]{0,3}", "[a-c1-3]{1,2}", "( [a-c]){2,4}", 0..300_i64), 1..60),
        max_clusters in 1_usize..60,
        forgotten in 0..400_i64,
    ) {
        let rules = Rules { max_clusters, max_eviction_ratio: 1.0, ..rules() };
        let mut tree = Tree::default();
        let empty = tree.bytes();
        let (mut counted, mut has_evicted) = (Vec::new(), false);
        for (a, b, c, d, second) in lines {
            let line = format!("{a} {b}{c}{d}");
            let Some(outcome) = add(&mut tree, &line, second, rules) else { continue };
            prop_assert!(tree.len() <= max_clusters);
            if outcome == (Outcome::New { evicted: true }) {
                has_evicted = true;
                let left = patterns(&tree);
                counted.retain(|line: &String| left.keys().any(|pattern| matches(pattern, line)));
            }
            counted.push(line);
        }
        let found = patterns(&tree);
        if !has_evicted {
            prop_assert_eq!(found.values().sum::<u64>(), counted.len() as u64);
        }
        for line in &counted {
            prop_assert!(found.keys().any(|pattern| matches(pattern, line)), "{} in {:?}", line, found);
        }
        let sizes: usize = tree.nodes.iter().enumerate()
            .filter(|(place, _)| !tree.free_nodes.contains(&(*place as u32)))
            .map(|(_, node)| node.bytes()).sum();
        let clusters: usize = tree.clusters.iter().flatten().map(Cluster::bytes).sum();
        prop_assert_eq!(tree.bytes(), size_of::<Tree>() + sizes + clusters);
        tree.forget_before(Timestamp::from_secs(forgotten), rules.intervals);
        prop_assert!(tree.patterns().all(|(_, samples)| !samples.is_empty()));
        tree.forget_before(Timestamp::MAX, rules.intervals);
        prop_assert_eq!((tree.len(), tree.bytes()), (0, empty));
    }
}
