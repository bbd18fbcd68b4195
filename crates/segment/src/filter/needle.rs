//! What must be true of the words of a line that holds a needle.

use crate::filter::words::{
    Hasher, MIN_SAMPLED, Triple, UUID_LAST, WordTable, for_each_triple, for_each_word, is_mapped, uuid_around,
};

/// Triples of letters that are looked up, of one piece and of all: the rarest. What is no word of any text has
/// one among them that hardly any text has.
pub(super) const MAX_TRIPLE_LOOKUPS: usize = 4;

/// A run of word bytes of the needle.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Piece {
    len: usize,
    mask: u8,
    /// The needle goes on at both sides with what is no word byte: the piece is a whole word of the line.
    is_bounded: bool,
    /// Has a letter that is the same as one outside ASCII if case does not count.
    has_kin: bool,
    hash: u64,
    /// Of pieces that are long enough; empty for others.
    samples: Vec<u64>,
    /// Of letters side by side, the rarest.
    triples: Vec<Triple>,
}

/// What a chunk's word table says about a piece.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    /// No word of the chunk can hold the piece.
    Impossible,
    /// The piece is a whole word: the map has it or the chunk has not.
    Whole,
    /// The piece is a whole word, or part of a long one whose parts are in the map.
    WholeOrSampled,
    /// Nothing is known.
    Possible,
}

/// What is asked of the map.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Cut {
    pub(super) pieces: Vec<Piece>,
    /// UUIDs in the needle: in the map wherever they stand in a line.
    pub(super) uuids: Vec<u64>,
}

/// Cuts a needle.
pub(super) fn cut(needle: &[u8], hasher: &Hasher) -> Cut {
    let mut all = Cut { pieces: Vec::new(), uuids: Vec::new() };
    for_each_word(needle, |word| {
        let text = &needle[word.start..word.end];
        let mut triples = Vec::new();
        for_each_triple(text, |triple| triples.push(triple));
        triples.sort_unstable_by_key(|triple| (std::cmp::Reverse(triple.rarity()), *triple));
        triples.dedup();
        triples.truncate(MAX_TRIPLE_LOOKUPS);
        all.pieces.push(Piece {
            len: text.len(),
            mask: word.mask,
            is_bounded: word.start > 0 && word.end < needle.len(),
            has_kin: text.iter().any(|byte| matches!(byte, b'k' | b'K' | b's' | b'S')),
            hash: hasher.word(text),
            samples: if text.len() >= MIN_SAMPLED { hasher.samples(text) } else { Vec::new() },
            triples,
        });
        if text.len() >= UUID_LAST
            && let Some(uuid) = uuid_around(needle, word.start)
        {
            all.uuids.push(hasher.uuid(uuid));
        }
    });
    all
}

impl Piece {
    pub(super) fn verdict(&self, table: &WordTable, is_sampled: bool) -> Verdict {
        let (longest, longest_short) = table.longest_with(self.mask);
        if longest < self.len {
            return Verdict::Impossible;
        }
        if !is_mapped(self.len, self.mask) {
            return Verdict::Possible;
        }
        if self.is_bounded || longest == self.len {
            return Verdict::Whole;
        }
        if self.len >= MIN_SAMPLED && longest_short <= self.len && is_sampled {
            return Verdict::WholeOrSampled;
        }
        Verdict::Possible
    }

    pub(super) const fn has_kin(&self) -> bool {
        self.has_kin
    }

    pub(super) const fn hash(&self) -> u64 {
        self.hash
    }

    pub(super) fn samples(&self) -> &[u64] {
        &self.samples
    }

    pub(super) fn triples(&self) -> &[Triple] {
        &self.triples
    }

    /// Long pieces with several kinds of bytes are rare: the most useful to look up first.
    pub(super) const fn rarity(&self) -> usize {
        self.len * self.mask.count_ones() as usize
    }
}
