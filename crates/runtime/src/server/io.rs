//! A connection that cannot be kept busy by doing nothing.
//!
//! Three silences end a connection: no request for the idle time, a request's head that does not come to
//! its end, and an answer that nobody takes. Silence while a request is being worked on is fine here;
//! bodies have their own deadline.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep};

/// How long a connection may be silent.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Silences {
    pub(crate) idle: Duration,
    pub(crate) head: Duration,
    pub(crate) write: Duration,
}

/// The requests of one connection that are being worked on.
#[derive(Debug, Clone, Default)]
pub(crate) struct Active(Arc<AtomicUsize>);

impl Active {
    pub(crate) fn enter(&self) -> ActiveRequest {
        self.0.fetch_add(1, Ordering::Relaxed);
        ActiveRequest(self.clone())
    }

    fn any(&self) -> bool {
        self.0.load(Ordering::Relaxed) > 0
    }
}

/// Travels with a request until its answer is written.
#[derive(Debug)]
pub(crate) struct ActiveRequest(Active);

impl Drop for ActiveRequest {
    fn drop(&mut self) {
        self.0.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// The first bytes of HTTP/2. Such a connection has no heads to wait for: its frames come when they come.
const HTTP2_PREFACE: &[u8] = b"PRI * HT";

pub(crate) struct GuardedIo<S> {
    inner: S,
    silences: Silences,
    active: Active,
    /// Bytes have come since the last answer.
    head_begun: bool,
    is_http2: bool,
    read_timer: Option<Pin<Box<Sleep>>>,
    write_timer: Option<Pin<Box<Sleep>>>,
}

impl<S> GuardedIo<S> {
    pub(crate) fn new(inner: S, silences: Silences, active: Active) -> Self {
        let (head_begun, is_http2) = (false, false);
        Self { inner, silences, active, head_begun, is_http2, read_timer: None, write_timer: None }
    }

    fn silence_allowed(&self) -> Option<Duration> {
        if self.active.any() {
            None
        } else if self.head_begun && !self.is_http2 {
            Some(self.silences.head)
        } else {
            Some(self.silences.idle)
        }
    }
}

/// Fails once the timer, which runs from the first silent poll on, has run out.
fn poll_silence(
    timer: &mut Option<Pin<Box<Sleep>>>,
    allowed: Duration,
    cx: &mut Context<'_>,
) -> Poll<io::Result<()>> {
    // A span of centuries means no bound; tokio's timers end before that.
    const LONGEST: Duration = Duration::from_secs(365 * 86_400);
    let deadline = || Instant::now() + allowed.min(LONGEST);
    let timer = timer.get_or_insert_with(|| Box::pin(tokio::time::sleep_until(deadline())));
    match timer.as_mut().poll(cx) {
        Poll::Ready(()) => Poll::Ready(Err(io::ErrorKind::TimedOut.into())),
        Poll::Pending => Poll::Pending,
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for GuardedIo<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = &mut *self;
        let before = buf.filled().len();
        match Pin::new(&mut this.inner).poll_read(cx, buf) {
            Poll::Ready(done) => {
                if !this.head_begun {
                    this.is_http2 |= buf.filled()[before..].starts_with(HTTP2_PREFACE);
                    this.head_begun = true;
                    // The head has its own time, from its first byte on.
                    this.read_timer = None;
                }
                Poll::Ready(done)
            }
            Poll::Pending => match this.silence_allowed() {
                Some(allowed) => poll_silence(&mut this.read_timer, allowed, cx),
                None => {
                    (this.head_begun, this.read_timer) = (false, None);
                    Poll::Pending
                }
            },
        }
    }
}

impl<S: AsyncWrite + Unpin> GuardedIo<S> {
    fn guard_write<T>(&mut self, cx: &mut Context<'_>, polled: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if polled.is_ready() {
            // An answer is out: what comes next begins a new head.
            (self.write_timer, self.head_begun, self.read_timer) = (None, false, None);
            return polled;
        }
        match poll_silence(&mut self.write_timer, self.silences.write, cx) {
            Poll::Ready(Err(error)) => Poll::Ready(Err(error)),
            _ => Poll::Pending,
        }
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for GuardedIo<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.inner).poll_write(cx, buf);
        self.guard_write(cx, polled)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.inner).poll_write_vectored(cx, bufs);
        self.guard_write(cx, polled)
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};

    use super::*;

    const SILENCES: Silences = Silences {
        idle: Duration::from_secs(120),
        head: Duration::from_secs(30),
        write: Duration::from_secs(10),
    };

    async fn seconds_until_error<T>(wait: impl Future<Output = io::Result<T>>) -> u64 {
        let begun = Instant::now();
        let error = wait.await.err().expect("the silence ends the connection");
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        begun.elapsed().as_secs()
    }

    #[tokio::test(start_paused = true)]
    async fn idle_and_head_have_different_times() {
        let (mut client, server) = duplex(64);
        let mut server = GuardedIo::new(server, SILENCES, Active::default());
        let mut byte = [0];
        assert_eq!(seconds_until_error(server.read(&mut byte)).await, 120);

        let (mut client2, server) = duplex(64);
        let mut server = GuardedIo::new(server, SILENCES, Active::default());
        client2.write_all(b"G").await.unwrap();
        server.read_exact(&mut byte).await.unwrap();
        assert_eq!(seconds_until_error(server.read(&mut byte)).await, 30);
        client.shutdown().await.unwrap();
    }

    #[tokio::test(start_paused = true)]
    async fn a_trickle_of_bytes_does_not_lengthen_the_head() {
        let (mut client, server) = duplex(64);
        let mut server = GuardedIo::new(server, SILENCES, Active::default());
        let reading = async {
            let mut byte = [0];
            loop {
                server.read_exact(&mut byte).await?;
            }
            #[expect(unreachable_code, reason = "names the type of the error")]
            Ok::<(), io::Error>(())
        };
        let trickle = async {
            while client.write_all(b"x").await.is_ok() {
                tokio::time::sleep(Duration::from_secs(4)).await;
            }
        };
        let reading = std::pin::pin!(seconds_until_error(reading));
        let trickle = std::pin::pin!(trickle);
        match futures_util::future::select(reading, trickle).await {
            futures_util::future::Either::Left((seconds, _)) => assert_eq!(seconds, 30),
            futures_util::future::Either::Right(_) => panic!("the trickle ended first"),
        }
    }

    #[tokio::test(start_paused = true)]
    async fn work_and_http2_may_be_silent_and_unread_answers_may_not() {
        let (mut client, server) = duplex(8);
        let active = Active::default();
        let mut server = GuardedIo::new(server, SILENCES, active.clone());
        let mut bytes = [0; 8];
        client.write_all(HTTP2_PREFACE).await.unwrap();
        server.read_exact(&mut bytes).await.unwrap();
        assert_eq!(seconds_until_error(server.read(&mut bytes)).await, 120, "HTTP/2 has no head");

        let request = active.enter();
        let hour = Duration::from_secs(3600);
        assert!(tokio::time::timeout(hour, server.read(&mut bytes)).await.is_err(), "work goes on");
        drop(request);
        assert_eq!(seconds_until_error(server.write_all(&[0; 9])).await, 10);
    }
}
