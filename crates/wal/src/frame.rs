//! How one record lies in a file.
//!
//! | bytes | what |
//! |---|---|
//! | 8 | the mark |
//! | 8 | number of the record |
//! | 4 | length of the record |
//! | 4 | mask |
//! | 8 | checksum of the record as it lies here |
//! | 8 | checksum of the 32 bytes before |
//! | length | the record, masked |
//!
//! Little-endian; checksums are xxh3-64. Behind damage, reading goes on at the next mark. That is sound
//! because the mark occurs nowhere in a frame but at its start: a record that would bring it along, by
//! chance or because a client wants to be read as the log, is written masked. And as the mark's first byte
//! does not come again in it, two frames side by side do not make one either.

use memchr::memmem;
use xxhash_rust::xxh3::xxh3_64;

/// Begins every frame. No text in UTF-8 has its first byte.
pub(crate) const MARK: [u8; 8] = [0xf5, b'l', b'a', b'r', b'c', b'h', b'\r', b'\n'];

pub(crate) const HEADER_BYTES: usize = 40;

/// The longest record, so that a reader knows what it may have to hold in memory. Larger than any part of
/// a push that one ingester gets by default, and as large as a file grows.
pub const MAX_RECORD_BYTES: usize = 64 << 20;

/// What stands before a record, once its checksum has been held against it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Header {
    pub(crate) number: u64,
    /// At most [`MAX_RECORD_BYTES`].
    pub(crate) length: usize,
    mask: u32,
    checksum: u64,
}

/// Writes a record behind what is there. It must not be longer than [`MAX_RECORD_BYTES`].
pub(crate) fn encode(out: &mut Vec<u8>, number: u64, record: &[u8], mut random: impl FnMut() -> u32) {
    debug_assert!(record.len() <= MAX_RECORD_BYTES);
    let start = out.len();
    let mut mask = 0;
    // A mask that nobody foresees fails with a probability of at most 1 in 64: as many of the 2^32 masks
    // as the longest record has places.
    loop {
        encode_masked(out, number, record, mask);
        if memmem::find(&out[start + 1..], &MARK).is_none() {
            return;
        }
        out.truncate(start);
        mask = random();
    }
}

fn encode_masked(out: &mut Vec<u8>, number: u64, record: &[u8], mask: u32) {
    let start = out.len();
    out.extend_from_slice(&[0; HEADER_BYTES]);
    out.extend_from_slice(record);
    let (header, stored) = out[start..].split_at_mut(HEADER_BYTES);
    apply_mask(stored, mask);
    // The length fits, as records are bounded.
    let length = record.len() as u32;
    header[..8].copy_from_slice(&MARK);
    header[8..16].copy_from_slice(&number.to_le_bytes());
    header[16..20].copy_from_slice(&length.to_le_bytes());
    header[20..24].copy_from_slice(&mask.to_le_bytes());
    header[24..32].copy_from_slice(&xxh3_64(stored).to_le_bytes());
    let checksum = xxh3_64(&header[..32]);
    header[32..].copy_from_slice(&checksum.to_le_bytes());
}

/// Masks what is plain and the other way round.
fn apply_mask(bytes: &mut [u8], mask: u32) {
    if mask == 0 {
        return;
    }
    for (byte, key) in bytes.iter_mut().zip(mask.to_le_bytes().into_iter().cycle()) {
        *byte ^= key;
    }
}

impl Header {
    /// `None` if the bytes do not begin with a header that somebody wrote.
    pub(crate) fn parse(bytes: &[u8]) -> Option<Self> {
        let bytes: &[u8; HEADER_BYTES] = bytes.first_chunk()?;
        if bytes[..8] != MARK || u64_at(bytes, 32) != xxh3_64(&bytes[..32]) {
            return None;
        }
        let length = usize::try_from(u32_at(bytes, 16)).ok()?;
        let header =
            Self { number: u64_at(bytes, 8), length, mask: u32_at(bytes, 20), checksum: u64_at(bytes, 24) };
        (length <= MAX_RECORD_BYTES).then_some(header)
    }

    pub(crate) fn matches(&self, stored: &[u8]) -> bool {
        stored.len() == self.length && xxh3_64(stored) == self.checksum
    }

    /// Makes the record of what is stored, in place.
    pub(crate) fn unmask(&self, stored: &mut [u8]) {
        apply_mask(stored, self.mask);
    }
}

