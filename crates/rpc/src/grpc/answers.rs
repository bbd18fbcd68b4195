//! What all servers share: contexts rebuilt, messages checked, deadlines kept.

use std::future::Future;

use futures_util::stream::{BoxStream, StreamExt, once};
use larch_proto::Part;
use prost::Message;
use tonic::{Request, Response, Status};

use super::metadata::{read_call, read_tenant};
use super::sizes::sendable;
use super::status::to_status;
use crate::streams::{until, within};
use crate::{CallContext, CallError, CallStream, Deadline, Headed, MessageLimits, TenantContext};

/// Messages on their way out.
pub(super) type Messages<W> = BoxStream<'static, Result<W, Status>>;

/// A tenant's call. The metadata is looked at first: without it, nobody has asked anything.
pub(super) fn tenant_call<W, T>(request: Request<W>) -> Result<(TenantContext, T), Status>
where
    T: TryFrom<W>,
    T::Error: Into<CallError>,
{
    let context = read_tenant(request.metadata()).map_err(|error| to_status(&error))?;
    Ok((context, meaning(request.into_inner())?))
}

/// A call of no tenant.
pub(super) fn plain_call<W, T>(request: Request<W>) -> Result<(CallContext, T), Status>
where
    T: TryFrom<W>,
    T::Error: Into<CallError>,
{
    let context = read_call(request.metadata()).map_err(|error| to_status(&error))?;
    Ok((context, meaning(request.into_inner())?))
}

fn meaning<W, T>(message: W) -> Result<T, Status>
where
    T: TryFrom<W>,
    T::Error: Into<CallError>,
{
    T::try_from(message).map_err(|error| to_status(&error.into()))
}

pub(super) async fn single<W, T>(
    deadline: Deadline,
    limits: MessageLimits,
    call: impl Future<Output = Result<T, CallError>>,
) -> Result<Response<W>, Status>
where
    W: From<T> + Message,
{
    let answer = within(deadline, call).await;
    match answer.and_then(|answer| sendable(W::from(answer), limits)) {
        Ok(message) => Ok(Response::new(message)),
        Err(error) => Err(to_status(&error)),
    }
}

pub(super) async fn stream<W, T>(
    deadline: Deadline,
    limits: MessageLimits,
    call: impl Future<Output = Result<CallStream<T>, CallError>>,
) -> Result<Response<Messages<W>>, Status>
where
    W: From<T> + Message + 'static,
    T: Send + 'static,
{
    match within(deadline, call).await {
        Ok(parts) => Ok(Response::new(messages(until(deadline, parts), limits))),
        Err(error) => Err(to_status(&error)),
    }
}

pub(super) async fn headed<W, H, B>(
    deadline: Deadline,
    limits: MessageLimits,
    call: impl Future<Output = Result<Headed<H, B>, CallError>>,
) -> Result<Response<Messages<W>>, Status>
where
    W: From<Part<H, B>> + Message + 'static,
    H: Send + 'static,
    B: Send + 'static,
{
    let parts = async {
        let answer = call.await?;
        let head = once(async { Ok(Part::Head(answer.head)) });
        Ok(head.chain(answer.body.map(|body| body.map(Part::Body))).boxed())
    };
    stream(deadline, limits, parts).await
}

fn messages<W, T>(parts: CallStream<T>, limits: MessageLimits) -> Messages<W>
where
    W: From<T> + Message + 'static,
    T: Send + 'static,
{
    let message = move |part: Result<T, CallError>| {
        let message = part.and_then(|part| sendable(W::from(part), limits));
        message.map_err(|error| to_status(&error))
    };
    parts.map(message).boxed()
}
