//! Reads one log file from the front to the back, and over damage to the next record.

use std::io;

use memchr::memmem;

use crate::dir::DirFile;
use crate::file_header::{FILE_HEADER_BYTES, NUMBERS_PER_FILE};
use crate::frame::{HEADER_BYTES, Header, MARK};

/// Read at a time: large enough that a call costs nothing, small enough to always be there.
const BUFFER_BYTES: usize = 1 << 20;

/// One file, read as far as its records count.
#[derive(Debug)]
pub(crate) struct Scan {
    file: Box<dyn DirFile>,
    /// The next byte to look at.
    at: u64,
    end: u64,
    /// The numbers that may come.
    numbers: std::ops::Range<u64>,
    /// A part of the file, and where it begins there.
    buffer: Vec<u8>,
    buffered: u64,
}

#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Found<'a> {
    Record {
        number: u64,
        record: &'a [u8],
    },
    /// Bytes that are no record. They reach up to a record or to the end.
    Bad {
        offset: u64,
        bytes: u64,
    },
}

impl Scan {
    /// Of a file whose first number is given. Without a header that holds, what stands in its place is
    /// read like the rest.
    pub(crate) fn new(file: Box<dyn DirFile>, first: u64, header_holds: bool, end: u64) -> Self {
        let at = if header_holds { (FILE_HEADER_BYTES as u64).min(end) } else { 0 };
        let numbers = first..first.saturating_add(NUMBERS_PER_FILE);
        Self { file, at, end, numbers, buffer: Vec::new(), buffered: 0 }
    }

    /// Of a file whose numbers only rise.
    pub(crate) fn of_any_numbers(file: Box<dyn DirFile>, header_holds: bool, end: u64) -> Self {
        Self { numbers: 0..u64::MAX, ..Self::new(file, 0, header_holds, end) }
    }

    /// Where reading has come to. After the last record, this is where that ends.
    pub(crate) fn at(&self) -> u64 {
        self.at
    }

    /// The number behind those that were found.
    pub(crate) fn next_number(&self) -> u64 {
        self.numbers.start
    }

