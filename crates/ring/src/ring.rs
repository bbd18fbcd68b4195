//! Who owns a key.
//!
//! Every member has tokens: places on a circle of 2^32. A key belongs to the member of the first token
//! behind it, and its replicas are the next members that follow. A member that comes or goes moves only the
//! keys next to its own tokens.

use larch_types::{NodeId, RingKey};

/// The members of one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ring {
    nodes: Vec<NodeId>,
    /// Sorted, each with the place of its owner among the nodes.
    tokens: Vec<(u32, u32)>,
}

/// A member's places, and its share of all keys.
#[derive(Debug, Clone, PartialEq)]
pub struct Owned {
    pub node: NodeId,
    /// Rising.
    pub tokens: Vec<u32>,
    /// Of 1.
    pub share: f64,
}

/// As many as each of Loki's ingesters has; ownership is then even to within some tenths.
const TOKENS: u32 = 128;

impl Ring {
    /// Tokens follow from a member's id, so that all who know the same members have the same ring.
    pub fn new(nodes: impl IntoIterator<Item = NodeId>) -> Self {
        let nodes: Vec<NodeId> = nodes.into_iter().collect();
        let mut tokens = Vec::with_capacity(nodes.len() * TOKENS as usize);
        for (place, node) in nodes.iter().enumerate() {
            // There are far less than 2^32 members.
            tokens.extend((0..TOKENS).map(|number| (token(*node, number), place as u32)));
        }
        tokens.sort_unstable_by_key(|(token, place)| (*token, nodes[*place as usize]));
        Self { nodes, tokens }
    }

    /// How many members there are.
    pub fn size(&self) -> usize {
        self.nodes.len()
    }

    /// What each member owns, in the order in which they were given. Replicas are not counted.
    pub fn owned(&self) -> Vec<Owned> {
        const KEYS: f64 = 4_294_967_296.0;
        let own = |node: &NodeId| Owned { node: *node, tokens: Vec::new(), share: 0.0 };
        let mut members: Vec<Owned> = self.nodes.iter().map(own).collect();
        let mut before = self.tokens.last().map_or(0, |(token, _)| *token);
        for (token, place) in &self.tokens {
            let member = &mut members[*place as usize];
            member.tokens.push(*token);
            // Keys from the token before it on, round the circle.
            member.share += f64::from(token.wrapping_sub(before)) / KEYS;
            before = *token;
        }
        members
    }

    /// The owner of a key, then the members that follow, each once; fewer than asked for if there are no
    /// more.
    pub fn replicas(&self, key: RingKey, count: usize) -> Vec<NodeId> {
        let count = count.min(self.nodes.len());
        let mut found: Vec<NodeId> = Vec::with_capacity(count);
        let first = self.tokens.partition_point(|(token, _)| *token <= key.as_u32());
        for (_, place) in self.tokens[first..].iter().chain(&self.tokens[..first]) {
            if found.len() == count {
                break;
            }
            let node = self.nodes[*place as usize];
            if !found.contains(&node) {
                found.push(node);
            }
        }
        found
    }
}

/// The finishing steps of splitmix64 over the id and the token's number: every bit of both reaches every bit
/// of the token.
fn token(node: NodeId, number: u32) -> u32 {
    let id = node.as_u128();
    let mut mixed = (id as u64) ^ (id >> 64) as u64 ^ u64::from(number).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    (mixed ^ (mixed >> 31)) as u32
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use larch_types::TenantId;

    use super::*;

    fn nodes(count: u128) -> Vec<NodeId> {
        // Ids of nodes begin with the time at which they were made, and end with chance.
        (0..count).map(|node| NodeId::from_u128(((7_000 + node) << 80) | (node * 0x5851_f42d_4c95))).collect()
    }

    fn key(number: usize) -> RingKey {
        let tenant: TenantId = "t".parse().unwrap();
        RingKey::of(&tenant, &format!("{{n=\"{number}\"}}"), None)
    }

    #[test]
    fn replicas_are_distinct_and_the_same_for_all() {
        let all = nodes(5);
        let ring = Ring::new(all.clone());
        let other = Ring::new(all.iter().rev().copied());
        for number in 0..1000 {
            for count in 0..=6 {
                let replicas = ring.replicas(key(number), count);
                assert_eq!(replicas.len(), count.min(5));
                let mut distinct = replicas.clone();
                distinct.sort();
                distinct.dedup();
                assert_eq!(distinct.len(), replicas.len());
                assert_eq!(replicas, other.replicas(key(number), count));
                assert!(ring.replicas(key(number), 6).starts_with(&replicas));
            }
        }
        assert!(Ring::new([]).replicas(key(0), 3).is_empty());
    }

    #[test]
    fn all_that_is_owned_is_the_whole() {
        assert_eq!(Ring::new([]).owned(), []);
        for count in [1, 2, 7] {
            let ring = Ring::new(nodes(count));
            let owned = ring.owned();
            assert_eq!(owned.len() as u128, count);
            let whole: f64 = owned.iter().map(|member| member.share).sum();
            assert!((whole - 1.0).abs() < 1e-9, "{whole}");
            for member in &owned {
                assert!(member.tokens.is_sorted() && member.tokens.len() == TOKENS as usize);
                let has = |number: &usize| ring.replicas(key(*number), 1)[0] == member.node;
                let part = (0..4000).filter(has).count() as f64 / 4000.0;
                assert!((part - member.share).abs() < 0.05, "{part} {}", member.share);
            }
        }
    }

    #[test]
    fn keys_are_spread_evenly_and_move_little() {
        let (before, after) = (Ring::new(nodes(9)), Ring::new(nodes(10)));
        let mut owned: HashMap<NodeId, usize> = HashMap::new();
        let mut moved = 0;
        for number in 0..10_000 {
            let owner = after.replicas(key(number), 1)[0];
            *owned.entry(owner).or_default() += 1;
            if before.replicas(key(number), 1)[0] != owner {
                assert_eq!(owner, nodes(10)[9], "only the new one takes keys");
                moved += 1;
            }
        }
        assert_eq!(owned.len(), 10);
        assert!(owned.values().all(|keys| (700..1300).contains(keys)), "{owned:?}");
        assert!((700..1300).contains(&moved), "{moved}");
    }
}
