//! Which ingesters get what of a push.
//!
//! A stream has its place on the ring. A fast one has a place for each of its write shards, and each of its
//! rows belongs to one of them by its time and line, so that a push that is sent again goes where it went
//! before. What then has the same replicas travels together.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use larch_membership::{Part as MemberPart, View};
use larch_proto::{AppendEntry, AppendStream, ReplicaSet};
use larch_ring::Ring;
use larch_types::{NodeId, RingKey, TenantId, WriteShard};
use xxhash_rust::xxh3::xxh3_64_with_seed;

/// The ring of the members that are known, made anew when they change.
#[derive(Debug, Default)]
pub(crate) struct RingBook(Mutex<Option<(u64, Arc<Ring>)>>);

/// A push, cut so that each part has replicas of its own.
#[derive(Debug)]
pub(crate) struct Placed {
    sets: Vec<ReplicaSet>,
    parts: Vec<Part>,
}

#[derive(Debug)]
struct Part {
    /// The stream's place in the push. Parts of a stream follow each other.
    place: usize,
    stream: AppendStream,
}

/// What one ingester gets.
#[derive(Debug)]
pub(crate) struct Share {
    pub(crate) node: NodeId,
    /// Of each stream its place among the parts.
    pub(crate) places: Vec<usize>,
    pub(crate) streams: Vec<AppendStream>,
    pub(crate) replica_sets: Vec<ReplicaSet>,
}

impl RingBook {
    pub(crate) fn ring(&self, view: &View) -> Arc<Ring> {
        let digest = view.ring_digest();
        let mut made = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match &*made {
            Some((known, ring)) if *known == digest => Arc::clone(ring),
            _ => {
                let ring = Arc::new(Ring::new(view.of(MemberPart::Ingester).map(|member| member.node)));
                *made = Some((digest, Arc::clone(&ring)));
                ring
            }
        }
    }
}

/// Chooses so many replicas of each stream, or of each of its write shards.
pub(crate) fn place(tenant: &TenantId, streams: Vec<AppendStream>, ring: &Ring, count: usize) -> Placed {
    let mut placed = Placed { sets: Vec::new(), parts: Vec::with_capacity(streams.len()) };
    let mut known: HashMap<Vec<NodeId>, u32> = HashMap::new();
    for (place, mut stream) in streams.into_iter().enumerate() {
        // Where all are replicas, shards would only cost.
        let shards = if ring.size() > count { stream.write_shards.max(1) } else { 1 };
        let mut sets: Vec<u32> = Vec::with_capacity(shards as usize);
        for shard in 0..shards {
            let shard = (shards > 1).then_some(WriteShard(shard));
            let nodes = ring.replicas(RingKey::of(tenant, &stream.labels, shard), count);
            let set = *known.entry(nodes).or_insert_with_key(|nodes| {
                placed.sets.push(ReplicaSet { nodes: nodes.clone() });
                // There are no more sets than ways to choose among members.
                placed.sets.len() as u32 - 1
            });
            sets.push(set);
        }
        if sets.iter().all(|set| *set == sets[0]) {
            stream.replica_set = sets[0];
            placed.parts.push(Part { place, stream });
        } else {
            for stream in spread(stream, &sets) {
                placed.parts.push(Part { place, stream });
            }
        }
    }
    placed
}

/// The rows of a stream by the replicas of their write shards.
fn spread(stream: AppendStream, set_of_shard: &[u32]) -> Vec<AppendStream> {
    let mut parts: Vec<AppendStream> = Vec::new();
    for set in set_of_shard {
        match parts.iter_mut().find(|part| part.replica_set == *set) {
            Some(part) => part.write_shards += 1,
            None => parts.push(AppendStream {
                labels: stream.labels.clone(),
                write_shard: None,
                replica_set: *set,
                entries: Vec::new(),
                policy: stream.policy.clone(),
                write_shards: 1,
            }),
        }
    }
    for entry in stream.entries {
        let set = set_of_shard[shard_of(&entry, set_of_shard.len())];
        if let Some(part) = parts.iter_mut().find(|part| part.replica_set == set) {
            part.entries.push(entry);
        }
    }
    parts.retain(|part| !part.entries.is_empty());
    parts
}

fn shard_of(entry: &AppendEntry, shards: usize) -> usize {
    let hash = xxh3_64_with_seed(&entry.line, entry.timestamp.nanos() as u64);
    (hash % shards as u64) as usize
}

