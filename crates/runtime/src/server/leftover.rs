//! What a handler left of a request's body: it is read before the answer goes out, so that the client, who
//! may be sending still, hears the answer, and its connection can be used again. Go's servers do the same,
//! and clients are written against those.

use std::future::poll_fn;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::Body;
use axum::extract::Request;
use axum::middleware::Next;
use axum::response::Response;
use bytes::Bytes;
use http::header::{CONNECTION, EXPECT, HeaderValue};
use http::{HeaderMap, Version};
use http_body::{Body as HttpBody, Frame, SizeHint};

/// As much as Go's servers read. More is cheaper to cut off.
const MAX_BYTES: u64 = 256 << 10;
/// A client that is slower than that loses its connection.
const MAX_TIME: Duration = Duration::from_secs(1);

/// Answers when the body is read or hopeless.
///
/// # Cancel safety
/// What was not read is lost with the connection.
pub(super) async fn read_leftover(request: Request, next: Next) -> Response {
    // Over HTTP/2 a body has a stream of its own, which can be reset alone.
    let is_alone = request.version() >= Version::HTTP_2;
    if is_alone || request.body().is_end_stream() {
        return next.run(request).await;
    }
    let waits_for_word = waits_for_word(request.headers());
    let (parts, body) = request.into_parts();
    let lent = Arc::new(Mutex::new(body));
    let body = Body::new(LentBody(Arc::clone(&lent)));
    let mut response = next.run(Request::from_parts(parts, body)).await;
    // Whoever has it still reads it still.
    let Some(leftover) = Arc::into_inner(lent) else { return response };
    let leftover = leftover.into_inner().unwrap_or_else(PoisonError::into_inner);
    if leftover.is_end_stream() {
        return response;
    }
    let is_read = !waits_for_word && tokio::time::timeout(MAX_TIME, discard(leftover)).await == Ok(true);
    if !is_read {
        response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    }
    response
}

/// A client that asks before it sends must not be told to go on only to throw away what it sends.
fn waits_for_word(headers: &HeaderMap) -> bool {
    headers.contains_key(EXPECT)
}

/// Whether the end was found.
async fn discard(mut body: Body) -> bool {
    if body.size_hint().lower() > MAX_BYTES {
        return false;
    }
    let mut left = MAX_BYTES;
    loop {
        match poll_fn(|cx| Pin::new(&mut body).poll_frame(cx)).await {
            None => return true,
            Some(Err(_)) => return false,
            Some(Ok(frame)) => {
                let size = frame.data_ref().map_or(0, |data| data.len() as u64);
                match left.checked_sub(size) {
                    Some(rest) => left = rest,
                    None => return false,
                }
            }
        }
    }
}

/// A body that somebody else takes back.
struct LentBody(Arc<Mutex<Body>>);

impl LentBody {
    fn with<R>(&self, read: impl FnOnce(&mut Body) -> R) -> R {
        // It is taken back only once this here is gone, so that nobody ever waits for the lock.
        read(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl HttpBody for LentBody {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        self.with(|body| Pin::new(body).poll_frame(cx))
    }

    fn is_end_stream(&self) -> bool {
        self.with(|body| body.is_end_stream())
    }

    fn size_hint(&self) -> SizeHint {
        self.with(|body| body.size_hint())
    }
}
