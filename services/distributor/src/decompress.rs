//! From the bytes that came to the bytes that were meant, within bounds on size and ratio.

use std::io::{self, Read};

use bytes::Bytes;
use flate2::read::{DeflateDecoder, MultiGzDecoder, ZlibDecoder};
use larch_runtime::BufferPool;
use lz4_flex::frame::FrameDecoder;

use crate::inflight::{Full, HeldBytes};

/// What a body may become. Up to `FREE_BYTES` the ratio is not looked at: a small body may well be one
/// letter many times over.
#[derive(Debug, Clone, Copy)]
pub(crate) struct SizeBound {
    pub(crate) max: u64,
}

/// Log lines compress by 5 to 30; a body that comes to so many times its size is made to hurt.
const MAX_RATIO: u64 = 200;
const FREE_BYTES: u64 = 16 << 20;

/// A snappy element of three bytes stands for at most 64.
const MAX_SNAPPY_RATIO: u64 = 22;

/// Largest window that a zstd stream may ask for, as a power of two: the 8 MiB that every reader should
/// have. It is memory that is taken before anything comes out.
const MAX_ZSTD_WINDOW_LOG: u32 = 23;

/// How much is decompressed between two looks at the bounds.
const STEP_BYTES: usize = 64 << 10;

#[derive(Debug, thiserror::Error)]
pub(crate) enum DecompressError {
    #[error("decompressed message size too large than max ({size} vs {max})")]
    TooLarge { size: u64, max: u64 },
    #[error("snappy: corrupt input")]
    Snappy,
    #[error("{0}")]
    Stream(&'static str),
    #[error("the bound on bytes in flight is reached")]
    Full,
}

impl From<Full> for DecompressError {
    fn from(_: Full) -> Self {
        Self::Full
    }
}

impl SizeBound {
    fn of(self, compressed: usize) -> u64 {
        self.max.min((compressed as u64).saturating_mul(MAX_RATIO).max(FREE_BYTES))
    }
}

/// One block. Its length stands in front and is believed only as far as the body could bear it out.
pub(crate) fn snappy(
    body: &[u8],
    bound: SizeBound,
    held: &mut HeldBytes,
    buffers: &BufferPool,
) -> Result<Bytes, DecompressError> {
    let size = snap::raw::decompress_len(body).map_err(|_| DecompressError::Snappy)?;
    if size as u64 > bound.max {
        return Err(DecompressError::TooLarge { size: size as u64, max: bound.max });
    }
    if size as u64 > (body.len() as u64).saturating_mul(MAX_SNAPPY_RATIO) {
        return Err(DecompressError::Snappy);
    }
    held.grow(size)?;
    let mut buffer = buffers.filled(size);
    let written =
        snap::raw::Decoder::new().decompress(body, &mut buffer).map_err(|_| DecompressError::Snappy)?;
    // As many as the block said; what a buffer held before is nobody's to see.
    buffer.truncate(written);
    held.shrink(body.len());
    Ok(buffers.share(buffer))
}

/// Any number of gzip members.
pub(crate) fn gzip(body: &[u8], bound: SizeBound, held: &mut HeldBytes) -> Result<Bytes, DecompressError> {
    stream(MultiGzDecoder::new(body), body.len(), bound, held, "gzip: invalid data")
}

/// Any number of zstd frames.
pub(crate) fn zstd(body: &[u8], bound: SizeBound, held: &mut HeldBytes) -> Result<Bytes, DecompressError> {
    const DAMAGED: &str = "zstd: invalid data";
    let damaged = |_| DecompressError::Stream(DAMAGED);
    let mut reader = zstd::stream::read::Decoder::with_buffer(body).map_err(damaged)?;
    reader.window_log_max(MAX_ZSTD_WINDOW_LOG).map_err(damaged)?;
    stream(reader, body.len(), bound, held, DAMAGED)
}

/// Any number of LZ4 frames.
pub(crate) fn lz4(body: &[u8], bound: SizeBound, held: &mut HeldBytes) -> Result<Bytes, DecompressError> {
    stream(Lz4Frames(FrameDecoder::new(body)), body.len(), bound, held, "lz4: invalid data")
}

/// One frame behind another. The decoder ends with each.
struct Lz4Frames<'b>(FrameDecoder<&'b [u8]>);

impl Read for Lz4Frames<'_> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        loop {
            let read = self.0.read(out)?;
            // Each frame takes some of the body, so that this ends.
            if read > 0 || self.0.get_ref().is_empty() {
                return Ok(read);
            }
        }
    }
}

/// A raw stream, as HTTP has it in practice, or one in zlib's wrapping, as HTTP has it by its letter.
pub(crate) fn deflate(body: &[u8], bound: SizeBound, held: &mut HeldBytes) -> Result<Bytes, DecompressError> {
    if is_zlib(body) {
        return stream(ZlibDecoder::new(body), body.len(), bound, held, "zlib: invalid data");
    }
    stream(DeflateDecoder::new(body), body.len(), bound, held, "flate: corrupt input")
}

/// As a raw stream every such header begins a stored block, whose length must then come twice.
fn is_zlib(body: &[u8]) -> bool {
    let &[method, flags, ref rest @ ..] = body else { return false };
    let is_header = method & 0x0f == 8
        && method >> 4 <= 7
        && (u16::from(method) << 8 | u16::from(flags)).is_multiple_of(31);
    let stored = match *rest {
        [high, low_check, high_check, ..] => flags == !low_check && high == !high_check,
        _ => false,
    };
    is_header && !stored
}

fn stream(
    mut reader: impl Read,
    compressed: usize,
    bound: SizeBound,
    held: &mut HeldBytes,
    damaged: &'static str,
) -> Result<Bytes, DecompressError> {
    let max = bound.of(compressed);
    let mut out = Vec::new();
    let mut step = vec![0; STEP_BYTES];
    loop {
        let read = match reader.read(&mut step) {
            Ok(0) => break,
            Ok(read) => read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(_) => return Err(DecompressError::Stream(damaged)),
        };
        let size = (out.len() + read) as u64;
        if size > max {
            return Err(DecompressError::TooLarge { size, max });
        }
        held.grow(read)?;
        out.extend_from_slice(&step[..read]);
    }
    held.shrink(compressed);
    Ok(out.into())
}

#[cfg(test)]
mod tests;
