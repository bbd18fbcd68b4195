//! Facts commute: whatever order, repetition, delay and folding they are read in, the sets are the same.

use std::collections::{BTreeMap, BTreeSet};

use larch_types::{FactId, SegmentId};
use proptest::prelude::*;

use super::*;
use crate::catalog::testing::{entry, fact};
use crate::key::FactName;

/// What somebody states: the facts of a day as they come from many writers.
fn any_fact() -> impl Strategy<Value = Fact> {
    let ids = || prop::collection::vec(0..12_u128, 0..4);
    let add =
        ids().prop_map(|ids| FactBody::Add { entries: ids.into_iter().map(|id| entry(id, 0)).collect() });
    let swap = (ids(), ids()).prop_map(|(outputs, inputs)| FactBody::Swap {
        outputs: outputs.into_iter().map(|id| entry(100 + id, 0)).collect(),
        inputs: inputs
            .into_iter()
            .map(|id| Input { id: SegmentId::from_u128(id * 9 % 112), carried_by: None })
            .collect(),
    });
    prop_oneof![3 => add, 1 => swap].prop_map(|body| fact(0, body))
}

fn facts() -> impl Strategy<Value = Vec<Fact>> {
    prop::collection::vec(any_fact(), 0..12).prop_map(|facts| {
        let numbered = facts.into_iter().enumerate();
        numbered.map(|(number, fact)| Fact { id: FactId::from_u128(number as u128), ..fact }).collect()
    })
}

fn all(facts: &[Fact]) -> CatalogSets {
    let mut sets = CatalogSets::default();
    facts.iter().for_each(|fact| sets.apply(fact));
    sets
}

/// The two sets as the rule says them: ids that were added less those that were removed.
fn model(facts: &[Fact]) -> (BTreeSet<SegmentId>, BTreeSet<SegmentId>) {
    let (mut added, mut removed) = (BTreeSet::new(), BTreeSet::new());
    for fact in facts {
        match &fact.body {
            FactBody::Add { entries } => added.extend(entries.iter().map(|entry| entry.id)),
            FactBody::Swap { outputs, inputs } => {
                added.extend(outputs.iter().map(|entry| entry.id));
                removed.extend(inputs.iter().map(|input| input.id));
            }
            FactBody::Snap { .. } => unreachable!("the model reads no snapshots"),
        }
    }
    (added.difference(&removed).copied().collect(), removed)
}

/// A snapshot of some facts, as whoever read only them writes it.
fn snapshot(number: u128, read: &[Fact]) -> Fact {
    let folds: BTreeSet<FactName> = read.iter().map(Fact::name).collect();
    fact(1000 + number, FactBody::Snap { sets: all(read), folds })
}

proptest! {
    #[test]
    fn sets_are_those_of_the_rule(facts in facts()) {
        let sets = all(&facts);
        let (live, removed) = model(&facts);
        prop_assert_eq!(sets.live().map(|entry| entry.id).collect::<BTreeSet<_>>(), live);
        for id in 0..112 {
            let id = SegmentId::from_u128(id);
            prop_assert_eq!(sets.is_removed(id), removed.contains(&id));
        }
        for fact in &facts {
            if let FactBody::Swap { outputs, inputs } = &fact.body {
                let removal = &sets.removals()[&fact.id];
                prop_assert!(outputs.iter().all(|entry| removal.outputs.contains(&entry.id)));
                prop_assert!(inputs.iter().all(|input| removal.inputs.contains(input)));
            }
        }
    }

    #[test]
    fn order_and_repetition_change_nothing(facts in facts(), order in prop::collection::vec(any::<usize>(), 0..40)) {
        let want = all(&facts);
        let mut read: Vec<Fact> = facts.iter().rev().cloned().collect();
        if !facts.is_empty() {
            read.extend(order.iter().map(|index| facts[index % facts.len()].clone()));
        }
        prop_assert_eq!(&all(&read), &want);
        let by = order.len().min(read.len());
        read.rotate_left(by);
        prop_assert_eq!(&all(&read), &want);
    }

    /// Two entries for one id, which nobody writes, are one for everybody too.
    #[test]
    fn of_two_entries_everybody_keeps_one(versions in prop::collection::vec(0..4_u64, 1..6)) {
        let adds: Vec<Fact> = versions
            .iter()
            .map(|version| fact(7, FactBody::Add { entries: vec![entry(1, *version)] }))
            .collect();
        let mut reversed = adds.clone();
        reversed.reverse();
        prop_assert_eq!(all(&adds), all(&reversed));
    }

    /// A delay is a fact that is not in the snapshot and is read beside it.
    #[test]
    fn a_snapshot_and_the_rest_are_all_facts(facts in facts(), picks in prop::collection::vec(any::<u16>(), 1..4)) {
        let want = all(&facts);
        let mut snapshots: Vec<Fact> = Vec::new();
        for (number, pick) in picks.iter().enumerate() {
            let chosen = |index: usize| pick >> (index % 16) & 1 == 1;
            let read: Vec<Fact> =
                facts.iter().enumerate().filter(|(index, _)| chosen(*index)).map(|(_, fact)| fact.clone()).collect();
            // It may fold another snapshot too.
            let read: Vec<Fact> = read.into_iter().chain(snapshots.last().cloned()).collect();
            snapshots.push(snapshot(number as u128, &read));
        }
        let folded: BTreeSet<FactName> = snapshots
            .iter()
            .flat_map(|snap| match &snap.body {
                FactBody::Snap { folds, .. } => folds.clone(),
                _ => BTreeSet::new(),
            })
            .collect();
        let rest: Vec<Fact> = facts.iter().filter(|fact| !folded.contains(&fact.name())).cloned().collect();
        let found: Vec<Fact> = snapshots.iter().cloned().chain(rest.clone()).collect();
        prop_assert_eq!(&all(&found), &want);
        let reversed: Vec<Fact> = rest.into_iter().chain(snapshots.into_iter().rev()).collect();
        prop_assert_eq!(&all(&reversed), &want);
    }
}

#[test]
fn a_removal_before_the_add_hides_it() {
    let input = Input { id: SegmentId::from_u128(1), carried_by: Some(FactId::from_u128(9)) };
    let swap = fact(1, FactBody::Swap { outputs: vec![entry(2, 0)], inputs: vec![input] });
    let add = fact(2, FactBody::Add { entries: vec![entry(1, 0)] });
    let sets = all(&[swap, add]);
    assert_eq!(sets.live().map(|entry| entry.id.as_u128()).collect::<Vec<_>>(), [2]);
    let removal = Removal { outputs: [SegmentId::from_u128(2)].into(), inputs: [input].into() };
    assert_eq!(sets.removals(), &BTreeMap::from([(FactId::from_u128(1), removal)]));
}
