//! What is not as it was written is refused, and names where.

use larch_types::{Labels, Timestamp};

use super::*;
use crate::set::OrdinalSet;
use crate::testing::{OwnedRow, Rng, build, labels, read};
use crate::{ChunkDirectory, Decoder, Effort, RowFinder, verify};

/// Small, with every kind of section and page.
fn rows() -> Vec<(Labels, OwnedRow)> {
    let mut rows = Vec::new();
    for index in 0..100_u32 {
        let line = format!("level=info id={index:x} user=u{}", index * 7919 % 100);
        let mut row = OwnedRow::new(i64::from(index / 2) * 1000, line);
        row.stamp = (u128::from(index), index);
        row.metadata = vec![("trace".into(), format!("{:016x}", index * 77)), ("k".into(), "v".into())];
        row.level = (index % 3 == 0).then(|| "info".to_owned());
        let pod = if index < 90 { "1" } else { "2" };
        rows.push((labels(&[("app", "a"), ("pod", pod)]), row));
    }
    rows
}

fn corrupt_section(result: Result<Segment, OpenError>) -> Option<Section> {
    match result {
        Ok(_) => None,
        Err(OpenError::Corrupt(corrupt)) => Some(corrupt.section),
        Err(OpenError::Version { .. }) => Some(Section::Trailer),
        Err(other) => panic!("{other}"),
    }
}

#[test]
fn every_truncation_is_found() {
    let object = build(&rows(), Effort::Fresh);
    for len in 0..object.len() {
        assert_eq!(corrupt_section(verify(&object.slice(..len))), Some(Section::Trailer), "{len}");
        let front_gone = object.slice(len + 1..);
        assert!(corrupt_section(verify(&front_gone)).is_some(), "without the first {len}");
    }
}

#[test]
fn every_flip_is_found_where_it_is() {
    let object = build(&rows(), Effort::Fresh);
    let segment = verify(&object).unwrap();
    for at in 0..object.len() {
        let mut bytes = object.to_vec();
        bytes[at] ^= 1 << (at % 8);
        let found = corrupt_section(verify(&bytes.into())).unwrap_or_else(|| panic!("flip at {at}"));
        assert_eq!(Some(found), section_at(&segment, at as u64).or(Some(found)), "flip at {at}");
    }
}

/// The section that a byte belongs to, where that is one only.
fn section_at(segment: &Segment, at: u64) -> Option<Section> {
    for page in segment.chunks.iter().flat_map(|chunk| &chunk.pages) {
        if (page.offset..page.offset + page.len).contains(&at) {
            return Some(page.column.section());
        }
    }
    let names = [
        (section::DIRECTORY, Section::Directory),
        (section::SYMBOLS, Section::Symbols),
        (section::STREAM_IDS, Section::StreamIds),
        (section::SERIES, Section::Series),
        (section::POSTINGS, Section::Postings),
        (section::HISTOGRAMS, Section::Histograms),
        (section::FILTER, Section::Filter),
        (section::FILTER_PAGES, Section::FilterPages),
    ];
    for entry in &segment.footer.sections {
        if (entry.offset..entry.offset + entry.len).contains(&at) {
            return names.iter().find(|(code, _)| *code == entry.code).map(|(_, name)| *name);
        }
    }
    (at < HEADER.len() as u64).then_some(Section::Header)
}

#[test]
fn one_more_read_is_enough() {
    let object = build(&rows(), Effort::Fresh);
    let len = object.len() as u64;
    let short = object.slice(object.len() - 50..);
    let from = match Segment::open(&short, len) {
        Err(OpenError::Short { from }) => from,
        other => panic!("{other:?}"),
    };
    let segment = Segment::open(&object.slice(from as usize..), len).unwrap();
    assert_eq!(segment.tail_offset(), from);
    assert!(Segment::open(&object, len - 1).is_err());
}

#[test]
fn unknown_sections_are_skipped_or_refused() {
    let object = build(&rows(), Effort::Fresh);
    for (is_required, version) in [(false, 1), (true, 1), (true, 2)] {
        let changed = with_footer(&object, |footer| {
            let entry = SectionEntry { code: 99, version, is_required, ..footer.sections[2] };
            footer.sections.push(entry);
        });
        match Segment::open(&changed, changed.len() as u64) {
            Ok(_) => assert!(!is_required),
            Err(error) => {
                assert!(is_required);
                assert_eq!(error, OpenError::UnknownSection { section: 99 });
            }
        }
    }
    let new_filter = with_footer(&object, |footer| {
        footer.sections.iter_mut().filter(|entry| !entry.is_required).for_each(|entry| entry.version = 2);
    });
    let segment = Segment::open(&new_filter, new_filter.len() as u64).unwrap();
    assert!(segment.filter().is_none());
    assert_eq!(read(&new_filter), read(&object));
}

