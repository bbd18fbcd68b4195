//! The map from hashes to chunks, in pages: the top bits of a hash choose the page, the next ones are
//! kept. Entries ascend; each is the step from the one before, its low bits as they are and the rest
//! in ones and a zero, and a number of a chunk.

use crate::error::{Corrupt, Section};
use crate::pack::width_of;
use crate::set::OrdinalSet;
use crate::wire::{Cursor, put_varint};

/// An absent hash is found by mistake once in so many lookups, as a power of two. Each bit more is an
/// eighth of a byte for each entry; each mistake makes a search decode one chunk.
const PRECISION: u32 = 6;

/// Entries a page, as a power of two: some 8 KiB, decoded in less time than a request takes.
const PAGE_ENTRIES: u32 = 12;

/// Bits that an entry has for its hash before it goes to a page, and behind them for its chunk.
pub(super) const HASH_BITS: u32 = 44;
pub(super) const CHUNK_BITS: u32 = 64 - HASH_BITS;

/// Chunks whose number fits an entry.
pub(super) const MAX_CHUNKS: usize = (1 << CHUNK_BITS) - 1;

/// Hash and chunk in one number, sorted by hash.
pub(super) const fn entry(hash: u64, chunk: u32) -> u64 {
    (hash & !((1 << CHUNK_BITS) - 1)) | chunk as u64
}

/// How pages are made: derived from the numbers of entries and chunks alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Shape {
    /// Pages, as a power of two.
    page_bits: u32,
    /// Bits of the hash that an entry keeps.
    kept_bits: u32,
    chunk_bits: u32,
    chunks: u32,
}

impl Shape {
    pub(super) fn new(entries: usize, chunks: u32) -> Self {
        let page_bits = width_of(entries as u64 >> PAGE_ENTRIES);
        let kept_bits = width_of(entries as u64 >> page_bits) + PRECISION;
        Self { page_bits, kept_bits, chunk_bits: width_of(u64::from(chunks)), chunks }
    }

    pub(super) const fn pages(&self) -> usize {
        1 << self.page_bits
    }

    const fn page_of(&self, hash: u64) -> usize {
        if self.page_bits == 0 { 0 } else { (hash >> (64 - self.page_bits)) as usize }
    }

    const fn kept(&self, hash: u64) -> u64 {
        (hash << self.page_bits) >> (64 - self.kept_bits)
    }
}

/// Sorted entries of a word that is in nearly all chunks become one, which says that it may be in any.
pub(super) fn join_common(entries: &[u64], chunks: u32) -> Vec<u64> {
    const HASH: u64 = !((1 << CHUNK_BITS) - 1);
    let mut joined = Vec::with_capacity(entries.len());
    for same in entries.chunk_by(|a, b| a & HASH == b & HASH) {
        if same.len() * 4 > chunks as usize * 3 {
            joined.push(entry(same[0], chunks));
        } else {
            joined.extend_from_slice(same);
        }
    }
    joined
}

/// `entries` are sorted, without doubles.
pub(super) fn encode(entries: &[u64], shape: &Shape) -> Vec<Vec<u8>> {
    let mut pages = Vec::with_capacity(shape.pages());
    let mut rest = entries;
    for page in 0..shape.pages() {
        let len = rest.partition_point(|entry| shape.page_of(*entry) <= page);
        let (head, tail) = rest.split_at(len);
        pages.push(encode_page(head, shape));
        rest = tail;
    }
    pages
}

fn encode_page(entries: &[u64], shape: &Shape) -> Vec<u8> {
    let mut out = Vec::new();
    put_varint(&mut out, entries.len() as u64);
    let mut bits = BitWriter { out, pending: 0, count: 0 };
    let mut previous = 0;
    for entry in entries {
        let kept = shape.kept(*entry);
        let step = kept - previous;
        bits.put_ones(step >> PRECISION);
        bits.put(step & ((1 << PRECISION) - 1), PRECISION);
        bits.put(entry & MAX_CHUNKS as u64, shape.chunk_bits);
        previous = kept;
    }
    bits.finish()
}

/// Adds the chunks that a hash stands for; `page` is the one that [`page_of`] names.
pub(super) fn find(page: &[u8], hash: u64, shape: &Shape, set: &mut OrdinalSet) -> Result<(), Corrupt> {
    let mut cursor = Cursor::new(page, Section::FilterPages);
    // An entry has eight bits at least.
    let entries = cursor.count()?;
    let mut bits = BitReader { bytes: cursor.rest(), at: 0 };
    let wanted = shape.kept(hash);
    let mut kept = 0_u64;
    for _ in 0..entries {
        let high = bits.ones()?;
        let low = bits.take(PRECISION)?;
        let chunk = bits.take(shape.chunk_bits)? as u32;
        kept = kept.saturating_add(high << PRECISION | low);
        if kept == wanted {
            if chunk == shape.chunks {
                set.insert_range(0..shape.chunks);
            }
            set.insert(chunk);
        }
        if kept > wanted {
            break;
        }
    }
    Ok(())
}

