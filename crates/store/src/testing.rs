//! What the tests of this crate share.

/// Runs a fuzz function over a corpus and 20,000 mutations of it, the same ones every time.
pub(crate) fn mutations(corpus: &[&[u8]], fuzz: fn(&[u8])) {
    for seed in corpus {
        fuzz(seed);
    }
    let mut random = Random(0x6c61_7263_6821);
    for _ in 0..20_000 {
        let mut data = corpus[random.below(corpus.len())].to_vec();
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
pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    pub(crate) fn below(&mut self, bound: usize) -> usize {
        (self.next() % bound as u64) as usize
    }
}