    /// `None` at the end.
    pub(crate) fn next(&mut self) -> io::Result<Option<Found<'_>>> {
        if self.at >= self.end {
            return Ok(None);
        }
        let Some(header) = self.header_at(self.at)? else {
            let offset = self.at;
            self.at = self.find_record(offset + 1)?;
            return Ok(Some(Found::Bad { offset, bytes: self.at - offset }));
        };
        let start = self.at + HEADER_BYTES as u64;
        self.at = start + header.length as u64;
        self.numbers.start = header.number + 1;
        let record = self.read(start, header.length)?;
        header.unmask(record);
        Ok(Some(Found::Record { number: header.number, record }))
    }

    /// The header of the record at an offset, if a whole one lies there and its number may come now. A
    /// number that came already, or that belongs to another file, is what a disk has left there from
    /// before.
    fn header_at(&mut self, offset: u64) -> io::Result<Option<Header>> {
        let Some(header) = Header::parse(self.read(offset, HEADER_BYTES)?) else { return Ok(None) };
        let whole = HEADER_BYTES + header.length;
        // Held against the file before anything of that length is allocated.
        if !self.numbers.contains(&header.number) || self.end - offset < whole as u64 {
            return Ok(None);
        }
        let frame = self.read(offset, whole)?;
        let matches = frame.get(HEADER_BYTES..).is_some_and(|stored| header.matches(stored));
        Ok(matches.then_some(header))
    }

    /// Where the next record begins, from an offset on, or the end.
    fn find_record(&mut self, mut from: u64) -> io::Result<u64> {
        while self.end.saturating_sub(from) >= HEADER_BYTES as u64 {
            let window = self.window(from)?;
            let Some(place) = memmem::find(window, &MARK) else {
                // The window may end within a mark.
                let passed = window.len().saturating_sub(MARK.len() - 1);
                if passed == 0 {
                    // The file is shorter than it was.
                    break;
                }
                from += passed as u64;
                continue;
            };
            let candidate = from + place as u64;
            if self.header_at(candidate)?.is_some() {
                return Ok(candidate);
            }
            from = candidate + 1;
        }
        Ok(self.end)
    }

    /// What is buffered from an offset on, and room for a mark at least.
    fn window(&mut self, offset: u64) -> io::Result<&[u8]> {
        let buffered_end = self.buffered + self.buffer.len() as u64;
        let here = if self.buffered <= offset { buffered_end.saturating_sub(offset) } else { 0 };
        let length = if here >= MARK.len() as u64 { here as usize } else { BUFFER_BYTES };
        Ok(&*self.read(offset, length)?)
    }

    /// So many bytes from an offset on, or those up to the end.
    fn read(&mut self, offset: u64, length: usize) -> io::Result<&mut [u8]> {
        let left = self.end.saturating_sub(offset);
        let length = usize::try_from(left).unwrap_or(usize::MAX).min(length);
        let buffered_end = self.buffered + self.buffer.len() as u64;
        if offset < self.buffered || offset + length as u64 > buffered_end {
            let want = length.max(BUFFER_BYTES.min(usize::try_from(left).unwrap_or(usize::MAX)));
            self.buffer.resize(want, 0);
            // A record that was longer than the buffer does not keep its memory.
            self.buffer.shrink_to(want.max(BUFFER_BYTES));
            self.buffered = offset;
            let read = self.file.read_at(offset, &mut self.buffer);
            self.buffer.truncate(*read.as_ref().unwrap_or(&0));
            read?;
        }
        let start = usize::try_from(offset - self.buffered).unwrap_or(usize::MAX).min(self.buffer.len());
        let end = start.saturating_add(length).min(self.buffer.len());
        Ok(&mut self.buffer[start..end])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::frame::encode;
    use crate::fuzz::Memory;

    fn frame(number: u64, record: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        encode(&mut out, number, record, || 1);
        out
    }

    /// What is found in bytes that begin with damage: numbers of records, and damage as it is.
    fn found(bytes: Vec<u8>) -> Vec<Result<u64, (u64, u64)>> {
        let end = bytes.len() as u64;
        let mut scan = Scan::new(Box::new(Memory(bytes)), 1, false, end);
        let mut all = Vec::new();
        while let Some(found) = scan.next().unwrap() {
            all.push(match found {
                Found::Record { number, .. } => Ok(number),
                Found::Bad { offset, bytes } => Err((offset, bytes)),
            });
        }
        all
    }

    #[test]
    fn a_mark_across_the_end_of_the_buffer_is_found() {
        for before in BUFFER_BYTES - 10..BUFFER_BYTES + 10 {
            let bytes = [vec![0xaa; before], frame(1, b"x")].concat();
            assert_eq!(found(bytes), [Err((0, before as u64)), Ok(1)]);
        }
    }

    #[test]
    fn false_marks_hide_nothing() {
        for distance in [8, 9, 39, 40, 41] {
            let mut bytes = MARK.to_vec();
            bytes.resize(distance, 0xaa);
            bytes.extend(frame(1, b"x"));
            assert_eq!(found(bytes), [Err((0, distance as u64)), Ok(1)]);
        }
        let marks = MARK.repeat(300_000);
        let length = marks.len() as u64;
        assert_eq!(found([marks, frame(7, b"x")].concat()), [Err((0, length)), Ok(7)]);
    }

    #[test]
    fn records_longer_than_the_buffer() {
        let long = vec![7; 3 * BUFFER_BYTES];
        let bytes = [frame(1, &long), frame(2, b""), frame(5, &long), frame(4, b"late")].concat();
        let late = (bytes.len() - 44) as u64;
        assert_eq!(found(bytes.clone()), [Ok(1), Ok(2), Ok(5), Err((late, 44))]);
        let mut damaged = bytes;
        damaged[1000] ^= 1;
        let first = (HEADER_BYTES + long.len()) as u64;
        assert_eq!(found(damaged), [Err((0, first)), Ok(2), Ok(5), Err((late, 44))]);
    }
}