pub(super) const fn page_of(hash: u64, shape: &Shape) -> usize {
    shape.page_of(hash)
}

struct BitWriter {
    out: Vec<u8>,
    pending: u64,
    count: u32,
}

impl BitWriter {
    /// At most 32 bits.
    fn put(&mut self, value: u64, width: u32) {
        self.pending |= value << self.count;
        self.count += width;
        while self.count >= 8 {
            self.out.push(self.pending as u8);
            self.pending >>= 8;
            self.count -= 8;
        }
    }

    /// As many ones, then a zero.
    fn put_ones(&mut self, mut ones: u64) {
        while ones >= 16 {
            self.put(0xffff, 16);
            ones -= 16;
        }
        self.put((1 << ones) - 1, ones as u32 + 1);
    }

    fn finish(mut self) -> Vec<u8> {
        if self.count > 0 {
            self.out.push(self.pending as u8);
        }
        self.out
    }
}

struct BitReader<'a> {
    bytes: &'a [u8],
    /// In bits.
    at: usize,
}

impl BitReader<'_> {
    /// The next 32 bits at least; zeros behind the end.
    fn window(&self) -> u64 {
        let rest = self.bytes.get(self.at / 8..).unwrap_or_default();
        let window = match rest.first_chunk::<8>() {
            Some(window) => u64::from_le_bytes(*window),
            None => {
                let mut window = [0; 8];
                window[..rest.len()].copy_from_slice(rest);
                u64::from_le_bytes(window)
            }
        };
        window >> (self.at % 8)
    }

    fn skip(&mut self, bits: u32) -> Result<(), Corrupt> {
        self.at += bits as usize;
        if self.at > self.bytes.len() * 8 {
            return Err(Corrupt::new(Section::FilterPages, "it ends too early"));
        }
        Ok(())
    }

    fn take(&mut self, width: u32) -> Result<u64, Corrupt> {
        let value = self.window() & ((1 << width) - 1);
        self.skip(width)?;
        Ok(value)
    }

    fn ones(&mut self) -> Result<u64, Corrupt> {
        let mut all = 0;
        loop {
            let ones = self.window().trailing_ones().min(32);
            all += u64::from(ones);
            if ones < 32 {
                self.skip(ones + 1)?;
                return Ok(all);
            }
            self.skip(ones)?;
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(16))]

        #[test]
        fn every_entry_is_found(
            hashes in prop::collection::vec((any::<u64>(), 0_u32..40), 0..9000),
            same in any::<u64>(),
        ) {
            let mut entries: Vec<u64> = hashes.iter().map(|(hash, chunk)| entry(*hash, *chunk)).collect();
            entries.extend((0..35).map(|chunk| entry(same, chunk)));
            entries.extend((0..3).map(|chunk| entry(same ^ (1 << 63), chunk)));
            entries.sort_unstable();
            entries.dedup();
            let entries = join_common(&entries, 40);
            let shape = Shape::new(entries.len(), 40);
            let pages = encode(&entries, &shape);
            prop_assert_eq!(pages.len(), shape.pages());
            let look = |hash: u64| {
                let mut set = OrdinalSet::none(40);
                find(&pages[page_of(hash, &shape)], hash, &shape, &mut set).unwrap();
                set
            };
            for (hash, chunk) in &hashes {
                prop_assert!(look(*hash).contains(*chunk));
            }
            prop_assert_eq!(look(same).len(), 40, "of many chunks");
            let found = look(same ^ (1 << 63));
            prop_assert!((0..3).all(|chunk| found.contains(chunk)));
        }
    }

    #[test]
    fn an_absent_hash_is_seldom_found() {
        let mut entries: Vec<u64> = (0..50_000_u64).map(|i| entry(scramble(i), (i % 40) as u32)).collect();
        entries.sort_unstable();
        let shape = Shape::new(entries.len(), 40);
        let pages = encode(&entries, &shape);
        let mut found = 0;
        for i in 50_000..60_000 {
            let hash = scramble(i);
            let mut set = OrdinalSet::none(40);
            find(&pages[page_of(hash, &shape)], hash, &shape, &mut set).unwrap();
            found += usize::from(!set.is_empty());
        }
        assert!(found < 10_000 >> PRECISION, "{found} of 10,000");
        let bytes: usize = pages.iter().map(Vec::len).sum();
        assert!(bytes * 8 < entries.len() * 16, "{bytes} bytes");
    }

    fn scramble(value: u64) -> u64 {
        xxhash_rust::xxh3::xxh3_64(&value.to_le_bytes())
    }
}
