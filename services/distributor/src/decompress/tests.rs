//! Round trips, damage and bombs.

use std::io::Write;

use flate2::Compression;
use flate2::write::{DeflateEncoder, GzEncoder, ZlibEncoder};
use larch_telemetry::Registry;
use lz4_flex::frame::FrameEncoder;

use super::*;
use crate::inflight::Inflight;
use crate::tests::{mutations, snappy_block};

const BOUND: SizeBound = SizeBound { max: 64 << 20 };

fn snappy(body: &[u8], bound: SizeBound, held: &mut HeldBytes) -> Result<Bytes, DecompressError> {
    super::snappy(body, bound, held, &BufferPool::new(1 << 20))
}

fn held() -> HeldBytes {
    Inflight::new(0, 0, &Registry::default()).hold().unwrap()
}

fn gzipped(data: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(data).unwrap();
    encoder.finish().unwrap()
}

fn deflated(data: &[u8]) -> Vec<u8> {
    let mut encoder = DeflateEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(data).unwrap();
    encoder.finish().unwrap()
}

fn zlibbed(data: &[u8]) -> Vec<u8> {
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(data).unwrap();
    encoder.finish().unwrap()
}

fn lz4ed(data: &[u8]) -> Vec<u8> {
    let mut encoder = FrameEncoder::new(Vec::new());
    encoder.write_all(data).unwrap();
    encoder.finish().unwrap()
}

fn zstded(data: &[u8]) -> Vec<u8> {
    ::zstd::encode_all(data, 3).unwrap()
}

#[test]
fn round_trips() {
    for data in [&b""[..], b"x", b"a line, and again a line", &[7; 200_000]] {
        assert_eq!(snappy(&snappy_block(data), BOUND, &mut held()).unwrap(), data);
        assert_eq!(gzip(&gzipped(data), BOUND, &mut held()).unwrap(), data);
        assert_eq!(deflate(&deflated(data), BOUND, &mut held()).unwrap(), data);
        assert_eq!(deflate(&zlibbed(data), BOUND, &mut held()).unwrap(), data);
        assert_eq!(zstd(&zstded(data), BOUND, &mut held()).unwrap(), data);
        assert_eq!(lz4(&lz4ed(data), BOUND, &mut held()).unwrap(), data);
    }
    let two = [gzipped(b"one "), gzipped(b"two")].concat();
    assert_eq!(gzip(&two, BOUND, &mut held()).unwrap(), "one two");
    let two = [zstded(b"one "), zstded(b"two")].concat();
    assert_eq!(zstd(&two, BOUND, &mut held()).unwrap(), "one two");
    let two = [lz4ed(b"one "), lz4ed(b""), lz4ed(b"two")].concat();
    assert_eq!(lz4(&two, BOUND, &mut held()).unwrap(), "one two");
}

#[test]
fn stored_blocks_that_begin_like_zlib_are_raw() {
    // A block of 0x019c bytes behind one of none: its length is what zlib has for flags.
    let mut raw = vec![0x78, 0x9c, 0x01, !0x9c, !0x01];
    raw.extend_from_slice(&[b'x'; 0x019c]);
    raw.extend_from_slice(&deflated(b"end"));
    assert_eq!(deflate(&raw, BOUND, &mut held()).unwrap().len(), 0x019c + 3);
}

