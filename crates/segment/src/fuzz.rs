//! What a fuzzer calls: everything that reads bytes which nobody vouches for.

use bytes::Bytes;

use crate::compress::Decoder;
use crate::error::{Corrupt, Section};
use crate::filter::Filter;
use crate::footer::Footer;
use crate::format::{MAX_READ_ROWS, read_directory};
use crate::histogram::Histograms;
use crate::index::{Index, IndexBytes, Selector, Test};
use crate::names::MetadataNames;
use crate::page::{lines, optional, runs, shapes, stamps, times};
use crate::reader::directory::ChunkDirectory;
use crate::reader::verify::verify;
use crate::text;

/// Reads the bytes as a whole segment, and, because checksums would refuse nearly all of those, as
/// each kind of page and section too. Never panics; takes no more memory than what the format allows
/// for input of that length.
pub fn fuzz_reader(data: &[u8]) {
    let object = Bytes::copy_from_slice(data);
    // Refusals are what most input deserves; that there is no panic is all that is asked.
    drop(verify(&object));
    let Some((first, body)) = data.split_first() else { return };
    let rows = (usize::from(*first) * 2).min(MAX_READ_ROWS);
    let _refused = read_as_page(body, rows);
    let _refused = read_as_footer(body);
    let _refused = read_as_index(&object.slice(1..));
    let _refused = read_as_filter(&object.slice(1..));
    let _refused = read_as_histograms(&object.slice(1..));
    drop(MetadataNames::new(body, rows));
}

fn read_as_page(page: &[u8], rows: usize) -> Result<(), Corrupt> {
    let mut decoder = Decoder::new();
    drop(times::decode(page, rows));
    drop(runs::decode(page, rows, &mut decoder));
    if let Ok(stamps) = stamps::decode(page, rows, &mut decoder) {
        stamps.get(rows / 2);
    }
    if let Ok(levels) = optional::decode(page, rows, &mut decoder) {
        for row in 0..rows {
            levels.get(row);
        }
    }
    if let Ok(shapes) = shapes::decode(page, rows, &mut decoder) {
        for row in 0..rows {
            shapes.of_row(row);
        }
    }
    if let Ok(texts) = text::decode(page, rows, Section::Metadata, &mut decoder) {
        for value in 0..rows {
            texts.get(value);
        }
    }
    let lines = lines::decode(&Bytes::copy_from_slice(page), rows, &mut decoder)?;
    let lines = lines.view();
    let finder = memchr::memmem::Finder::new(b"a");
    let found = lines.rows_with(&finder);
    let picked = lines.pick(&found);
    (0..found.len()).for_each(|number| assert!(finder.find(picked.get(number)).is_some()));
    assert!(lines.iter().count() == rows && found == lines.rows_with(&finder));
    Ok(())
}

fn read_as_footer(bytes: &[u8]) -> Result<(), Corrupt> {
    drop(read_directory(bytes, u32::MAX, u64::MAX));
    if let Ok(entry) = ChunkDirectory::decode(bytes, u64::MAX) {
        assert!(ChunkDirectory::decode(&entry.encode(), u64::MAX) == Ok(entry));
    }
    let footer = Footer::decode(bytes, u64::MAX)?;
    let again = footer.encode(0, 0);
    assert!(Footer::decode(&again[..again.len() - crate::format::TRAILER_LEN], u64::MAX)? == footer);
    Ok(())
}

fn read_as_index(bytes: &Bytes) -> Result<(), Corrupt> {
    let quarter = bytes.len() / 4;
    let parts = IndexBytes {
        symbols: bytes.slice(..quarter),
        series: bytes.slice(quarter..2 * quarter),
        postings: bytes.slice(2 * quarter..3 * quarter),
        stream_ids: bytes.slice(3 * quarter..),
    };
    let index = Index::new(&parts, 100)?;
    let anything = |_: &str| true;
    for test in [Test::Is("a"), Test::IsNot("a"), Test::Passes(&anything)] {
        drop(index.select(&[Selector { name: "a", test }]));
    }
    index.verify()
}

fn read_as_filter(bytes: &Bytes) -> Result<(), Corrupt> {
    let id = larch_types::SegmentId::from_u128(1);
    let filter = Filter::new(bytes, id, 0, bytes.len() as u64)?;
    let probe = filter.substring(b"00112233445566778899aabbccddeeff");
    let pages: Vec<Bytes> =
        probe.ranges().map(|range| bytes.slice(range.start as usize..range.end as usize)).collect();
    probe.chunks_of_unchecked(&pages)?;
    Ok(())
}

fn read_as_histograms(bytes: &Bytes) -> Result<(), Corrupt> {
    let histograms = Histograms::new(bytes.clone());
    let counts = histograms.of(&crate::set::OrdinalSet::all(4))?;
    for (_, minutes) in &counts.streams {
        assert!(minutes.iter().all(|minute| minute.rows() == 0 || !minute.levels.is_empty()));
        let mut of_levels = minutes.iter().flat_map(|minute| &minute.levels);
        assert!(of_levels.all(|count| (count.level as usize) < counts.levels.len()));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Effort;
    use crate::testing::{Rng, build, golden_rows};

    /// Every page and section of a small segment by itself, and the segment.
    fn corpus() -> Vec<Vec<u8>> {
        let mut all = vec![Vec::new()];
        for effort in [Effort::Fresh, Effort::Merged] {
            let object = build(&golden_rows(), effort);
            let segment = verify(&object).unwrap();
            for part in segment.parts() {
                // The byte in front says how many rows there are: as many as in the largest chunk.
                let mut bytes = vec![101];
                bytes.extend_from_slice(&object[part.start as usize..part.end as usize]);
                all.push(bytes);
            }
            all.push(object.to_vec());
        }
        all
    }

    #[test]
    fn hostile_bytes_are_refused() {
        let corpus = corpus();
        for seed in &corpus {
            fuzz_reader(seed);
        }
        let mut rng = Rng::new(2026);
        for _ in 0..20_000 {
            let mut bytes = corpus[rng.below(corpus.len())].clone();
            for _ in 0..1 + rng.below(4) {
                let at = rng.below(bytes.len());
                match rng.below(5) {
                    _ if bytes.is_empty() => bytes.push(rng.next() as u8),
                    0 => bytes[at] = rng.next() as u8,
                    1 => bytes[at] ^= 1 << rng.below(8),
                    2 => bytes.insert(at, rng.next() as u8),
                    3 => bytes.truncate(at),
                    _ => {
                        bytes.remove(at);
                    }
                }
            }
            fuzz_reader(&bytes);
        }
    }
}
