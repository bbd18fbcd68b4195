//! Bodies as shippers make them, and damaged ones.

use prost::Message;

/// `PushRequest`, as prost reads and writes it.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct WirePush {
    #[prost(message, repeated, tag = "1")]
    pub(crate) streams: Vec<WireStream>,
    #[prost(string, tag = "2")]
    pub(crate) format: String,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct WireStream {
    #[prost(bytes = "vec", tag = "1")]
    pub(crate) labels: Vec<u8>,
    #[prost(message, repeated, tag = "2")]
    pub(crate) entries: Vec<WireEntry>,
    #[prost(uint64, tag = "3")]
    pub(crate) hash: u64,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct WireEntry {
    #[prost(message, optional, tag = "1")]
    pub(crate) timestamp: Option<WireTime>,
    #[prost(bytes = "vec", tag = "2")]
    pub(crate) line: Vec<u8>,
    #[prost(message, repeated, tag = "3")]
    pub(crate) metadata: Vec<WirePair>,
    #[prost(message, repeated, tag = "4")]
    pub(crate) parsed: Vec<WirePair>,
}

#[derive(Clone, Copy, PartialEq, Message)]
pub(crate) struct WireTime {
    #[prost(int64, tag = "1")]
    pub(crate) seconds: i64,
    #[prost(int32, tag = "2")]
    pub(crate) nanos: i32,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct WirePair {
    #[prost(bytes = "vec", tag = "1")]
    pub(crate) name: Vec<u8>,
    #[prost(bytes = "vec", tag = "2")]
    pub(crate) value: Vec<u8>,
}

/// `google.rpc.Status`.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct WireStatus {
    #[prost(int32, tag = "1")]
    pub(crate) code: i32,
    #[prost(string, tag = "2")]
    pub(crate) message: String,
}

impl WireTime {
    pub(crate) fn from_nanos(nanos: i64) -> Self {
        Self { seconds: nanos.div_euclid(1_000_000_000), nanos: nanos.rem_euclid(1_000_000_000) as i32 }
    }
}

pub(crate) fn snappy_block(bytes: &[u8]) -> Vec<u8> {
    snap::raw::Encoder::new().compress_vec(bytes).unwrap()
}

/// Runs a fuzz function over a corpus and 20,000 mutations of it, the same ones every time.
pub(crate) fn mutations(corpus: &[Vec<u8>], fuzz: impl Fn(&[u8])) {
    for seed in corpus {
        fuzz(seed);
    }
    let mut random = Random(0x6c61_7263_6821);
    for _ in 0..20_000 {
        let mut data = corpus[random.below(corpus.len())].clone();
        for _ in 0..=random.below(8) {
            mutate(&mut data, &mut random);
        }
        fuzz(&data);
    }
}

fn mutate(data: &mut Vec<u8>, random: &mut Random) {
    let at = random.below(data.len() + 1);
    match random.below(4) {
        0 => data.insert(at, random.below(256) as u8),
        1 => data.truncate(at),
        2 if at < data.len() => data[at] ^= 1 << random.below(8),
        _ => data.extend_from_within(at..),
    }
    data.truncate(4096);
}

/// A splitmix64 generator.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((mixed ^ (mixed >> 31)) % bound as u64) as usize
    }
}
