//! Words, and what is kept of them. The builder and whoever asks share all of this.

use larch_types::SegmentId;
use xxhash_rust::xxh3::{xxh3_64, xxh3_64_with_seed};

/// Kinds of bytes in a word.
const DIGIT: u8 = 1;
const HEX_LETTER: u8 = 2;
pub(super) const OTHER: u8 = 4;

/// Sets of kinds that a word can have.
pub(super) const MASKS: usize = 7;

/// The kind of each byte; 0 for those that end a word.
static KINDS: [u8; 256] = kinds();

const fn kinds() -> [u8; 256] {
    let mut kinds = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        kinds[byte] = match byte as u8 {
            b'0'..=b'9' => DIGIT,
            b'a'..=b'f' | b'A'..=b'F' => HEX_LETTER,
            b'g'..=b'z' | b'G'..=b'Z' | b'_' | 0x80.. => OTHER,
            _ => 0,
        };
        byte += 1;
    }
    kinds
}

/// A longest run of word bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Word {
    pub(super) start: usize,
    pub(super) end: usize,
    /// Kinds of bytes in it, never none.
    pub(super) mask: u8,
}

pub(super) fn for_each_word(text: &[u8], mut each: impl FnMut(Word)) {
    let mut at = 0;
    while at < text.len() {
        let mut mask = KINDS[usize::from(text[at])];
        let start = at;
        at += 1;
        if mask == 0 {
            continue;
        }
        while at < text.len() {
            let kind = KINDS[usize::from(text[at])];
            if kind == 0 {
                break;
            }
            mask |= kind;
            at += 1;
        }
        each(Word { start, end: at, mask });
    }
}

/// The word that holds the byte at `at`, which is a word byte; it does not begin before `least`.
pub(super) fn word_around(text: &[u8], at: usize, least: usize) -> Word {
    let mut word = Word { start: at, end: at, mask: 0 };
    while word.start > least && KINDS[usize::from(text[word.start - 1])] != 0 {
        word.start -= 1;
        word.mask |= KINDS[usize::from(text[word.start])];
    }
    while word.end < text.len() && KINDS[usize::from(text[word.end])] != 0 {
        word.mask |= KINDS[usize::from(text[word.end])];
        word.end += 1;
    }
    word
}

/// Shorter words are in most chunks, or are numbers of which every chunk has many.
const MIN_WORD: usize = 5;

/// Decimal numbers shorter than this are counts, sizes and durations: every chunk has thousands, and
/// few are searched for.
const MIN_DECIMAL: usize = 7;

/// Whether the map has words of this form. What it has not can never leave a chunk out.
pub(super) const fn is_mapped(len: usize, mask: u8) -> bool {
    len >= if mask == DIGIT { MIN_DECIMAL } else { MIN_WORD }
}

/// Longer words also have some of their parts in the map, as needles are often parts of them.
pub(super) const LONG_WORD: usize = 32;

/// Bytes of a part.
const GRAM: usize = 8;

/// Of so many parts in a row the one with the least hash is taken.
const WINDOW: usize = 9;

/// A needle's piece of this length holds a whole window, so at least one part that was taken.
pub(super) const MIN_SAMPLED: usize = GRAM + WINDOW - 1;

/// Makes the hashes of one segment. The key comes from the segment's id, whose random part nobody knows
/// before the segment is written: lines cannot be made to collide.
#[derive(Debug, Clone, Copy)]
pub(super) struct Hasher {
    key: u64,
}

/// What is hashed besides words, so that no two kinds of entries meet.
const GRAM_KEY: u64 = 0x9e37_79b9_7f4a_7c15;
const UUID_KEY: u64 = 0xc2b2_ae3d_27d4_eb4f;
const METADATA_KEY: u64 = 0x1656_67b1_9e37_79f9;
const TRIPLE_KEY: u64 = 0x27d4_eb2f_1656_67c5;

impl Hasher {
    pub(super) fn new(id: SegmentId) -> Self {
        Self { key: xxh3_64(&id.as_u128().to_le_bytes()) }
    }

    pub(super) fn word(&self, word: &[u8]) -> u64 {
        hash_folded(word, self.key)
    }

    pub(super) fn uuid(&self, uuid: &[u8]) -> u64 {
        hash_folded(uuid, self.key ^ UUID_KEY)
    }

    pub(super) fn metadata(&self, name: &str, value: &str) -> u64 {
        let name = hash_folded(name.as_bytes(), self.key ^ METADATA_KEY);
        hash_folded(value.as_bytes(), name)
    }

    pub(super) fn triple(&self, triple: Triple) -> u64 {
        hash_folded(&triple.letters(), self.key ^ TRIPLE_KEY)
    }

    /// Hashes of the parts of a word, or of a piece of one, that are taken.
    pub(super) fn samples(&self, word: &[u8]) -> Vec<u64> {
        let grams: Vec<u64> = word.windows(GRAM).map(|gram| hash_folded(gram, self.key ^ GRAM_KEY)).collect();
        let mut samples: Vec<u64> =
            grams.windows(WINDOW).filter_map(|window| window.iter().min().copied()).collect();
        samples.sort_unstable();
        samples.dedup();
        samples
    }
}

