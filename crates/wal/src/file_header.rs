//! The beginning of a log file, and its name.
//!
//! | bytes | what |
//! |---|---|
//! | 8 | `LARCHWAL` |
//! | 2 | version of the format: 1 |
//! | 6 | zeros |
//! | 8 | number of the first record that this file may hold, which is also its name |
//! | 8 | the same number of the file before this one, or all ones if there was none |
//! | 8 | where the records of that file end, or all ones if that is not known |
//! | 8 | checksum of the 40 bytes before |
//!
//! Little-endian; the checksum is xxh3-64. The first 10 bytes and the place of the checksum stay so in
//! every version, so that a file from the future is told from a damaged one.

use xxhash_rust::xxh3::xxh3_64;

use crate::dir::FileName;
use crate::frame::u64_at;

pub(crate) const FILE_HEADER_BYTES: usize = 48;
pub(crate) const VERSION: u16 = 1;

/// A file holds at most so many numbers. Whoever finds a file after a crash knows with this alone which
/// numbers may have been used in it. With files of 64 MiB it is reached only by records under 24 bytes.
pub(crate) const NUMBERS_PER_FILE: u64 = 1 << 20;

const MAGIC: [u8; 8] = *b"LARCHWAL";
const NONE: u64 = u64::MAX;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct FileHeader {
    pub(crate) first: u64,
    pub(crate) previous: Option<Previous>,
}

/// What a file says of the one before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Previous {
    pub(crate) first: u64,
    /// Behind the last record that counts. What lies beyond was torn or refused.
    pub(crate) end: Option<u64>,
}

#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Parsed {
    Good(FileHeader),
    /// Another version of the format.
    Unknown(u16),
    Damaged,
}

impl FileHeader {
    pub(crate) fn encode(&self) -> [u8; FILE_HEADER_BYTES] {
        let previous = self.previous.map_or((NONE, NONE), |file| (file.first, file.end.unwrap_or(NONE)));
        let mut out = [0; FILE_HEADER_BYTES];
        out[..8].copy_from_slice(&MAGIC);
        out[8..10].copy_from_slice(&VERSION.to_le_bytes());
        out[16..24].copy_from_slice(&self.first.to_le_bytes());
        out[24..32].copy_from_slice(&previous.0.to_le_bytes());
        out[32..40].copy_from_slice(&previous.1.to_le_bytes());
        let checksum = xxh3_64(&out[..40]);
        out[40..].copy_from_slice(&checksum.to_le_bytes());
        out
    }

    pub(crate) fn parse(bytes: &[u8]) -> Parsed {
        let Some(bytes) = bytes.first_chunk::<FILE_HEADER_BYTES>() else { return Parsed::Damaged };
        if bytes[..8] != MAGIC || u64_at(bytes, 40) != xxh3_64(&bytes[..40]) {
            return Parsed::Damaged;
        }
        let version = u16::from_le_bytes([bytes[8], bytes[9]]);
        if version != VERSION {
            return Parsed::Unknown(version);
        }
        let known = |number: u64| (number != NONE).then_some(number);
        let previous =
            known(u64_at(bytes, 24)).map(|first| Previous { first, end: known(u64_at(bytes, 32)) });
        Parsed::Good(Self { first: u64_at(bytes, 16), previous })
    }
}

/// Twenty digits, so that names sort as numbers do.
#[expect(clippy::expect_used, reason = "digits and letters make a file name")]
pub(crate) fn file_name(first: u64) -> FileName {
    format!("{first:020}.wal").parse().expect("a file name")
}

/// The first number, if this is the name of a log file.
pub(crate) fn first_of(name: &FileName) -> Option<u64> {
    let digits = name.as_str().strip_suffix(".wal")?;
    let first = digits.parse().ok()?;
    // Only the one text that the number is written as.
    (file_name(first) == *name).then_some(first)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comes_back() {
        for previous in [
            None,
            Some(Previous { first: 1, end: None }),
            Some(Previous { first: 0, end: Some(0) }),
            Some(Previous { first: 5, end: Some(1 << 40) }),
        ] {
            let header = FileHeader { first: 77, previous };
            assert_eq!(FileHeader::parse(&header.encode()), Parsed::Good(header));
        }
    }

    #[test]
    fn the_bytes_of_a_header() {
        let bytes = FileHeader { first: 7, previous: Some(Previous { first: 1, end: Some(300) }) }.encode();
        assert_eq!(&bytes[..16], b"LARCHWAL\x01\0\0\0\0\0\0\0");
        assert_eq!(&bytes[16..40], [7, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 44, 1, 0, 0, 0, 0, 0, 0]);
        assert_eq!(bytes[40..], xxh3_64(&bytes[..40]).to_le_bytes());
    }

    #[test]
    fn a_file_from_the_future_is_told_from_a_damaged_one() {
        let mut bytes = FileHeader { first: 7, previous: None }.encode();
        bytes[8] = 2;
        assert_eq!(FileHeader::parse(&bytes), Parsed::Damaged);
        let checksum = xxh3_64(&bytes[..40]);
        bytes[40..].copy_from_slice(&checksum.to_le_bytes());
        assert_eq!(FileHeader::parse(&bytes), Parsed::Unknown(2));
        assert_eq!(FileHeader::parse(&bytes[..47]), Parsed::Damaged);
    }

    #[test]
    fn names_are_numbers() {
        assert_eq!(file_name(7).as_str(), "00000000000000000007.wal");
        for first in [0, 7, u64::MAX] {
            assert_eq!(first_of(&file_name(first)), Some(first));
        }
        for other in
            ["7.wal", "00000000000000000007.seg", "0000000000000000000x.wal", "99999999999999999999.wal"]
        {
            assert_eq!(first_of(&other.parse().unwrap()), None, "{other}");
        }
    }
}
