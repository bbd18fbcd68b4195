//! A file of the cache: its name, its header, and the table of what is in it.
//!
//! ```text
//! "LARCHSLB" · version u16 · 2 zeros · number u32 · checksum u64        header, 24 bytes
//! entries
//! table      · rows of digest u128, offset u32, bytes u32               if the file was finished
//! "LARCHTAB" · offset of the table u32 · rows u32 · checksum u64        trailer, 24 bytes
//! ```
//!
//! Little-endian; the checksum of the header is over the 16 bytes before it, that of the trailer over the table and
//! the 16 bytes before it. A row of 0 bytes says that a range is not to be read any more. A file without a trailer is
//! one that was being written: its entries are found by going from head to head, up to the first that does not hold.
//! A file of another version is of no use and removed: it is only a cache.

use std::io;

use larch_wal::{DirFile, FileName};
use xxhash_rust::xxh3::{Xxh3, xxh3_64};

use super::entry::{EntryKind, Head, MAX_HEAD_BYTES, u32_at, u64_at};

pub(super) const HEADER_BYTES: u64 = 24;
pub(super) const TRAILER_BYTES: u64 = 24;
pub(super) const ROW_BYTES: u64 = 24;

const VERSION: u16 = 1;
const MAGIC: &[u8; 8] = b"LARCHSLB";
const TABLE_MAGIC: &[u8; 8] = b"LARCHTAB";
const SUFFIX: &str = ".slab";

/// No larger file is one of ours: slabs are closed at 64 MiB, and their tables are smaller than their entries.
pub(super) const MAX_SLAB_BYTES: u64 = 256 << 20;

/// Where an entry is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Row {
    pub(super) digest: u128,
    pub(super) offset: u32,
    /// Of the whole entry; 0 if the range is not to be read any more.
    pub(super) bytes: u32,
}

/// What a file says of itself.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Found {
    /// In the order in which they were written.
    pub(super) rows: Vec<Row>,
    pub(super) is_damaged: bool,
}

/// Ten digits, so that names sort as numbers do.
#[expect(clippy::expect_used, reason = "digits and letters make a file name")]
pub(super) fn slab_name(number: u32) -> FileName {
    format!("{number:010}{SUFFIX}").parse().expect("a file name")
}

/// The number, if this is the name of a slab.
pub(super) fn number_of(name: &FileName) -> Option<u32> {
    let number = name.as_str().strip_suffix(SUFFIX)?.parse().ok()?;
    // Only the one text that the number is written as.
    (slab_name(number) == *name).then_some(number)
}

pub(super) fn encode_header(number: u32) -> Vec<u8> {
    let mut out = MAGIC.to_vec();
    out.extend_from_slice(&VERSION.to_le_bytes());
    out.extend_from_slice(&[0; 2]);
    out.extend_from_slice(&number.to_le_bytes());
    let checksum = xxh3_64(&out);
    out.extend_from_slice(&checksum.to_le_bytes());
    out
}

/// Table and trailer, which lie at the offset.
pub(super) fn encode_table(rows: &[Row], offset: u32) -> Vec<u8> {
    let mut out = Vec::with_capacity(rows.len() * ROW_BYTES as usize + TRAILER_BYTES as usize);
    for row in rows {
        out.extend_from_slice(&row.digest.to_le_bytes());
        out.extend_from_slice(&row.offset.to_le_bytes());
        out.extend_from_slice(&row.bytes.to_le_bytes());
    }
    out.extend_from_slice(TABLE_MAGIC);
    out.extend_from_slice(&offset.to_le_bytes());
    // No file has as many rows as would not fit.
    out.extend_from_slice(&(rows.len() as u32).to_le_bytes());
    let checksum = xxh3_64(&out);
    out.extend_from_slice(&checksum.to_le_bytes());
    out
}

/// Reads what is in a file of a number, at most so many rows. It blocks.
pub(super) fn find_entries(file: &dyn DirFile, number: u32, most_rows: u64) -> io::Result<Found> {
    let size = file.size()?;
    let header = read(file, 0, HEADER_BYTES)?;
    if header != encode_header(number) || size > MAX_SLAB_BYTES {
        return Ok(Found { rows: Vec::new(), is_damaged: true });
    }
    match read_table(file, size, most_rows)? {
        Some(rows) => Ok(Found { rows, is_damaged: false }),
        None => go_through(file, size, most_rows),
    }
}

