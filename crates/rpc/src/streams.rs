//! Answers that come in parts, and the deadline that bounds all of them.

use std::fmt;
use std::future::Future;
use std::pin::{Pin, pin};

use futures_util::future::{Either, select};
use futures_util::stream::{BoxStream, StreamExt, unfold};
use larch_proto::ResultPart;
use larch_types::ErrorKind;
use tokio::time::{Sleep, sleep_until};

use crate::{CallError, Deadline};

/// Parts as they come. Ends after the first error; that the deadline has passed is noticed when the next
/// part is asked for. Dropping it cancels whoever makes the parts.
pub type CallStream<T> = BoxStream<'static, Result<T, CallError>>;

/// An answer that begins with facts about the whole of it.
pub struct Headed<H, B> {
    pub head: H,
    pub body: CallStream<B>,
}

/// Without the body, which is still to come.
impl<H: fmt::Debug, B> fmt::Debug for Headed<H, B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Headed").field("head", &self.head).finish_non_exhaustive()
    }
}

/// The call's answer, or a timeout. The deadline is looked at first, so that the answer after it is
/// always the same.
pub(crate) async fn within<T>(
    deadline: Deadline,
    call: impl Future<Output = Result<T, CallError>>,
) -> Result<T, CallError> {
    if deadline.has_passed() {
        return Err(CallError::deadline_exceeded());
    }
    match select(pin!(sleep_until(deadline.instant())), pin!(call)).await {
        Either::Left(((), _)) => Err(CallError::deadline_exceeded()),
        Either::Right((answer, _)) => answer,
    }
}

/// The stream up to its first error, which is a timeout if the deadline comes before the end.
pub(crate) fn until<T: Send + 'static>(deadline: Deadline, stream: CallStream<T>) -> CallStream<T> {
    let timer = Box::pin(sleep_until(deadline.instant()));
    let parts = unfold(Some((timer, stream)), |state| async {
        let (mut timer, mut stream) = state?;
        let part = next_part(&mut timer, &mut stream).await?;
        // After an error there is nobody who could want more: the rest of the stream is let go at once.
        let rest = part.is_ok().then_some((timer, stream));
        Some((part, rest))
    });
    parts.boxed()
}

async fn next_part<T>(
    timer: &mut Pin<Box<Sleep>>,
    stream: &mut CallStream<T>,
) -> Option<Result<T, CallError>> {
    match select(timer, stream.next()).await {
        Either::Left(((), _)) => Some(Err(CallError::deadline_exceeded())),
        Either::Right((part, _)) => part,
    }
}

pub(crate) fn headed_until<H, B: Send + 'static>(deadline: Deadline, answer: Headed<H, B>) -> Headed<H, B> {
    Headed { head: answer.head, body: until(deadline, answer.body) }
}

/// The parts up to the last one. A worker that vanished in between is told from one that was done.
pub(crate) fn whole_report(parts: CallStream<ResultPart>) -> CallStream<ResultPart> {
    let parts = unfold(Some(parts), |state| async {
        let mut parts = state?;
        let part = parts.next().await.unwrap_or_else(|| {
            Err(CallError::new(ErrorKind::Unavailable, "the report ended before its last part"))
        });
        let is_last = matches!(part, Ok(ResultPart::Done(_)) | Err(_));
        Some((part, (!is_last).then_some(parts)))
    });
    parts.boxed()
}
