//! What a stream's labels hash to: its id, its place in the ring, its place among others in answers.

use std::fmt;

use xxhash_rust::xxh3::xxh3_128;
use xxhash_rust::xxh64::Xxh64;

use crate::{Labels, TenantId};

/// xxh3-128 of the canonical label text. The same everywhere and for ever; streams of two tenants may
/// share it.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct StreamId(u128);

impl StreamId {
    pub fn of(labels: &Labels) -> Self {
        Self::of_canonical(&labels.canonical())
    }

    /// For callers that hold the canonical text already.
    pub fn of_canonical(text: &str) -> Self {
        Self(xxh3_128(text.as_bytes()))
    }

    pub const fn from_u128(value: u128) -> Self {
        Self(value)
    }

    pub const fn as_u128(self) -> u128 {
        self.0
    }
}

impl fmt::Display for StreamId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

impl fmt::Debug for StreamId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "StreamId({self})")
    }
}

/// Shard `index` of `count` of all streams, by the top bits of their ids. `count` is a power of two.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct StreamShard {
    index: u32,
    log2_count: u32,
}

impl StreamShard {
    /// `None` if `count` is no power of two or `index` is not below it.
    pub const fn new(index: u32, count: u32) -> Option<Self> {
        if !count.is_power_of_two() || index >= count {
            return None;
        }
        Some(Self { index, log2_count: count.ilog2() })
    }

    pub const fn index(self) -> u32 {
        self.index
    }

    pub const fn count(self) -> u32 {
        1 << self.log2_count
    }

    pub const fn contains(self, stream: StreamId) -> bool {
        if self.log2_count == 0 {
            return true;
        }
        (stream.0 >> (128 - self.log2_count)) as u32 == self.index
    }
}

/// The part of a very fast stream that an entry belongs to, so that several ingesters share the
/// stream. Chosen by content, so that a retry meets itself; never a label.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct WriteShard(pub u32);

/// A place on the hash ring.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RingKey(u32);

impl RingKey {
    /// FNV-1 over tenant and canonical labels, as Loki has it, and over the write shard where a fast
    /// stream is spread.
    pub fn of(tenant: &TenantId, canonical: &str, shard: Option<WriteShard>) -> Self {
        let mut hash = fnv1(FNV_OFFSET, tenant.as_str().as_bytes());
        hash = fnv1(hash, canonical.as_bytes());
        if let Some(WriteShard(shard)) = shard {
            // The first bytes reach all bits of the hash, the last only its lowest: that one must not be all
            // that differs, or a stream's shards would be neighbours with one owner.
            hash = fnv1(hash, &shard.to_le_bytes());
        }
        Self(hash)
    }

    pub const fn as_u32(self) -> u32 {
        self.0
    }
}

const FNV_OFFSET: u32 = 0x811c_9dc5;
const FNV_PRIME: u32 = 0x0100_0193;

fn fnv1(mut hash: u32, bytes: &[u8]) -> u32 {
    for byte in bytes {
        hash = hash.wrapping_mul(FNV_PRIME) ^ u32::from(*byte);
    }
    hash
}

/// How streams of one answer are ordered: by xxh64 over name, 0xFF, value, 0xFF of each label in name
/// order, then by the labels themselves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct StreamOrder(u64);

impl StreamOrder {
    pub fn of(labels: &Labels) -> Self {
        let mut hash = Xxh64::new(0);
        for label in labels {
            hash.update(label.name.as_bytes());
            hash.update(&[0xff]);
            hash.update(label.value.as_bytes());
            hash.update(&[0xff]);
        }
        Self(hash.digest())
    }

    pub const fn as_u64(self) -> u64 {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn labels(pairs: &[(&str, &str)]) -> Labels {
        Labels::from_pairs(pairs.iter().copied()).unwrap()
    }

    /// Stored data depends on these values: they never change.
    #[test]
    fn frozen_hashes() {
        let labels = labels(&[("app", "checkout"), ("env", "prod")]);
        let tenant: TenantId = "acme".parse().unwrap();
        assert_eq!(labels.canonical(), r#"{app="checkout", env="prod"}"#);
        assert_eq!(StreamId::of(&labels).to_string(), "017f49daa78f19afc0b8bea0a0d11f02");
        assert_eq!(RingKey::of(&tenant, &labels.canonical(), None).as_u32(), 3_723_747_364);
        assert_eq!(RingKey::of(&tenant, &labels.canonical(), Some(WriteShard(1))).as_u32(), 3_329_323_439);
        assert_eq!(StreamOrder::of(&labels).as_u64(), 17_880_486_901_110_525_123);
    }

    #[test]
    fn fnv1_matches_its_published_vectors() {
        assert_eq!(fnv1(FNV_OFFSET, b""), 0x811c_9dc5);
        assert_eq!(fnv1(FNV_OFFSET, b"a"), 0x050c_5d7e);
        assert_eq!(fnv1(FNV_OFFSET, b"foobar"), 0x31f0_b262);
    }

    proptest! {
        #[test]
        fn every_stream_is_in_exactly_one_shard(id in any::<u128>(), log2 in 0_u32..10) {
            let count = 1 << log2;
            let holders = (0..count)
                .filter(|index| StreamShard::new(*index, count).unwrap().contains(StreamId(id)))
                .count();
            prop_assert_eq!(holders, 1);
        }
    }

    #[test]
    fn shards_are_powers_of_two() {
        assert!(StreamShard::new(0, 3).is_none());
        assert!(StreamShard::new(4, 4).is_none());
        assert!(StreamShard::new(0, 0).is_none());
    }
}
