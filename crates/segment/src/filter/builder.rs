//! Collects what the filter keeps of each chunk that is written.

use larch_types::SegmentId;
use memchr::memchr2_iter;
use xxhash_rust::xxh3::xxh3_64;

use crate::filter::map::{self, Shape};
use crate::filter::words::{
    Hasher, LONG_WORD, OTHER, TRIPLES, Triple, UUID_LAST, Word, WordTable, for_each_triple, for_each_word,
    is_mapped, uuid_around, word_around,
};
use crate::memory::batch::Batch;
use crate::page::templates::{Split, is_mark};
use crate::wire::put_varint;

/// Parts of long words may take a hundredth of a chunk, at some two bytes each; what has more of them
/// is encoded data, whose parts nobody searches.
const BYTES_PER_SAMPLE: usize = 200;

/// Parts of a longer word are not looked for: finding out which to take costs eight bytes for each of its
/// bytes, and it is encoded data anyway.
const MAX_SAMPLED_WORD: usize = 64 << 10;

/// Triples of letters that a chunk may have in the map. Texts of one language have some three thousand; what
/// has more is encoded data, in which every triple is found.
const MAX_TRIPLES: usize = 4096;

/// Hashes that were seen in the chunk lately, so that words which come again and again are collected
/// once. Fits a core's first cache with room for the lines.
const RECENT: usize = 1 << 11;

/// Flags of a chunk: parts of long words are missing; a line has a letter that is k or s without regard to
/// case, but is not of ASCII; all triples of letters are in the map.
pub(super) const UNSAMPLED: u8 = 1;
pub(super) const HAS_KIN: u8 = 2;
pub(super) const HAS_TRIPLES: u8 = 4;

/// The two sections.
pub(crate) struct FilterSections {
    pub(crate) directory: Vec<u8>,
    pub(crate) pages: Vec<u8>,
}

pub(crate) struct FilterBuilder {
    hasher: Hasher,
    recent: Vec<u64>,
    entries: Vec<u64>,
    chunks: Vec<(WordTable, u8)>,
    /// Which triples of letters the chunk has, a bit each.
    triples: Vec<u64>,
}

impl FilterBuilder {
    pub(crate) fn new(id: SegmentId) -> Self {
        let triples = vec![0; TRIPLES.div_ceil(64)];
        Self {
            hasher: Hasher::new(id),
            recent: vec![0; RECENT],
            entries: Vec::new(),
            chunks: Vec::new(),
            triples,
        }
    }

    /// Takes the words of the next chunk of the segment.
    pub(crate) fn next_chunk(&mut self, batch: &Batch) -> ChunkWords<'_> {
        self.recent.fill(0);
        self.triples.fill(0);
        ChunkWords {
            hasher: self.hasher,
            chunk: self.chunks.len() as u32,
            recent: &mut self.recent,
            entries: &mut self.entries,
            chunks: &mut self.chunks,
            table: WordTable::new(),
            samples: Vec::new(),
            samples_left: batch.held_bytes() / BYTES_PER_SAMPLE,
            flags: if has_kin(batch.lines().buffer()) { HAS_KIN } else { 0 },
            hides_uuids: Vec::new(),
            triples: &mut self.triples,
            triple_count: 0,
        }
    }

    /// Nothing if there are no chunks, or more than entries can name.
    pub(crate) fn finish(mut self) -> Option<FilterSections> {
        if self.chunks.is_empty() || self.chunks.len() >= map::MAX_CHUNKS {
            return None;
        }
        self.entries.sort_unstable();
        self.entries.dedup();
        let chunks = self.chunks.len() as u32;
        let entries = map::join_common(&self.entries, chunks);
        let shape = Shape::new(entries.len(), chunks);
        let mut directory = Vec::new();
        put_varint(&mut directory, self.chunks.len() as u64);
        for (table, flags) in &self.chunks {
            directory.extend_from_slice(&table.longest);
            directory.extend_from_slice(&table.longest_short);
            directory.push(*flags);
        }
        put_varint(&mut directory, entries.len() as u64);
        let mut pages = Vec::new();
        for page in map::encode(&entries, &shape) {
            put_varint(&mut directory, page.len() as u64);
            directory.extend_from_slice(&xxh3_64(&page).to_le_bytes());
            pages.extend_from_slice(&page);
        }
        Some(FilterSections { directory, pages })
    }
}

/// Whether there is a long s or a Kelvin sign: the only two letters outside ASCII that a regex without
/// regard to case takes for letters of ASCII.
fn has_kin(text: &[u8]) -> bool {
    memchr2_iter(LONG_S[0], KELVIN[0], text)
        .any(|at| text[at..].starts_with(LONG_S) || text[at..].starts_with(KELVIN))
}

