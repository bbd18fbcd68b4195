//! zstd with contexts that are used again, and a bound on what a page may become.

use std::borrow::Cow;
use std::fmt;
use std::io;

use zstd::bulk::{Compressor, Decompressor};

use crate::error::Corrupt;
use crate::wire::{Cursor, put_varint};

/// No page decodes to more. A chunk closes long before; only one huge row can make a page that large.
pub(crate) const MAX_PAGE_BYTES: usize = 64 << 20;

/// How a blob's bytes are kept.
const STORED: u8 = 0;
const ZSTD: u8 = 1;

/// Below this zstd's own header is the larger part of what it could save.
const MIN_COMPRESSED_BYTES: usize = 64;

/// Compresses one page after another with one context.
pub(crate) struct Encoder {
    zstd: Compressor<'static>,
    /// For estimates, once one is asked for.
    quick: Option<Compressor<'static>>,
}

/// The level of estimates.
const QUICK_LEVEL: i32 = 1;

impl Encoder {
    pub(crate) fn new(level: i32) -> Self {
        Self { zstd: new_compressor(level), quick: None }
    }

    /// How long the data is after the least work that zstd can do.
    pub(crate) fn quick_len(&mut self, data: &[u8]) -> usize {
        let quick = self.quick.get_or_insert_with(|| new_compressor(QUICK_LEVEL));
        quick.compress(data).map_or(data.len(), |compressed| compressed.len())
    }

    /// Appends `data` as a blob: its length, how it is kept, and the bytes up to the end of the page.
    pub(crate) fn put_blob(&mut self, out: &mut Vec<u8>, data: &[u8]) {
        put_varint(out, data.len() as u64);
        let kind = out.len();
        out.push(ZSTD);
        if data.len() < MIN_COMPRESSED_BYTES || !self.compress(data, out) {
            out.truncate(kind);
            out.push(STORED);
            out.extend_from_slice(data);
        }
    }

    /// Appends the compressed data if that is shorter than the data.
    fn compress(&mut self, data: &[u8], out: &mut Vec<u8>) -> bool {
        let start = out.len();
        out.reserve(zstd::zstd_safe::compress_bound(data.len()));
        let mut target = io::Cursor::new(std::mem::take(out));
        target.set_position(start as u64);
        let written = self.zstd.compress_to_buffer(data, &mut target);
        *out = target.into_inner();
        written.is_ok() && out.len() - start < data.len()
    }
}

/// Decodes one page after another with one context. Make one for each thread that reads.
pub struct Decoder {
    /// Made when the first page needs it: it takes longer than a short read, and rows in memory need none.
    zstd: Option<Decompressor<'static>>,
    /// For the next large pages.
    spare: Vec<Vec<u8>>,
}

/// A thread looks at one chunk after the other, and each has one page that is much larger than the others.
const MAX_SPARE: usize = 2;
/// Smaller ones the allocator has at hand, and larger ones are not kept for the next chunk to need.
const MIN_SPARE_BYTES: usize = 64 << 10;
const MAX_SPARE_BYTES: usize = 8 << 20;

impl Decoder {
    pub fn new() -> Self {
        Self { zstd: None, spare: Vec::new() }
    }

    /// A page that nobody needs any more makes room for the next one.
    pub(crate) fn keep(&mut self, mut buffer: Vec<u8>) {
        if self.spare.len() < MAX_SPARE && (MIN_SPARE_BYTES..=MAX_SPARE_BYTES).contains(&buffer.capacity()) {
            buffer.clear();
            self.spare.push(buffer);
        }
    }

    /// Empty, with room for so many bytes.
    fn buffer(&mut self, len: usize) -> Vec<u8> {
        let large = if len < MIN_SPARE_BYTES { None } else { self.spare.pop() };
        let mut buffer = large.unwrap_or_default();
        buffer.reserve_exact(len);
        buffer
    }

    /// Reads a blob that goes on to the end of the page.
    pub(crate) fn blob<'a>(&mut self, cursor: &mut Cursor<'a>) -> Result<Cow<'a, [u8]>, Corrupt> {
        let len = cursor.at_most(MAX_PAGE_BYTES)?;
        let kind = cursor.u8()?;
        let bytes = cursor.rest();
        match kind {
            STORED if bytes.len() == len => Ok(Cow::Borrowed(bytes)),
            STORED => Err(cursor.corrupt("stored bytes have another length than they should")),
            ZSTD => {
                let mut out = self.buffer(len);
                let zstd = self.zstd.get_or_insert_with(new_decompressor);
                match zstd.decompress_to_buffer(bytes, &mut out) {
                    Ok(written) if written == len => Ok(Cow::Owned(out)),
                    Ok(_) => Err(cursor.corrupt("the decompressed bytes are fewer than they should be")),
                    Err(_) => Err(cursor.corrupt("the bytes do not decompress")),
                }
            }
            _ => Err(cursor.corrupt("unknown compression")),
        }
    }
}

impl Default for Decoder {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Decoder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Decoder")
    }
}

#[expect(clippy::expect_used, reason = "fails only when memory is out, as any allocation does")]
fn new_compressor(level: i32) -> Compressor<'static> {
    let mut zstd = Compressor::new(level).expect("allocate a compression context");
    zstd.include_contentsize(false).expect("set a parameter that every version has");
    zstd
}

#[expect(clippy::expect_used, reason = "fails only when memory is out, as any allocation does")]
fn new_decompressor() -> Decompressor<'static> {
    Decompressor::new().expect("allocate a decompression context")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Section;

    fn check(data: &[u8]) {
        let mut encoder = Encoder::new(1);
        let mut bytes = vec![7];
        encoder.put_blob(&mut bytes, data);
        let mut cursor = Cursor::new(&bytes[1..], Section::Lines);
        assert_eq!(*Decoder::new().blob(&mut cursor).unwrap(), *data);
        for len in 1..bytes.len().min(40) {
            let mut cursor = Cursor::new(&bytes[1..len], Section::Lines);
            assert!(Decoder::new().blob(&mut cursor).is_err());
        }
    }

    #[test]
    fn blobs_come_back() {
        check(b"");
        check(b"short");
        check(&[b'a'; 100_000]);
        check(&(0..=255).collect::<Vec<u8>>());
    }
}