impl Placed {
    /// The places in the push of all parts.
    pub(crate) fn outlines(&self) -> Vec<usize> {
        self.parts.iter().map(|part| part.place).collect()
    }

    /// One for each ingester. A part is copied for all of its replicas but the last.
    pub(crate) fn into_shares(self) -> Vec<Share> {
        let mut shares: Vec<Share> = Vec::new();
        let mut by_node: HashMap<NodeId, usize> = HashMap::new();
        for (place, part) in self.parts.into_iter().enumerate() {
            let nodes = &self.sets[part.stream.replica_set as usize].nodes;
            // One copy a replica; a single replica gets the stream itself.
            let copies = vec![part.stream; nodes.len()];
            for (node, stream) in nodes.iter().zip(copies) {
                let index = *by_node.entry(*node).or_insert_with(|| {
                    let replica_sets = self.sets.clone();
                    shares.push(Share { node: *node, places: Vec::new(), streams: Vec::new(), replica_sets });
                    shares.len() - 1
                });
                shares[index].places.push(place);
                shares[index].streams.push(stream);
            }
        }
        shares
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use larch_types::Timestamp;

    use super::*;

    fn stream(name: &str, rows: u32, write_shards: u32) -> AppendStream {
        let entry = |index: u32| AppendEntry {
            timestamp: Timestamp::from_nanos(i64::from(index / 2)),
            line: Bytes::from(format!("line {index}")),
            metadata: Vec::new(),
            index,
            level: None,
        };
        AppendStream {
            labels: format!("{{app=\"{name}\"}}"),
            write_shard: None,
            replica_set: 0,
            entries: (0..rows).map(entry).collect(),
            policy: String::new(),
            write_shards,
        }
    }

    fn ring(nodes: u128) -> Ring {
        Ring::new((1..=nodes).map(NodeId::from_u128))
    }

    fn tenant() -> TenantId {
        "t".parse().unwrap()
    }

    #[test]
    fn with_few_ingesters_nothing_is_cut() {
        for (nodes, count) in [(1, 1), (3, 3), (2, 3)] {
            let streams = vec![stream("a", 9, 5), stream("b", 3, 1)];
            let placed = place(&tenant(), streams.clone(), &ring(nodes), count);
            assert_eq!(placed.outlines(), [0, 1]);
            let shares = placed.into_shares();
            assert_eq!(shares.len(), (nodes as usize).min(count));
            for share in shares {
                assert_eq!(share.places, [0, 1]);
                for (got, pushed) in share.streams.iter().zip(&streams) {
                    assert_eq!((&got.labels, &got.entries), (&pushed.labels, &pushed.entries));
                    assert_eq!(got.write_shards, pushed.write_shards, "the rate of all shards");
                    assert!(share.replica_sets[got.replica_set as usize].nodes.contains(&share.node));
                }
            }
        }
    }

    #[test]
    fn a_fast_stream_is_on_many_ingesters_each_row_on_its_replicas() {
        let pushed = stream("a", 1000, 16);
        let shares = place(&tenant(), vec![pushed.clone()], &ring(8), 2).into_shares();
        assert!(shares.len() > 4, "{}", shares.len());
        let mut copies: HashMap<u32, usize> = HashMap::new();
        let mut shards = 0;
        for share in &shares {
            for part in &share.streams {
                assert!(part.entries.is_sorted_by_key(|entry| entry.index));
                shards += part.write_shards;
                for entry in &part.entries {
                    assert_eq!(*entry, pushed.entries[entry.index as usize]);
                    *copies.entry(entry.index).or_default() += 1;
                }
            }
        }
        assert_eq!(copies.len(), 1000);
        assert!(copies.values().all(|copies| *copies == 2));
        assert_eq!(shards, 32, "each shard's rate on each of its replicas");
    }

    #[test]
    fn a_row_that_is_pushed_again_goes_where_it_went() {
        let where_is = |stream: AppendStream, line: &str| {
            let shares = place(&tenant(), vec![stream], &ring(8), 1).into_shares();
            let has = |part: &AppendStream| part.entries.iter().any(|entry| entry.line == *line);
            shares.iter().find(|share| share.streams.iter().any(has)).map(|share| share.node)
        };
        let first = stream("a", 100, 7);
        let mut again = first.clone();
        again.entries.drain(..30);
        again.entries.reverse();
        for index in 30..100 {
            let line = format!("line {index}");
            assert_eq!(where_is(first.clone(), &line), where_is(again.clone(), &line));
        }
    }
}
