//! Bodies that end in time and in size, and that are counted.

use std::error::Error;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use tokio::time::Sleep;

/// Why a request's body could not be read to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BodyError {
    #[error("http: request body too large")]
    TooLarge,
    #[error("the request's body did not arrive in time")]
    Late,
    #[error("the client went away while it sent its body")]
    Broken,
    /// The client may be there still: its chunks do not add up.
    #[error("the request's body is malformed")]
    Malformed,
}

/// A request body with a bound on its bytes and on the time that it may take as a whole.
#[derive(Debug)]
pub struct BoundedBody<B> {
    inner: B,
    left: u64,
    allowed: Duration,
    timer: Option<Pin<Box<Sleep>>>,
}

impl<B> BoundedBody<B> {
    /// A time of zero means no bound.
    pub fn new(inner: B, max_bytes: u64, allowed: Duration) -> Self {
        Self { inner, left: max_bytes, allowed, timer: None }
    }
}

impl<B: Body<Data = Bytes, Error: Error + 'static> + Unpin> Body for BoundedBody<B> {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let this = &mut *self;
        match Pin::new(&mut this.inner).poll_frame(cx) {
            Poll::Ready(Some(Ok(frame))) => {
                let size = frame.data_ref().map_or(0, |data| data.len() as u64);
                match this.left.checked_sub(size) {
                    Some(left) => this.left = left,
                    None => return Poll::Ready(Some(Err(BodyError::TooLarge))),
                }
                Poll::Ready(Some(Ok(frame)))
            }
            Poll::Ready(Some(Err(error))) => Poll::Ready(Some(Err(broken_or_malformed(&error)))),
            Poll::Ready(None) => Poll::Ready(None),
            Poll::Pending if this.allowed.is_zero() => Poll::Pending,
            Poll::Pending => {
                let allowed = this.allowed;
                // The clock runs from the first wait on: a body that is all there costs no timer.
                let timer = this.timer.get_or_insert_with(|| Box::pin(tokio::time::sleep(allowed)));
                match timer.as_mut().poll(cx) {
                    Poll::Ready(()) => Poll::Ready(Some(Err(BodyError::Late))),
                    Poll::Pending => Poll::Pending,
                }
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

/// Whoever frames bodies says of bytes that cannot be read that they are invalid.
fn broken_or_malformed(error: &(dyn Error + 'static)) -> BodyError {
    let mut cause = Some(error);
    while let Some(error) = cause {
        let kind = error.downcast_ref::<io::Error>().map(io::Error::kind);
        if matches!(kind, Some(io::ErrorKind::InvalidInput | io::ErrorKind::InvalidData)) {
            return BodyError::Malformed;
        }
        cause = error.source();
    }
    BodyError::Broken
}

/// A body that keeps something until its last byte is out or nobody wants it any more.
#[derive(Debug)]
pub(crate) struct KeepingBody<K> {
    inner: axum::body::Body,
    _kept: K,
}

impl<K> KeepingBody<K> {
    pub(crate) fn new(inner: axum::body::Body, kept: K) -> Self {
        Self { inner, _kept: kept }
    }
}

impl<K: Unpin> Body for KeepingBody<K> {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.inner).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use futures_util::stream;
    use http_body_util::{BodyExt, StreamBody};

    use super::*;

    fn chunks(
        parts: &'static [&'static str],
        wait: Duration,
    ) -> Pin<Box<dyn Body<Data = Bytes, Error = std::io::Error> + Send>> {
        let frames = stream::unfold(0, move |index| async move {
            let part = parts.get(index)?;
            tokio::time::sleep(wait).await;
            Some((Ok(Frame::data(Bytes::from_static(part.as_bytes()))), index + 1))
        });
        Box::pin(StreamBody::new(Box::pin(frames)))
    }

    async fn read(parts: &'static [&'static str], wait: u64) -> Result<usize, BodyError> {
        let body = chunks(parts, Duration::from_secs(wait));
        let bounded = BoundedBody::new(body, 5, Duration::from_secs(10));
        Ok(bounded.collect().await?.to_bytes().len())
    }

    #[tokio::test(start_paused = true)]
    async fn bounds() {
        assert_eq!(read(&["ab", "cde"], 1).await, Ok(5));
        assert_eq!(read(&["ab", "cde", "f"], 1).await, Err(BodyError::TooLarge));
        assert_eq!(read(&["a", "b", "c", "d", "e"], 3).await, Err(BodyError::Late));
    }
}
