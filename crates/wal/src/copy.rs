//! Records of a log in a file of their own, so that the log need not be kept for their sake.
//!
//! A copy lies beside the log and is laid out as one of its files, with the numbers that the records had. It is
//! none of the log's: whoever makes it says what it is called, and when it goes.

use std::io;
use std::ops::RangeInclusive;

use bytes::Bytes;
use larch_runtime::Random;

use crate::dir::{Dir, DirFile, FileName};
use crate::file_header::{FILE_HEADER_BYTES, FileHeader, file_name};
use crate::frame::{HEADER_BYTES, encode};
use crate::position::Position;
use crate::replay::Replayed;
use crate::scan::{Found, Scan};
use crate::writer::LogFile;

/// Written at a time.
const BUFFER_BYTES: usize = 1 << 20;

/// Why there is no copy.
#[derive(Debug, thiserror::Error)]
pub enum CopyError {
    #[error("read the write-ahead log")]
    Read(#[source] io::Error),
    #[error("{bytes} bytes at {offset} of {file} are damaged")]
    Damaged { file: FileName, offset: u64, bytes: u64 },
    #[error("the records take more than {most} bytes")]
    TooLarge { most: u64 },
    #[error("write the copy")]
    Write(#[source] io::Error),
}

/// Gives the records of some files of a log that is being written to, in their order. What is not durable yet is
/// not asked for. It blocks, and fails if a record might have been stepped over.
pub fn read_records(
    dir: &dyn Dir,
    files: &[LogFile],
    range: &RangeInclusive<Position>,
    mut visit: impl FnMut(Position, &[u8]) -> Result<(), CopyError>,
) -> Result<(), CopyError> {
    for file in files.iter().filter(|file| file.first <= *range.end() && *range.start() < file.end) {
        let name = file_name(file.first.0);
        let opened = dir.open(&name).map_err(CopyError::Read)?;
        let mut scan = Scan::new(opened, file.first.0, true, file.bytes);
        while let Some(found) = scan.next().map_err(CopyError::Read)? {
            match found {
                Found::Record { number, .. } if number > range.end().0 => return Ok(()),
                Found::Record { number, record } if range.contains(&Position(number)) => {
                    visit(Position(number), record)?;
                }
                Found::Record { .. } => {}
                // What a failed append left at the end was refused.
                Found::Bad { offset, bytes } if offset + bytes == file.bytes => {}
                Found::Bad { offset, bytes } => return Err(CopyError::Damaged { file: name, offset, bytes }),
            }
        }
    }
    Ok(())
}

/// A copy that is being written.
#[derive(Debug)]
pub struct CopyWriter<'a> {
    file: Box<dyn DirFile>,
    random: &'a Random,
    buffer: Vec<u8>,
    bytes: u64,
    most: u64,
}

impl<'a> CopyWriter<'a> {
    /// Of records from a position on, which together take no more than so many bytes. It blocks, as all calls do.
    pub fn create(
        dir: &dyn Dir,
        name: &FileName,
        first: Position,
        most: u64,
        random: &'a Random,
    ) -> Result<Self, CopyError> {
        let file = dir.create(name).map_err(CopyError::Write)?;
        let buffer = FileHeader { first: first.0, previous: None }.encode().to_vec();
        Ok(Self { file, random, bytes: buffer.len() as u64, buffer, most })
    }

    /// Positions rise.
    pub fn push(&mut self, position: Position, record: &[u8]) -> Result<(), CopyError> {
        self.bytes += (HEADER_BYTES + record.len()) as u64;
        if self.bytes > self.most {
            return Err(CopyError::TooLarge { most: self.most });
        }
        encode(&mut self.buffer, position.0, record, || self.random.next_u64() as u32);
        if self.buffer.len() >= BUFFER_BYTES { self.write() } else { Ok(()) }
    }

    /// Makes the bytes durable, and gives how many they are. The file's name is the caller's to make durable.
    pub fn finish(mut self) -> Result<u64, CopyError> {
        self.write()?;
        self.file.sync().map_err(CopyError::Write)?;
        Ok(self.bytes)
    }

    fn write(&mut self) -> Result<(), CopyError> {
        self.file.append(&self.buffer).map_err(CopyError::Write)?;
        self.buffer.clear();
        Ok(())
    }
}

/// Reads a copy back, over damage. It blocks.
pub fn read_copy(
    dir: &dyn Dir,
    name: &FileName,
    mut visit: impl FnMut(Position, Bytes),
) -> io::Result<Replayed> {
    let file = dir.open(name)?;
    let bytes = file.size()?;
    let mut header = [0; FILE_HEADER_BYTES];
    let read = file.read_at(0, &mut header)?;
    let header_holds = matches!(FileHeader::parse(&header[..read]), crate::file_header::Parsed::Good(_));
    let mut found = Replayed::default();
    let mut scan = Scan::of_any_numbers(file, header_holds, bytes);
    while let Some(next) = scan.next()? {
        match next {
            Found::Record { number, record } => {
                found.records += 1;
                found.bytes += record.len() as u64;
                visit(Position(number), Bytes::copy_from_slice(record));
            }
            // A copy has its name once it is whole: nothing of it was torn.
            Found::Bad { bytes, .. } => {
                found.corruptions += 1;
                found.corrupt_bytes += bytes;
            }
        }
    }
    Ok(found)
}