#[test]
fn another_version_is_named() {
    let object = build(&rows(), Effort::Fresh);
    let mut bytes = object.to_vec();
    let at = bytes.len() - crate::format::TRAILER_LEN + 4;
    bytes[at] = 9;
    let error = Segment::open(&bytes.into(), object.len() as u64).unwrap_err();
    assert_eq!(error.to_string(), "segment format 9 is not one of 1 to 1, which this program reads");
}

/// The object with another footer, and the checksum that goes with it.
fn with_footer(object: &Bytes, change: impl FnOnce(&mut Footer)) -> Bytes {
    let trailer = Trailer::decode(object, object.len() as u64).unwrap();
    let start = trailer.footer_offset as usize;
    let mut footer =
        Footer::decode(&object[start..start + trailer.footer_len], trailer.footer_offset).unwrap();
    change(&mut footer);
    let mut bytes = object[..start].to_vec();
    bytes.extend(footer.encode(trailer.tail, start as u64));
    bytes.into()
}

/// Totals, places and lengths that lie, under a checksum that is right.
#[test]
fn a_footer_that_lies_is_refused() {
    let object = build(&rows(), Effort::Fresh);
    let mut rng = Rng::new(1);
    for round in 0..2000 {
        let changed = with_footer(&object, |footer| {
            let value = rng.next() >> rng.below(64);
            match round % 6 {
                0 => footer.totals.streams = value as u32,
                1 => footer.totals.chunks = value as u32,
                2 => footer.totals.rows = value,
                3 => footer.sections[rng.below(8)].offset = value,
                4 => footer.sections[rng.below(8)].len = value,
                _ => footer.sections.truncate(rng.below(8)),
            }
        });
        match verify(&changed) {
            Err(error) => assert_eq!(error.kind(), larch_types::ErrorKind::Corrupt),
            Ok(_) => assert_eq!(read(&changed), read(&object), "round {round}"),
        }
    }
}

#[test]
fn chunks_are_read_from_their_entries_alone() {
    let object = build(&rows(), Effort::Fresh);
    let segment = verify(&object).unwrap();
    let mut finder = RowFinder::new(&segment);
    let mut decoder = Decoder::new();
    for number in 0..segment.chunks.len() as u32 {
        let directory =
            ChunkDirectory::decode(&segment.directory(number).encode(), object.len() as u64).unwrap();
        assert_eq!(directory.info(), ChunkInfo::of_entry(&segment.chunks[number as usize]));
        let pages = directory.pages(Columns::ALL);
        assert_eq!(pages, segment.pages(number, Columns::ALL));
        let bytes = |page: &PageRef| object.slice(page.range.start as usize..page.range.end as usize);
        let chunk = directory.chunk(pages.iter().map(|page| (page.clone(), bytes(page))).collect());
        let runs = chunk.streams(&mut decoder).unwrap();
        let streams: Vec<u32> = runs.iter().map(|run| run.stream).collect();
        let rows = finder.rows(number, &streams).unwrap();
        let want: Vec<_> = runs.iter().map(|run| run.start..run.start + run.rows).collect();
        assert_eq!(rows, want);
        assert_eq!(finder.rows(number, &streams[1..]).unwrap(), want[1..]);
    }
    assert!(ChunkDirectory::decode(&segment.directory(0).encode(), 100).is_err(), "pages beyond the object");
}

/// What the index says of streams in a range is so, and where it says nothing the chunk is named.
#[test]
fn streams_are_present_where_they_have_rows() {
    let mut rows = Vec::new();
    for index in 0..300_i64 {
        let labels = labels(&[("app", "a"), ("pod", &(index % 40).to_string())]);
        rows.push((
            labels,
            OwnedRow::new(index * index % 97, format!("line {index} {}", "x".repeat(20_000))),
        ));
    }
    let segment = verify(&build(&rows, Effort::Fresh)).unwrap();
    assert!(segment.chunks().len() > 3);
    let index = segment.index();
    let mut odd = OrdinalSet::none(index.streams());
    (0..index.streams()).filter(|stream| stream % 2 == 1).for_each(|stream| odd.insert(stream));
    let (mut decided, mut undecided) = (0, 0);
    for streams in [OrdinalSet::all(index.streams()), odd] {
        for (start, length) in [(0, 200), (0, 97), (1, 30), (50, 1), (96, 1), (97, 5), (40, 0)] {
            let at = Timestamp::from_nanos;
            let found = segment.presence(&streams, (at(start), at(start + length))).unwrap();
            let is_in = |row: &OwnedRow| (start..start + length).contains(&row.time);
            for stream in streams.iter() {
                let of_stream = index.labels(stream).unwrap();
                let has_rows = rows.iter().any(|(labels, row)| *labels == of_stream && is_in(row));
                let is_open = found.undecided.values().any(|open| open.contains(&stream));
                let says = found.with_rows.contains(stream);
                assert!(has_rows == says || (is_open && !says), "{stream} in {start} {length}");
                decided += usize::from(says);
                undecided += usize::from(is_open && !says);
            }
            assert!(found.with_rows.iter().all(|stream| streams.contains(stream)));
        }
    }
    assert!(decided > 0 && undecided > 0);
}
