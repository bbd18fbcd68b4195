//! Answers in gzip for clients that take it.

use std::io::Write;

use axum::body::Body;
use axum::extract::Request;
use axum::middleware::Next;
use axum::response::Response;
use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use futures_util::{StreamExt, stream};
use http::HeaderMap;
use http::header::{ACCEPT_ENCODING, CONTENT_ENCODING, CONTENT_LENGTH, HeaderValue, VARY};

/// What is smaller fits one packet as it is.
const MIN_BYTES: u64 = 1400;
/// So much is compressed at a time: it takes a millisecond, and then others have their turn.
const STEP_BYTES: usize = 64 << 10;

pub(super) async fn compress(request: Request, next: Next) -> Response {
    let accepts = accepts_gzip(request.headers());
    let mut response = next.run(request).await;
    response.headers_mut().insert(VARY, HeaderValue::from_static("Accept-Encoding"));
    let size = http_body::Body::size_hint(response.body()).exact();
    // What has no length yet is long.
    if !accepts || size.is_some_and(|size| size < MIN_BYTES) {
        return response;
    }
    let (mut parts, body) = response.into_parts();
    parts.headers.insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
    parts.headers.remove(CONTENT_LENGTH);
    Response::from_parts(parts, gzipped(body))
}

/// Whether gzip is among the encodings and not ruled out.
fn accepts_gzip(headers: &HeaderMap) -> bool {
    headers.get_all(ACCEPT_ENCODING).iter().filter_map(|value| value.to_str().ok()).any(|value| {
        value.split(',').any(|coding| {
            let mut parts = coding.split(';').map(str::trim);
            let is_gzip = parts.next().is_some_and(|name| name.eq_ignore_ascii_case("gzip"));
            let weight = parts.find_map(|part| part.strip_prefix("q="));
            is_gzip && weight.is_none_or(|weight| weight.parse::<f32>().is_ok_and(|weight| weight > 0.0))
        })
    })
}

/// Takes the body as it comes, so that neither it nor its gzip is in memory as a whole.
fn gzipped(body: Body) -> Body {
    let encoder = GzEncoder::new(Vec::new(), Compression::fast());
    let state = Some((encoder, body.into_data_stream(), Bytes::new()));
    Body::from_stream(stream::unfold(state, async |state| {
        let (mut encoder, mut body, mut rest) = state?;
        loop {
            if rest.is_empty() {
                match body.next().await {
                    Some(Ok(piece)) => rest = piece,
                    Some(Err(error)) => return Some((Err(error), None)),
                    None => return Some((encoder.finish().map(Bytes::from).map_err(axum::Error::new), None)),
                }
            }
            let step = rest.split_to(rest.len().min(STEP_BYTES));
            if let Err(error) = encoder.write_all(&step) {
                return Some((Err(axum::Error::new(error)), None));
            }
            tokio::task::yield_now().await;
            let packed = std::mem::take(encoder.get_mut());
            if !packed.is_empty() {
                return Some((Ok(Bytes::from(packed)), Some((encoder, body, rest))));
            }
        }
    }))
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use http_body_util::BodyExt;

    use super::*;

    #[test]
    fn who_takes_gzip() {
        for (value, accepts) in [
            ("gzip", true),
            ("deflate, GZIP;q=0.5", true),
            ("gzip;q=0", false),
            ("gzip; q=0.0, br", false),
            ("br", false),
            ("", false),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(ACCEPT_ENCODING, value.parse().unwrap());
            assert_eq!(accepts_gzip(&headers), accepts, "{value}");
        }
        assert!(!accepts_gzip(&HeaderMap::new()));
    }

    #[tokio::test]
    async fn what_is_compressed_comes_back() {
        for size in [0, 1, STEP_BYTES, 3 * STEP_BYTES + 7] {
            for piece in [1000, STEP_BYTES, 5 * STEP_BYTES] {
                let plain: Vec<u8> = (0..size).map(|i| (i % 251) as u8).collect();
                let pieces: Vec<_> =
                    plain.chunks(piece).map(|piece| Ok::<_, std::io::Error>(piece.to_vec())).collect();
                let packed = gzipped(Body::from_stream(stream::iter(pieces)));
                let packed = packed.collect().await.unwrap().to_bytes();
                let mut unpacked = Vec::new();
                flate2::read::GzDecoder::new(&packed[..]).read_to_end(&mut unpacked).unwrap();
                assert!(unpacked == plain, "{size} in pieces of {piece}");
            }
        }
    }

    #[tokio::test]
    async fn a_body_that_breaks_off_breaks_off() {
        let pieces = [Ok(vec![b'x'; 10]), Err(std::io::Error::other("gone"))];
        assert!(gzipped(Body::from_stream(stream::iter(pieces))).collect().await.is_err());
    }
}