/// Three letters of ASCII side by side, without their case, that are not all of `a` to `f`: those of ids in
/// hexadecimal are in every chunk that has ids.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Triple(u16);

const LETTERS: u16 = 26;
const HEX_LETTERS: u16 = 6;

/// So many numbers a triple can have.
pub(super) const TRIPLES: usize = LETTERS.pow(3) as usize;

/// Letters from the one that texts have most to the one that they have least.
const BY_FREQUENCY: &[u8; LETTERS as usize] = b"etaoinsrhldcumfpgwybvkxjqz";

impl Triple {
    /// The one with this number.
    pub(super) const fn new(number: u16) -> Self {
        Self(number)
    }

    pub(super) fn number(self) -> usize {
        usize::from(self.0)
    }

    fn letters(self) -> [u8; 3] {
        let letter = |number: u16| b'a' + (number % LETTERS) as u8;
        [letter(self.0 / LETTERS / LETTERS), letter(self.0 / LETTERS), letter(self.0)]
    }

    /// Greater for those that fewer texts have, as far as their letters tell.
    pub(super) fn rarity(self) -> usize {
        let of = |letter: u8| BY_FREQUENCY.iter().position(|known| *known == letter).unwrap_or_default();
        self.letters().into_iter().map(of).sum()
    }
}

pub(super) fn for_each_triple(word: &[u8], mut each: impl FnMut(Triple)) {
    // Of the letters right before; none behind a byte that is no letter.
    let (mut before, mut last): (Option<u16>, Option<u16>) = (None, None);
    for byte in word {
        let letter = match byte | 0x20 {
            letter @ b'a'..=b'z' if byte.is_ascii_alphabetic() => Some(u16::from(letter - b'a')),
            _ => None,
        };
        if let (Some(first), Some(second), Some(third)) = (before, last, letter)
            && first.max(second).max(third) >= HEX_LETTERS
        {
            each(Triple((first * LETTERS + second) * LETTERS + third));
        }
        (before, last) = (last, letter);
    }
}

/// Sets the bit that tells lower from upper case in every byte, so that needles without case can ask
/// too. That some other bytes meet by it costs nothing.
fn hash_folded(text: &[u8], key: u64) -> u64 {
    const FOLD: u8 = 0x20;
    let mut buffer = [0_u8; 64];
    if let Some(folded) = buffer.get_mut(..text.len()) {
        for (to, from) in folded.iter_mut().zip(text) {
            *to = from | FOLD;
        }
        return xxh3_64_with_seed(folded, key);
    }
    let folded: Vec<u8> = text.iter().map(|byte| byte | FOLD).collect();
    xxh3_64_with_seed(&folded, key)
}

/// Text of a UUID: 8-4-4-4-12 hexadecimal digits.
pub(super) const UUID_LEN: usize = 36;

/// Digits of its last group; a UUID is looked for where a word begins that can be that group.
pub(super) const UUID_LAST: usize = 12;

/// The UUID that ends `UUID_LAST` bytes behind `last_group`, if one does.
pub(super) fn uuid_around(text: &[u8], last_group: usize) -> Option<&[u8]> {
    let start = last_group.checked_sub(UUID_LEN - UUID_LAST)?;
    let uuid = text.get(start..last_group + UUID_LAST)?;
    for (at, byte) in uuid.iter().enumerate() {
        let fits = match at {
            8 | 13 | 18 | 23 => *byte == b'-',
            _ => KINDS[usize::from(*byte)] & (DIGIT | HEX_LETTER) != 0,
        };
        if !fits {
            return None;
        }
    }
    Some(uuid)
}

/// How long words are, by the kinds of bytes in them; lengths stop at 255.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct WordTable {
    /// Of all words, and of those of at most [`LONG_WORD`] bytes.
    pub(super) longest: [u8; MASKS],
    pub(super) longest_short: [u8; MASKS],
}

impl WordTable {
    pub(super) const fn new() -> Self {
        Self { longest: [0; MASKS], longest_short: [0; MASKS] }
    }

    pub(super) fn add(&mut self, len: usize, mask: u8) {
        let place = usize::from(mask) - 1;
        let len_byte = len.min(255) as u8;
        self.longest[place] = self.longest[place].max(len_byte);
        if len <= LONG_WORD {
            self.longest_short[place] = self.longest_short[place].max(len_byte);
        }
    }

    /// The longest word that has all these kinds of bytes, and the longest of the short ones.
    pub(super) fn longest_with(&self, mask: u8) -> (usize, usize) {
        let (mut longest, mut short) = (0, 0);
        for place in 0..MASKS {
            if (place as u8 + 1) & mask == mask {
                longest = longest.max(self.longest[place]);
                short = short.max(self.longest_short[place]);
            }
        }
        // What stopped at 255 may be of any length.
        (if longest == u8::MAX { usize::MAX } else { usize::from(longest) }, usize::from(short))
    }
}
