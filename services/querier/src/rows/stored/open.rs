//! Opens chunks: which of their rows are wanted, and what those say.
//!
//! Times come first, and lines with them where all of the chunk is in the range. Metadata and levels are
//! fetched for rows that have the texts which are looked for, and stamps by whoever needs them.

use std::sync::Arc;

use bytes::Bytes;
use larch_proto::{Direction, PlannedChunk};
use larch_rpc::CallError;
use larch_segment::{Chunk, Column, Columns, Decoder, ReadError};
use larch_types::ErrorKind;

use super::late::LateStamps;
use super::reader::{ChunkPlace, Pages, Reader};
use super::units::Unit;

const LINES: Columns = Columns { lines: true, metadata: false, levels: false, stamps: false };
const REST: Columns = Columns { lines: false, metadata: true, levels: true, stamps: false };

/// A chunk and those of its rows that are wanted, the next one last.
pub(super) struct OpenChunk {
    pub(super) part: usize,
    pub(super) rows: Vec<Place>,
    /// The wanted lines, one behind the other.
    lines: Bytes,
    starts: Vec<u32>,
    /// Metadata and levels.
    pub(super) rest: Chunk,
    pub(super) stamps: Arc<LateStamps>,
    /// What it takes in memory, about.
    pub(super) bytes: usize,
}

#[derive(Debug, Clone, Copy)]
pub(super) struct Place {
    pub(super) time: i64,
    /// In the part's list.
    pub(super) stream: u32,
    pub(super) row: u32,
    /// Which of the lines.
    line: u32,
}

impl OpenChunk {
    pub(super) fn line(&self, place: Place) -> Bytes {
        let at = |number: u32| self.starts.get(number as usize).map_or(0, |start| *start as usize);
        self.lines.slice(at(place.line)..at(place.line + 1))
    }
}

/// Rows of a chunk, before their lines are known.
struct Narrowed {
    rows: Vec<Place>,
    lines: Option<(Vec<u8>, Vec<u32>)>,
}

/// Places are checked where plans come in from other processes, and are right within one.
pub(crate) fn unplanned() -> CallError {
    CallError::new(ErrorKind::Internal, "a plan names rows or streams that are not there")
}

/// All chunks of the unit that have wanted rows.
pub(super) async fn open(reader: Arc<Reader>, unit: Unit) -> Result<Vec<OpenChunk>, CallError> {
    let mut first = Vec::with_capacity(unit.chunks.len());
    for (place, chunk) in &unit.chunks {
        let is_inside = reader.has_time(chunk.first.nanos()) && reader.has_time(chunk.last.nanos());
        let is_whole = is_inside && reader.needles.is_empty();
        let columns = Columns { lines: is_inside, metadata: is_whole, levels: is_whole, stamps: false };
        first.push((place.as_ref(), columns));
    }
    let pages = reader.pages(&first).await?;
    let columns: Vec<Columns> = first.into_iter().map(|(_, columns)| columns).collect();
    let mut opened = Vec::new();
    for (((place, chunk), columns), pages) in unit.chunks.into_iter().zip(columns).zip(pages) {
        reader.count_chunk();
        opened.extend(open_chunk(&reader, unit.part, place, chunk, columns, pages).await?);
    }
    Ok(opened)
}

async fn open_chunk(
    reader: &Arc<Reader>,
    part: usize,
    place: Arc<ChunkPlace>,
    chunk: PlannedChunk,
    has: Columns,
    pages: Pages,
) -> Result<Option<OpenChunk>, CallError> {
    let mut kept = pages.clone();
    let mut narrowed = narrow(reader, &place, &chunk, has.lines, pages).await?;
    if narrowed.rows.is_empty() {
        return Ok(None);
    }
    if !has.lines {
        let lines = reader.pages(&[(&place, LINES)]).await?.pop().unwrap_or_default();
        kept.extend(lines);
        narrowed = narrow(reader, &place, &chunk, true, kept.clone()).await?;
    }
    if narrowed.rows.is_empty() {
        return Ok(None);
    }
    if !has.metadata {
        kept = reader.pages(&[(&place, REST)]).await?.pop().unwrap_or_default();
    }
    kept.retain(|(page, _)| REST.has(page.column) && page.column != Column::Times);
    let (lines, starts) = narrowed.lines.unwrap_or_default();
    let mut rows = narrowed.rows;
    // The next row is the last.
    match reader.direction {
        Direction::Forward => rows.sort_by_key(|row| std::cmp::Reverse(row.time)),
        Direction::Backward => rows.sort_by_key(|row| row.time),
    }
    let page_bytes: usize = kept.iter().map(|(_, page)| page.len()).sum();
    let bytes = lines.len() + rows.len() * (size_of::<Place>() + size_of::<u32>()) + 2 * page_bytes;
    let stamps = LateStamps::new(Arc::clone(reader), Arc::clone(&place));
    let rest = place.directory.chunk(kept);
    Ok(Some(OpenChunk { part, rows, lines: lines.into(), starts, rest, stamps, bytes }))
}

/// The wanted rows, and their lines if those are there.
async fn narrow(
    reader: &Arc<Reader>,
    place: &Arc<ChunkPlace>,
    chunk: &PlannedChunk,
    has_lines: bool,
    pages: Pages,
) -> Result<Narrowed, CallError> {
    let (inner, at, streams) = (Arc::clone(reader), Arc::clone(place), chunk.streams.clone());
    let found = reader.cpu.run(move |_| {
        let chunk = at.directory.chunk(pages);
        let times = chunk.times()?;
        let (mut rows, mut of_rows) = (Vec::new(), Vec::new());
        for part in &streams {
            for row in part.first_row..part.first_row.saturating_add(part.rows) {
                let Some(time) = times.get(row as usize).copied() else { return Ok(None) };
                if inner.has_time(time) {
                    rows.push(row);
                    of_rows.push(Place { time, stream: part.stream, row, line: 0 });
                }
            }
        }
        if !has_lines || rows.is_empty() {
            return Ok(Some(Narrowed { rows: of_rows, lines: None }));
        }
        inner.count_decompressed(chunk.info().raw_bytes);
        with_lines(&inner, &chunk, rows, of_rows).map(Some)
    });
    match found.await? {
        Ok(Some(narrowed)) => Ok(narrowed),
        Ok(None) => Err(unplanned()),
        Err(error) => Err(reader.unreadable(place, error).await),
    }
}

/// `rows` ascend, and are those of `of_rows`.
fn with_lines(
    reader: &Reader,
    chunk: &Chunk,
    rows: Vec<u32>,
    mut of_rows: Vec<Place>,
) -> Result<Narrowed, ReadError> {
    let mut decoder = Decoder::new();
    let lines = chunk.lines(&mut decoder)?;
    if !reader.needles.is_empty() {
        let kept = reader.needles.keep(rows, lines);
        of_rows.retain(|place| kept.binary_search(&place.row).is_ok());
    }
    let rows: Vec<u32> = of_rows.iter().map(|place| place.row).collect();
    let picked = lines.pick(&rows);
    // Lines of a page are 64 MiB at most.
    let (mut bytes, mut starts) = (Vec::new(), vec![0_u32]);
    for (number, place) in of_rows.iter_mut().enumerate() {
        place.line = number as u32;
        bytes.extend_from_slice(picked.get(number));
        starts.push(bytes.len() as u32);
    }
    Ok(Narrowed { rows: of_rows, lines: Some((bytes, starts)) })
}
