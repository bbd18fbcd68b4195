//! What all clients share: requests with their metadata, answers with their deadline.

use std::future::Future;

use futures_util::stream::StreamExt;
use larch_proto::Part;
use larch_types::ErrorKind;
use prost::Message;
use tonic::{Request, Response, Status, Streaming};

use super::metadata::{write_call, write_tenant};
use super::sizes::sendable;
use super::status::from_status;
use crate::streams::{until, within};
use crate::{CallContext, CallError, CallStream, Deadline, Headed, MessageLimits, TenantContext};

pub(super) fn tenant_request<W: Message>(
    context: &TenantContext,
    limits: MessageLimits,
    message: impl Into<W>,
) -> Result<Request<W>, CallError> {
    let mut request = Request::new(sendable(message.into(), limits)?);
    write_tenant(context, request.metadata_mut());
    Ok(request)
}

pub(super) fn plain_request<W: Message>(
    context: &CallContext,
    limits: MessageLimits,
    message: impl Into<W>,
) -> Result<Request<W>, CallError> {
    Ok(plain_stream(context, sendable(message.into(), limits)?))
}

/// A request of many messages; what sends them sees to their sizes.
pub(super) fn plain_stream<S>(context: &CallContext, messages: S) -> Request<S> {
    let mut request = Request::new(messages);
    write_call(context, request.metadata_mut());
    request
}

/// The one message of an answer.
pub(super) async fn single<W, T>(
    deadline: Deadline,
    call: impl Future<Output = Result<Response<W>, Status>>,
) -> Result<T, CallError>
where
    T: TryFrom<W>,
    T::Error: Into<CallError>,
{
    let answer = async { call.await.map_err(|status| from_status(&status)) };
    T::try_from(within(deadline, answer).await?.into_inner()).map_err(Into::into)
}

/// An answer of many messages.
pub(super) async fn stream<W, T>(
    deadline: Deadline,
    call: impl Future<Output = Result<Response<Streaming<W>>, Status>>,
) -> Result<CallStream<T>, CallError>
where
    W: Send + 'static,
    T: TryFrom<W> + Send + 'static,
    T::Error: Into<CallError>,
{
    let answer = async { call.await.map_err(|status| from_status(&status)) };
    let messages = within(deadline, answer).await?.into_inner();
    Ok(until(deadline, checked(messages)))
}

/// Messages as what they mean.
pub(super) fn checked<W, T>(messages: Streaming<W>) -> CallStream<T>
where
    W: Send + 'static,
    T: TryFrom<W> + Send + 'static,
    T::Error: Into<CallError>,
{
    let check = |message: Result<W, Status>| match message {
        Ok(message) => T::try_from(message).map_err(Into::into),
        Err(status) => Err(from_status(&status)),
    };
    messages.map(check).boxed()
}

/// An answer that begins with its head.
pub(super) async fn headed<W, H, B>(
    deadline: Deadline,
    call: impl Future<Output = Result<Response<Streaming<W>>, Status>>,
) -> Result<Headed<H, B>, CallError>
where
    W: Send + 'static,
    H: Send + 'static,
    B: Send + 'static,
    Part<H, B>: TryFrom<W>,
    <Part<H, B> as TryFrom<W>>::Error: Into<CallError>,
{
    let answer = async { call.await.map_err(|status| from_status(&status)) };
    let mut parts: CallStream<Part<H, B>> = checked(within(deadline, answer).await?.into_inner());
    let head = match within(deadline, async { Ok(parts.next().await) }).await? {
        Some(Ok(Part::Head(head))) => head,
        Some(Ok(Part::Body(_))) | None => return Err(misplaced_head()),
        Some(Err(error)) => return Err(error),
    };
    let body = |part: Result<Part<H, B>, CallError>| match part? {
        Part::Body(body) => Ok(body),
        Part::Head(_) => Err(misplaced_head()),
    };
    Ok(Headed { head, body: until(deadline, parts.map(body).boxed()) })
}

fn misplaced_head() -> CallError {
    CallError::new(ErrorKind::Internal, "an answer must begin with its head and have no other")
}
