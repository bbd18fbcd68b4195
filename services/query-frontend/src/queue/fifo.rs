//! Who is next: first in, first out within an owner, and the owners in turn.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

/// Where a piece enters its owner's line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Turn {
    /// Behind all others.
    Last,
    /// Before all others: it has waited already.
    First,
}

/// Lines of pieces by owner. An owner that waits for nothing has no line.
#[derive(Debug, Default)]
pub(super) struct Fifo {
    /// Every owner with a line, once, in the order in which they are served.
    turns: VecDeque<Arc<str>>,
    lines: BTreeMap<Arc<str>, VecDeque<u64>>,
}

impl Fifo {
    pub(super) fn push(&mut self, owner: &Arc<str>, id: u64, turn: Turn) {
        let line = self.lines.entry(Arc::clone(owner)).or_insert_with(|| {
            self.turns.push_back(Arc::clone(owner));
            VecDeque::new()
        });
        match turn {
            Turn::Last => line.push_back(id),
            Turn::First => line.push_front(id),
        }
    }

    /// The next piece of an owner that is wanted; the turns of the others stay what they are.
    pub(super) fn pop(&mut self, is_wanted: impl Fn(&Arc<str>) -> bool) -> Option<u64> {
        let place = self.turns.iter().position(is_wanted)?;
        let owner = self.turns.remove(place)?;
        let line = self.lines.get_mut(&owner)?;
        let id = line.pop_front();
        if line.is_empty() {
            self.lines.remove(&owner);
        } else {
            self.turns.push_back(owner);
        }
        id
    }

    /// Lets go of a piece, wherever it stands.
    pub(super) fn remove(&mut self, owner: &Arc<str>, id: u64) {
        let Some(line) = self.lines.get_mut(owner) else { return };
        line.retain(|known| *known != id);
        if line.is_empty() {
            self.lines.remove(owner);
            self.turns.retain(|known| known != owner);
        }
    }

    pub(super) fn len(&self, owner: &str) -> usize {
        self.lines.get(owner).map_or(0, VecDeque::len)
    }

    /// How many wait, by owner.
    pub(super) fn lengths(&self) -> impl Iterator<Item = (&Arc<str>, usize)> {
        self.lines.iter().map(|(owner, line)| (owner, line.len()))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn owners_take_turns() {
        let mut fifo = Fifo::default();
        let (a, b, c): (Arc<str>, Arc<str>, Arc<str>) = ("a".into(), "b".into(), "c".into());
        for id in [1, 2, 3] {
            fifo.push(&a, id, Turn::Last);
        }
        fifo.push(&b, 10, Turn::Last);
        assert_eq!(fifo.pop(|_| true), Some(1));
        fifo.push(&c, 20, Turn::Last);
        fifo.push(&b, 9, Turn::First);
        assert_eq!((fifo.len("a"), fifo.len("b"), fifo.len("none")), (2, 2, 0));
        let rest: Vec<u64> = std::iter::from_fn(|| fifo.pop(|_| true)).collect();
        assert_eq!(rest, [9, 2, 20, 10, 3]);
        assert_eq!(fifo.lengths().count(), 0);
    }

    #[test]
    fn an_owner_is_passed_over_for_others_only() {
        let mut fifo = Fifo::default();
        let (a, b): (Arc<str>, Arc<str>) = ("a".into(), "b".into());
        fifo.push(&a, 1, Turn::Last);
        fifo.push(&a, 2, Turn::Last);
        fifo.push(&b, 3, Turn::Last);
        assert_eq!(fifo.pop(|owner| *owner != a), Some(3));
        assert_eq!(fifo.pop(|owner| *owner != a), None);
        assert_eq!((fifo.pop(|_| true), fifo.pop(|_| true), fifo.pop(|_| true)), (Some(1), Some(2), None));
    }

    #[test]
    fn what_is_let_go_is_not_served() {
        let mut fifo = Fifo::default();
        let (a, b): (Arc<str>, Arc<str>) = ("a".into(), "b".into());
        fifo.push(&a, 1, Turn::Last);
        fifo.push(&b, 2, Turn::Last);
        fifo.push(&b, 3, Turn::Last);
        fifo.remove(&a, 1);
        fifo.remove(&b, 2);
        fifo.remove(&b, 7);
        assert_eq!(fifo.pop(|_| true), Some(3));
        assert_eq!(fifo.pop(|_| true), None);
    }

    proptest! {
        /// Nobody is served twice while another owner that waits all the time is not served at all.
        #[test]
        fn no_owner_is_passed_over(arrivals in prop::collection::vec(0_u8..5, 1..60)) {
            let mut fifo = Fifo::default();
            for (id, owner) in arrivals.iter().enumerate() {
                fifo.push(&Arc::from(owner.to_string().as_str()), id as u64, Turn::Last);
            }
            let mut served: Vec<u8> = Vec::new();
            while let Some(id) = fifo.pop(|_| true) {
                served.push(arrivals[id as usize]);
            }
            prop_assert_eq!(served.len(), arrivals.len());
            for (at, owner) in served.iter().enumerate() {
                let Some(next) = served[at + 1..].iter().position(|other| other == owner) else { continue };
                let between = &served[at + 1..at + 1 + next];
                for other in served[at + 1 + next..].iter().filter(|other| *other != owner) {
                    prop_assert!(between.contains(other), "{} passed over {}", owner, other);
                }
            }
        }
    }
}
