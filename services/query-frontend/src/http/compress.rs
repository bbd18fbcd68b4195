//! Answers in gzip for clients that take it.

use std::io::Write;

use axum::body::Body;
use axum::extract::Request;
use axum::middleware::Next;
use axum::response::Response;
use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use futures_util::stream;
use http::HeaderMap;
use http::header::{ACCEPT_ENCODING, CONTENT_ENCODING, CONTENT_LENGTH, HeaderValue, VARY};
use http_body_util::BodyExt;

/// What is smaller fits one packet as it is.
const MIN_BYTES: u64 = 1400;
/// So much is compressed at a time: it takes a millisecond, and then others have their turn.
const STEP_BYTES: usize = 64 << 10;

pub(super) async fn compress(request: Request, next: Next) -> Response {
    let accepts = accepts_gzip(request.headers());
    let mut response = next.run(request).await;
    response.headers_mut().insert(VARY, HeaderValue::from_static("Accept-Encoding"));
    let size = http_body::Body::size_hint(response.body()).exact();
    if !accepts || size.is_none_or(|size| size < MIN_BYTES) {
        return response;
    }
    let (mut parts, body) = response.into_parts();
    // The handlers' bodies are in memory as a whole.
    let Ok(body) = body.collect().await else { return Response::from_parts(parts, Body::empty()) };
    parts.headers.insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
    parts.headers.remove(CONTENT_LENGTH);
    Response::from_parts(parts, gzipped(body.to_bytes()))
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

fn gzipped(body: Bytes) -> Body {
    let encoder = GzEncoder::new(Vec::new(), Compression::fast());
    let parts = stream::unfold(Some((encoder, body)), |state| async {
        let (mut encoder, mut rest) = state?;
        let step = rest.split_to(rest.len().min(STEP_BYTES));
        if let Err(error) = encoder.write_all(&step) {
            return Some((Err(error), None));
        }
        if !rest.is_empty() {
            let part = std::mem::take(encoder.get_mut());
            tokio::task::yield_now().await;
            return Some((Ok(Bytes::from(part)), Some((encoder, rest))));
        }
        Some((encoder.finish().map(Bytes::from), None))
    });
    Body::from_stream(parts)
}

#[cfg(test)]
mod tests {
    use std::io::Read;

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
            let plain: Vec<u8> = (0..size).map(|i| (i % 251) as u8).collect();
            let packed = gzipped(Bytes::from(plain.clone())).collect().await.unwrap().to_bytes();
            let mut unpacked = Vec::new();
            flate2::read::GzDecoder::new(&packed[..]).read_to_end(&mut unpacked).unwrap();
            assert!(unpacked == plain, "{size}");
        }
    }
}
