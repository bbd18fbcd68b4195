//! Asks the filter. First the directory alone says which pages of the map a needle needs, then those
//! pages say which chunks can hold it.

use std::ops::Range;

use bytes::Bytes;
use larch_types::SegmentId;
use xxhash_rust::xxh3::xxh3_64;

use crate::error::{Corrupt, Section};
use crate::filter::builder::{HAS_KIN, HAS_TRIPLES, UNSAMPLED};
use crate::filter::map::{self, Shape};
use crate::filter::needle::{MAX_TRIPLE_LOOKUPS, Verdict, cut};
use crate::filter::words::{Hasher, MASKS, Triple, WordTable};
use crate::set::OrdinalSet;
use crate::wire::Cursor;

/// Pieces of one needle that are looked up: the rarest of them leave out what others would.
const MAX_LOOKUPS: usize = 3;

/// The directory of a segment's filter.
#[derive(Debug, Clone)]
pub struct Filter {
    hasher: Hasher,
    chunks: Vec<ChunkFilter>,
    shape: Shape,
    pages: Vec<PageEntry>,
}

#[derive(Debug, Clone, Copy)]
struct ChunkFilter {
    table: WordTable,
    is_sampled: bool,
    has_kin: bool,
    has_triples: bool,
}

#[derive(Debug, Clone)]
struct PageEntry {
    range: Range<u64>,
    checksum: u64,
}

/// A question that waits for pages of the map.
#[derive(Debug, Clone)]
pub struct Probe {
    possible: OrdinalSet,
    lookups: Vec<Lookup>,
    shape: Shape,
    pages: Vec<(usize, PageEntry)>,
}

#[derive(Debug, Clone)]
struct Lookup {
    /// Chunks for which the map decides.
    whole: OrdinalSet,
    sampled: OrdinalSet,
    hash: u64,
    samples: Vec<u64>,
}

impl Filter {
    /// `start` is where the pages of the map begin in the object, `len` how many bytes they have.
    pub(crate) fn new(directory: &[u8], id: SegmentId, start: u64, len: u64) -> Result<Self, Corrupt> {
        let mut cursor = Cursor::new(directory, Section::Filter);
        let count = cursor.at_most(map::MAX_CHUNKS)?;
        let mut chunks = Vec::new();
        for _ in 0..count {
            let table = WordTable { longest: cursor.array()?, longest_short: cursor.array::<MASKS>()? };
            let flags = cursor.u8()?;
            let (is_sampled, has_kin) = (flags & UNSAMPLED == 0, flags & HAS_KIN != 0);
            chunks.push(ChunkFilter { table, is_sampled, has_kin, has_triples: flags & HAS_TRIPLES != 0 });
        }
        // An entry has eight bits at least.
        let entries = cursor.at_most(usize::try_from(len).unwrap_or(usize::MAX))?;
        let shape = Shape::new(entries, count as u32);
        let mut pages = Vec::new();
        let mut at = start;
        for _ in 0..shape.pages() {
            let end = at.checked_add(cursor.varint()?).filter(|end| *end <= start.saturating_add(len));
            let end = end.ok_or(cursor.corrupt("a page lies outside"))?;
            pages.push(PageEntry { range: at..end, checksum: cursor.u64_le()? });
            at = end;
        }
        cursor.finish()?;
        if at != start + len {
            return Err(cursor.corrupt("the pages do not cover their section"));
        }
        Ok(Self { hasher: Hasher::new(id), chunks, shape, pages })
    }

    /// Chunks of the segment, as the filter counts them.
    pub(crate) fn chunks(&self) -> usize {
        self.chunks.len()
    }

    /// Chunks that can have a line which contains these bytes.
    pub fn substring(&self, needle: &[u8]) -> Probe {
        self.lines_with(needle, true)
    }

    /// The same without regard to case, for needles of ASCII; none for others. Words are kept without their
    /// case anyway.
    pub fn substring_without_case(&self, needle: &[u8]) -> Option<Probe> {
        needle.is_ascii().then(|| self.lines_with(needle, false))
    }