/// The callers' places are constants within the bytes.
fn u32_at(bytes: &[u8; HEADER_BYTES], at: usize) -> u32 {
    let mut number = [0; 4];
    number.copy_from_slice(&bytes[at..at + 4]);
    u32::from_le_bytes(number)
}

pub(crate) fn u64_at<const N: usize>(bytes: &[u8; N], at: usize) -> u64 {
    let mut number = [0; 8];
    number.copy_from_slice(&bytes[at..at + 8]);
    u64::from_le_bytes(number)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn written(number: u64, record: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        let mut seed = 0_u32;
        encode(&mut out, number, record, || {
            seed = seed.wrapping_add(0x9e37_79b9);
            seed
        });
        out
    }

    fn read(frame: &[u8]) -> (u64, Vec<u8>) {
        let header = Header::parse(frame).unwrap();
        let mut stored = frame[HEADER_BYTES..].to_vec();
        assert!(header.matches(&stored));
        header.unmask(&mut stored);
        (header.number, stored)
    }

    fn marks(bytes: &[u8]) -> Vec<usize> {
        memmem::find_iter(bytes, &MARK).collect()
    }

    #[test]
    fn the_bytes_of_a_frame() {
        let frame = written(7, b"abc");
        assert_eq!(&frame[..8], b"\xf5larch\r\n");
        assert_eq!(&frame[8..24], [7, 0, 0, 0, 0, 0, 0, 0, 3, 0, 0, 0, 0, 0, 0, 0]);
        assert_eq!(frame[24..32], xxh3_64(b"abc").to_le_bytes());
        assert_eq!(frame[32..40], xxh3_64(&frame[..32]).to_le_bytes());
        assert_eq!(&frame[40..], b"abc");
    }

    #[test]
    fn the_mark_has_no_border() {
        assert!(!MARK[1..].contains(&MARK[0]));
    }

    #[test]
    fn a_record_cannot_pose_as_a_frame() {
        let inner = written(9, b"not a record");
        let mut record = inner.clone();
        record.extend_from_slice(&inner);
        let frame = written(1, &record);
        assert_eq!(marks(&frame), [0]);
        assert_ne!(frame[40..], record);
        assert_eq!(read(&frame), (1, record));
        // Behind a header whose last byte is the mark's first, the rest of a mark is as bad as a mark.
        let poser = (0..).find(|number| written(*number, &inner[1..])[39] == MARK[0]).unwrap();
        assert_eq!(marks(&written(poser, &inner[1..])), [0]);
    }

    #[test]
    fn masks_that_do_not_help_are_passed_over() {
        // Holds the mark under the masks 0 to 3, which are tried in turn.
        let mut record = Vec::new();
        for mask in 0_u32..4 {
            record.resize(record.len().next_multiple_of(4), 0);
            let start = record.len();
            record.extend_from_slice(&MARK);
            apply_mask(&mut record[start..], mask);
        }
        let mut masks = 0..;
        let mut frame = Vec::new();
        encode(&mut frame, 1, &record, || masks.next().unwrap());
        assert_eq!(frame[20..24], 4_u32.to_le_bytes());
        assert_eq!(marks(&frame), [0]);
        assert_eq!(read(&frame), (1, record));
    }

    #[test]
    fn a_length_beyond_the_bound_is_no_header() {
        for (length, valid) in [(MAX_RECORD_BYTES as u32, true), (MAX_RECORD_BYTES as u32 + 1, false)] {
            let mut frame = written(1, b"");
            frame[16..20].copy_from_slice(&length.to_le_bytes());
            let checksum = xxh3_64(&frame[..32]);
            frame[32..40].copy_from_slice(&checksum.to_le_bytes());
            assert_eq!(Header::parse(&frame).is_some(), valid);
        }
        assert_eq!(Header::parse(&written(1, b"")[..39]), None);
    }

    proptest! {
        #[test]
        fn comes_back(number: u64, record: Vec<u8>) {
            prop_assert_eq!(read(&written(number, &record)), (number, record));
        }

        #[test]
        fn a_flipped_bit_is_seen(record in prop::collection::vec(any::<u8>(), 0..64), bit in any::<prop::sample::Index>()) {
            let mut frame = written(3, &record);
            let bit = bit.index(frame.len() * 8);
            frame[bit / 8] ^= 1 << (bit % 8);
            let seen = Header::parse(&frame).is_none_or(|header| !header.matches(&frame[HEADER_BYTES..]));
            prop_assert!(seen);
        }
    }
}
