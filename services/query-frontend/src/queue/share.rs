//! Which workers a tenant's pieces go to: where a tenant may have some only, no query of it can bring down all.

use larch_types::{NodeId, StreamId};

/// How many workers an owner may have.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(crate) struct Share {
    /// 0: any number.
    pub(crate) most: u32,
    /// Of all there are; 0: any part.
    pub(crate) part: f64,
}

impl Share {
    pub(super) fn is_all(self) -> bool {
        self.most == 0 && (self.part <= 0.0 || self.part >= 1.0)
    }

    /// The smaller of the two that are set, and never none.
    fn number(self, workers: usize) -> usize {
        let mut number = workers;
        if self.part > 0.0 {
            number = number.min((workers as f64 * self.part).ceil() as usize);
        }
        if self.most > 0 {
            number = number.min(usize::try_from(self.most).unwrap_or(usize::MAX));
        }
        number.max(1)
    }

    /// Whether a worker is among the owner's. Each owner ranks the workers in an order of its own, so that one
    /// that comes or goes takes the place of one other at most.
    pub(super) fn has(self, owner: &str, node: NodeId, workers: &[NodeId]) -> bool {
        if self.is_all() {
            return true;
        }
        let own = rank(owner, node);
        let before = workers.iter().filter(|other| rank(owner, **other) < own).count();
        before < self.number(workers.len())
    }
}

fn rank(owner: &str, node: NodeId) -> u128 {
    StreamId::of_canonical(&format!("{node} {owner}")).as_u128()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn nodes(count: u128) -> Vec<NodeId> {
        (1..=count).map(NodeId::from_u128).collect()
    }

    fn of(share: Share, owner: &str, workers: &[NodeId]) -> Vec<NodeId> {
        workers.iter().copied().filter(|node| share.has(owner, *node, workers)).collect()
    }

    #[test]
    fn how_many() {
        for (most, part, workers, number) in [
            (0, 0.0, 7, 7),
            (0, 1.0, 7, 7),
            (3, 0.0, 7, 3),
            (9, 0.0, 7, 7),
            (0, 0.5, 7, 4),
            (2, 0.5, 7, 2),
            (6, 0.5, 7, 4),
            (0, 0.01, 7, 1),
        ] {
            let workers = nodes(workers);
            assert_eq!(of(Share { most, part }, "a", &workers).len(), number, "{most} {part}");
        }
    }

    #[test]
    fn who_comes_changes_little_and_owners_differ() {
        let (few, more) = (nodes(20), nodes(21));
        let share = Share { most: 5, part: 0.0 };
        let mut chosen = std::collections::BTreeSet::new();
        for owner in ["a", "b", "c", "d", "e", "f", "g", "h"] {
            let (before, after) = (of(share, owner, &few), of(share, owner, &more));
            assert!(before.iter().filter(|node| !after.contains(node)).count() <= 1, "{owner}");
            chosen.insert(before);
        }
        assert!(chosen.len() > 4, "{chosen:?}");
    }
}