    fn lines_with(&self, needle: &[u8], has_case: bool) -> Probe {
        let cut = cut(needle, &self.hasher);
        let chunks = self.chunks.len() as u32;
        let mut possible = OrdinalSet::all(chunks);
        let mut lookups = Vec::new();
        for hash in cut.uuids {
            lookups.push((usize::MAX, Lookup::of_whole(hash, OrdinalSet::all(chunks))));
        }
        let mut triples: Vec<(Triple, OrdinalSet)> = Vec::new();
        for piece in &cut.pieces {
            let mut lookup = Lookup::of_whole(piece.hash(), OrdinalSet::none(chunks));
            let mut by_triples = OrdinalSet::none(chunks);
            for (chunk, filter) in self.chunks.iter().enumerate() {
                if !has_case && piece.has_kin() && filter.has_kin {
                    continue;
                }
                match piece.verdict(&filter.table, filter.is_sampled) {
                    Verdict::Impossible => possible.remove(chunk as u32),
                    Verdict::Whole => lookup.whole.insert(chunk as u32),
                    Verdict::WholeOrSampled => lookup.sampled.insert(chunk as u32),
                    Verdict::Possible if filter.has_triples => by_triples.insert(chunk as u32),
                    Verdict::Possible => {}
                }
            }
            if !lookup.sampled.is_empty() {
                lookup.samples = piece.samples().to_vec();
            }
            lookups.push((piece.rarity(), lookup));
            if by_triples.intersects(&possible) {
                triples.extend(piece.triples().iter().map(|triple| (*triple, by_triples.clone())));
            }
        }
        lookups.retain(|(_, lookup)| lookup.decides_any(&possible));
        lookups.sort_by_key(|(rarity, _)| std::cmp::Reverse(*rarity));
        lookups.truncate(MAX_LOOKUPS);
        let mut lookups: Vec<Lookup> = lookups.into_iter().map(|(_, lookup)| lookup).collect();
        triples.retain(|(_, chunks)| chunks.intersects(&possible));
        triples.sort_by_key(|(triple, _)| std::cmp::Reverse(triple.rarity()));
        for (triple, chunks) in triples.into_iter().take(MAX_TRIPLE_LOOKUPS) {
            lookups.push(Lookup::of_whole(self.hasher.triple(triple), chunks));
        }
        self.probe(possible, lookups)
    }

    /// Chunks that can have a row with this metadata.
    pub fn metadata(&self, name: &str, value: &str) -> Probe {
        let all = OrdinalSet::all(self.chunks.len() as u32);
        self.probe(all.clone(), vec![Lookup::of_whole(self.hasher.metadata(name, value), all)])
    }

    fn probe(&self, possible: OrdinalSet, lookups: Vec<Lookup>) -> Probe {
        let mut numbers = Vec::new();
        for lookup in &lookups {
            numbers.push(map::page_of(lookup.hash, &self.shape));
            numbers.extend(lookup.samples.iter().map(|hash| map::page_of(*hash, &self.shape)));
        }
        numbers.sort_unstable();
        numbers.dedup();
        let pages = numbers.into_iter().map(|number| (number, self.pages[number].clone())).collect();
        Probe { possible, lookups, shape: self.shape, pages }
    }

    /// Every page, for whoever checks them all.
    pub(crate) fn page_checks(&self) -> impl Iterator<Item = (Range<u64>, u64)> {
        self.pages.iter().map(|page| (page.range.clone(), page.checksum))
    }
}

impl Lookup {
    fn of_whole(hash: u64, whole: OrdinalSet) -> Self {
        let sampled = OrdinalSet::none(whole.count());
        Self { whole, sampled, hash, samples: Vec::new() }
    }

    fn decides_any(&self, possible: &OrdinalSet) -> bool {
        possible.intersects(&self.whole) || possible.intersects(&self.sampled)
    }
}

impl Probe {
    /// Chunks that are not left out by the directory alone.
    pub fn possible(&self) -> &OrdinalSet {
        &self.possible
    }

    /// Byte ranges of the object that [`Probe::chunks`] wants.
    pub fn ranges(&self) -> impl Iterator<Item = Range<u64>> {
        self.pages.iter().map(|(_, page)| page.range.clone())
    }

    /// The chunks that can hold the needle; `pages` are the bytes of [`Probe::ranges`], in that order.
    pub fn chunks(&self, pages: &[Bytes]) -> Result<OrdinalSet, Corrupt> {
        let corrupt = |what| Corrupt::new(Section::FilterPages, what);
        if pages.len() != self.pages.len() {
            return Err(corrupt("pages are missing"));
        }
        for ((_, entry), bytes) in self.pages.iter().zip(pages) {
            if xxh3_64(bytes) != entry.checksum {
                return Err(corrupt("the checksum does not match"));
            }
        }
        self.chunks_of_unchecked(pages)
    }

    /// `pages` are as many as the ranges.
    pub(crate) fn chunks_of_unchecked(&self, pages: &[Bytes]) -> Result<OrdinalSet, Corrupt> {
        let mut found = self.possible.clone();
        for lookup in &self.lookups {
            let mut undecided = lookup.whole.clone();
            undecided.add(&lookup.sampled);
            undecided.invert();
            let mut hits = self.find(lookup.hash, pages)?;
            if let Some((first, others)) = lookup.samples.split_first() {
                let mut in_all = self.find(*first, pages)?;
                for sample in others {
                    in_all.keep(&self.find(*sample, pages)?);
                }
                in_all.keep(&lookup.sampled);
                hits.add(&in_all);
            }
            hits.add(&undecided);
            found.keep(&hits);
        }
        Ok(found)
    }

    fn find(&self, hash: u64, pages: &[Bytes]) -> Result<OrdinalSet, Corrupt> {
        let mut set = OrdinalSet::none(self.possible.count());
        let number = map::page_of(hash, &self.shape);
        let place = self.pages.binary_search_by_key(&number, |(number, _)| *number);
        if let Some(page) = place.ok().and_then(|place| pages.get(place)) {
            map::find(page, hash, &self.shape, &mut set)?;
        }
        Ok(set)
    }
}