const LONG_S: &[u8] = "\u{17f}".as_bytes();
const KELVIN: &[u8] = "\u{212a}".as_bytes();

/// The words of one chunk. All lines must come, whole or split.
pub(crate) struct ChunkWords<'a> {
    hasher: Hasher,
    chunk: u32,
    recent: &'a mut [u64],
    entries: &'a mut Vec<u64>,
    chunks: &'a mut Vec<(WordTable, u8)>,
    table: WordTable,
    /// Kept aside until it is known that they are not too many.
    samples: Vec<u64>,
    samples_left: usize,
    flags: u8,
    /// For each template whether it has what may be the last group of a UUID of which only other groups
    /// are slots.
    hides_uuids: Vec<bool>,
    triples: &'a mut [u64],
    triple_count: usize,
}

impl ChunkWords<'_> {
    pub(crate) fn add_line(&mut self, line: &[u8]) {
        for_each_word(line, |word| self.add_word(line, word));
    }

    pub(crate) fn add_metadata(&mut self, name: &str, value: &str) {
        self.put(self.hasher.metadata(name, value));
    }

    /// The text of a template comes once: its words are words of all its lines, but for those that a
    /// slot is part of.
    pub(crate) fn add_split(&mut self, part: Split<'_>) {
        match part {
            Split::Template(text) => {
                let mut hides_uuid = false;
                for_each_word(text, |word| {
                    let is_slot = |byte: Option<&u8>| byte.is_some_and(|byte| is_mark(*byte));
                    let before = word.start.checked_sub(1).and_then(|at| text.get(at));
                    if is_slot(before) || is_slot(text.get(word.end)) {
                        return;
                    }
                    hides_uuid |= word.end - word.start >= UUID_LAST && before == Some(&b'-');
                    self.add_word(text, word);
                });
                self.hides_uuids.push(hides_uuid);
            }
            Split::Line { line, template, .. } if self.hides_uuids[template] => self.add_line(line),
            Split::Line { line, slots, .. } => {
                let mut end = 0;
                for (start, _) in slots {
                    if *start >= end {
                        let word = word_around(line, *start, end);
                        end = word.end;
                        self.add_word(line, word);
                    }
                }
            }
        }
    }

    fn add_word(&mut self, line: &[u8], word: Word) {
        let len = word.end - word.start;
        self.table.add(len, word.mask);
        let text = &line[word.start..word.end];
        let is_mapped = is_mapped(len, word.mask);
        // A word that was there lately has brought its triples then.
        let is_new = !is_mapped || self.put(self.hasher.word(text));
        if is_new && word.mask & OTHER != 0 {
            self.add_triples(text);
        }
        if !is_mapped {
            return;
        }
        if len >= UUID_LAST
            && word.start > 0
            && line[word.start - 1] == b'-'
            && let Some(uuid) = uuid_around(line, word.start)
        {
            self.put(self.hasher.uuid(uuid));
        }
        if len > LONG_WORD && self.flags & UNSAMPLED == 0 {
            self.add_samples(text);
        }
    }

    fn add_triples(&mut self, word: &[u8]) {
        if self.triple_count > MAX_TRIPLES {
            return;
        }
        for_each_triple(word, |triple| {
            let (bits, bit) = (&mut self.triples[triple.number() / 64], 1 << (triple.number() % 64));
            self.triple_count += usize::from(*bits & bit == 0);
            *bits |= bit;
        });
    }

    fn add_samples(&mut self, word: &[u8]) {
        let is_too_long = word.len() > MAX_SAMPLED_WORD;
        let samples = if is_too_long { Vec::new() } else { self.hasher.samples(word) };
        match self.samples_left.checked_sub(samples.len()).filter(|_| !is_too_long) {
            Some(left) => {
                self.samples_left = left;
                self.samples.extend(samples);
            }
            None => {
                self.flags |= UNSAMPLED;
                self.samples.clear();
            }
        }
    }

    /// Whether it did not come lately.
    fn put(&mut self, hash: u64) -> bool {
        let recent = &mut self.recent[hash as usize % RECENT];
        let is_new = *recent != hash;
        if is_new {
            *recent = hash;
            self.entries.push(map::entry(hash, self.chunk));
        }
        is_new
    }

    pub(crate) fn finish(mut self) {
        for sample in std::mem::take(&mut self.samples) {
            self.put(sample);
        }
        if self.triple_count <= MAX_TRIPLES {
            self.flags |= HAS_TRIPLES;
            for number in 0..TRIPLES {
                if self.triples[number / 64] & 1 << (number % 64) != 0 {
                    self.put(self.hasher.triple(Triple::new(number as u16)));
                }
            }
        }
        self.chunks.push((self.table, self.flags));
    }
}
