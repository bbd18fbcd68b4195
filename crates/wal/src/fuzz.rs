//! What a fuzzer calls: everything that reads bytes which nobody vouches for.

use std::io;

use crate::dir::DirFile;
use crate::file_header::{FileHeader, Parsed};
use crate::scan::{Found, Scan};

/// Reads the bytes as a log file. Never panics; gives records in the order of their numbers and accounts
/// for every byte once.
pub fn fuzz_replay(data: &[u8]) {
    let parsed = FileHeader::parse(data);
    let first = match parsed {
        Parsed::Good(header) => header.first,
        Parsed::Unknown(_) | Parsed::Damaged => 1,
    };
    let header_holds = matches!(parsed, Parsed::Good(_));
    let mut scan = Scan::new(Box::new(Memory(data.to_vec())), first, header_holds, data.len() as u64);
    let mut at = scan.at();
    let mut next = first;
    // Nothing in memory fails.
    while let Ok(Some(found)) = scan.next() {
        match found {
            Found::Record { number, .. } => {
                assert!(number >= next, "{number} after {next}");
                next = number + 1;
            }
            Found::Bad { offset, bytes } => assert!(offset == at && bytes > 0),
        }
        assert!(scan.at() > at, "reading goes on");
        at = scan.at();
    }
    assert_eq!(at, data.len() as u64);
}

/// A file that is only read.
#[derive(Debug)]
pub(crate) struct Memory(pub(crate) Vec<u8>);

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