#[test]
fn damage() {
    let whole = b"a line, and again a line, and again a line".repeat(10);
    let cut = |mut data: Vec<u8>| {
        data.truncate(data.len() - 9);
        data
    };
    for (result, text) in [
        (snappy(b"", BOUND, &mut held()), "snappy: corrupt input"),
        (snappy(&cut(snappy_block(&whole)), BOUND, &mut held()), "snappy: corrupt input"),
        (snappy(b"{\"streams\":[]}", BOUND, &mut held()), "snappy: corrupt input"),
        (gzip(b"", BOUND, &mut held()), "gzip: invalid data"),
        (gzip(b"{\"streams\":[]}", BOUND, &mut held()), "gzip: invalid data"),
        (gzip(&cut(gzipped(&whole)), BOUND, &mut held()), "gzip: invalid data"),
        (deflate(b"", BOUND, &mut held()), "flate: corrupt input"),
        (deflate(&cut(deflated(&whole)), BOUND, &mut held()), "flate: corrupt input"),
        (deflate(&cut(zlibbed(&whole)), BOUND, &mut held()), "zlib: invalid data"),
        (zstd(b"{\"resourceLogs\":[]}", BOUND, &mut held()), "zstd: invalid data"),
        (zstd(&cut(zstded(&whole)), BOUND, &mut held()), "zstd: invalid data"),
        (lz4(b"{\"resourceLogs\":[]}", BOUND, &mut held()), "lz4: invalid data"),
        (lz4(&cut(lz4ed(&whole)), BOUND, &mut held()), "lz4: invalid data"),
        (lz4(&[lz4ed(&whole), b"and more".to_vec()].concat(), BOUND, &mut held()), "lz4: invalid data"),
    ] {
        assert_eq!(result.unwrap_err().to_string(), text);
    }
}

#[test]
fn bombs_end_early() {
    // A length of nearly 4 GiB in front of nothing.
    let claimed = [0xff, 0xff, 0xff, 0xff, 0x0f, 0];
    let error = snappy(&claimed, SizeBound { max: u64::MAX }, &mut held()).unwrap_err();
    assert!(matches!(error, DecompressError::Snappy), "{error}");
    let error = snappy(&claimed, BOUND, &mut held()).unwrap_err();
    let text = "decompressed message size too large than max (4294967295 vs 67108864)";
    assert_eq!(error.to_string(), text);

    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(&vec![0; 32 << 20]).unwrap();
    let bomb = encoder.finish().unwrap();
    let error = gzip(&bomb, BOUND, &mut held()).unwrap_err();
    let DecompressError::TooLarge { size, max } = error else { panic!("{error}") };
    assert_eq!(max, FREE_BYTES, "its ratio is beyond all that lines have");
    assert!(size <= max + STEP_BYTES as u64);
    for bomb in [
        zstd(&zstded(&vec![0; 32 << 20]), BOUND, &mut held()),
        lz4(&lz4ed(&vec![0; 32 << 20]), SizeBound { max: 1 << 20 }, &mut held()),
    ] {
        assert!(matches!(bomb, Err(DecompressError::TooLarge { .. })));
    }
    let small = SizeBound { max: 1000 };
    assert!(deflate(&deflated(&[0; 1000]), small, &mut held()).is_ok());
    assert!(deflate(&deflated(&[0; 1001]), small, &mut held()).is_err());
}

#[test]
fn bytes_in_flight_are_counted_before_they_are_there() {
    let inflight = Inflight::new(10_001, 0, &Registry::default());
    let mut other = inflight.hold().unwrap();
    assert!(other.grow(1).is_ok());
    let mut held = inflight.hold().unwrap();
    assert!(matches!(snappy(&snappy_block(&[1; 10_001]), BOUND, &mut held), Err(DecompressError::Full)));
    assert!(matches!(gzip(&gzipped(&[1; 10_001]), BOUND, &mut held), Err(DecompressError::Full)));
    let mut held = inflight.hold().unwrap();
    assert!(snappy(&snappy_block(&[1; 10_000]), BOUND, &mut held).is_ok());
    drop((other, held));
    let bomb = snappy_block(&[1; 1 << 20]);
    assert!(snappy(&bomb, BOUND, &mut inflight.hold().unwrap()).is_ok(), "it is alone");
}

#[test]
fn damaged_bodies_never_panic() {
    let data = b"level=info msg=\"a line\" and again level=info msg=\"a line\"".repeat(5);
    let corpus = vec![
        snappy_block(&data),
        gzipped(&data),
        deflated(&data),
        zlibbed(&data),
        zstded(&data),
        lz4ed(&data),
    ];
    let small = SizeBound { max: 1 << 20 };
    mutations(&corpus, |bytes| {
        for decompress in [snappy, gzip, deflate, zstd, lz4] {
            if let Ok(out) = decompress(bytes, small, &mut held()) {
                assert!(out.len() as u64 <= small.max);
            }
        }
    });
}