/// `None` if there is none, or none that holds.
fn read_table(file: &dyn DirFile, size: u64, most_rows: u64) -> io::Result<Option<Vec<Row>>> {
    let Some(trailer_at) = size.checked_sub(TRAILER_BYTES).filter(|at| *at >= HEADER_BYTES) else {
        return Ok(None);
    };
    let trailer = read(file, trailer_at, TRAILER_BYTES)?;
    let (offset, count) = (u64::from(u32_at(&trailer, 8)), u64::from(u32_at(&trailer, 12)));
    let fits = offset >= HEADER_BYTES && offset + count * ROW_BYTES == trailer_at && count <= most_rows;
    if !trailer.starts_with(TABLE_MAGIC) || !fits {
        return Ok(None);
    }
    let table = read(file, offset, count * ROW_BYTES)?;
    let mut hash = Xxh3::new();
    hash.update(&table);
    hash.update(&trailer[..16]);
    if hash.digest() != u64_at(&trailer, 16) {
        return Ok(None);
    }
    let mut rows = Vec::with_capacity(table.len() / ROW_BYTES as usize);
    for row in table.chunks_exact(ROW_BYTES as usize) {
        let digest = u128::from(u64_at(row, 0)) | u128::from(u64_at(row, 8)) << 64;
        let row = Row { digest, offset: u32_at(row, 16), bytes: u32_at(row, 20) };
        if u64::from(row.offset) + u64::from(row.bytes) > offset {
            return Ok(None);
        }
        rows.push(row);
    }
    Ok(Some(rows))
}

/// From head to head. What lies behind the last that holds was torn, or damaged.
fn go_through(file: &dyn DirFile, size: u64, most_rows: u64) -> io::Result<Found> {
    let mut found = Found::default();
    let mut at = HEADER_BYTES;
    while at < size && (found.rows.len() as u64) < most_rows {
        let bytes = read(file, at, MAX_HEAD_BYTES as u64)?;
        let head = Head::parse(&bytes);
        let Some(head) = head.filter(|head| at + head.entry_bytes() <= size) else {
            found.is_damaged = true;
            break;
        };
        let bytes = match head.kind {
            EntryKind::Range => head.entry_bytes() as u32,
            EntryKind::Removed => 0,
        };
        // Offsets fit: the file is no larger than a slab may be.
        found.rows.push(Row { digest: head.key.digest(), offset: at as u32, bytes });
        at += head.entry_bytes();
    }
    Ok(found)
}

/// Up to so many bytes; fewer at the end of the file.
fn read(file: &dyn DirFile, offset: u64, bytes: u64) -> io::Result<Vec<u8>> {
    let mut buffer = vec![0; bytes as usize];
    let read = file.read_at(offset, &mut buffer)?;
    buffer.truncate(read);
    Ok(buffer)
}

/// Reads the bytes as a slab. Never panics; whatever is found lies in the file, and an entry of which anything was
/// changed is not read.
pub fn fuzz_slab(bytes: &[u8]) {
    let memory = Memory(bytes.to_vec());
    // Nothing in memory fails.
    let Ok(found) = find_entries(&memory, 7, 1000) else { return };
    assert!(found.rows.len() <= 1000);
    for row in found.rows {
        let (begin, end) = (row.offset as usize, row.offset as usize + row.bytes as usize);
        let Some(head) = Head::parse(&bytes[begin..end]) else { continue };
        let Some(inside) = super::entry::check_range(&bytes[begin..end], &head.key) else { continue };
        let mut again = Vec::new();
        super::entry::encode_range(&mut again, &head.key, &bytes[begin..end][inside]);
        assert_eq!(again, bytes[begin..end], "one text for one entry");
    }
}

/// A file that is only read.
#[derive(Debug)]
struct Memory(Vec<u8>);

impl DirFile for Memory {
    fn append(&mut self, _: &[u8]) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }

    fn sync(&mut self) -> io::Result<()> {
        Ok(())
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        let start = usize::try_from(offset).unwrap_or(usize::MAX).min(self.0.len());
        let read = buffer.len().min(self.0.len() - start);
        buffer[..read].copy_from_slice(&self.0[start..start + read]);
        Ok(read)
    }

    fn size(&self) -> io::Result<u64> {
        Ok(self.0.len() as u64)
    }
}
