//! From a request to its answer: the one place where errors become statuses and texts.

use std::convert::Infallible;
use std::sync::Arc;

use axum::body::Body;
use axum::extract::Request;
use axum::response::Response;
use bytes::Bytes;
use futures_util::{StreamExt, stream};
use http::header::{CONTENT_TYPE, HeaderValue};
use http::{HeaderName, StatusCode, header};
use larch_api::Pieces;
use larch_runtime::plain;
use larch_types::ErrorKind;
use tracing::Span;

use super::asked::Asked;
use super::routes::Endpoint;
use super::{detected, index, labels, query};
use crate::error::ReadError;
use crate::frontend::Frontend;
use crate::limits::LimitError;
use crate::watch::{Asker, Record};

/// Note the upper case; clients compare it.
const JSON: HeaderValue = HeaderValue::from_static("application/json; charset=UTF-8");

const SERVER_TIMING: HeaderName = HeaderName::from_static("server-timing");

pub(super) async fn serve(frontend: Arc<Frontend>, endpoint: Endpoint, request: Request) -> Response {
    let asked = match Asked::read(&frontend, request).await {
        Ok(asked) => asked,
        Err(error) => return refusal(&error),
    };
    Span::current().record("tenant", asked.user.as_str());
    let (user, tags, headers) = (asked.user.clone(), asked.tags.clone(), asked.logged_headers.clone());
    let asker = Asker { user, tags, headers };
    let mut record = Record::begin(&frontend.watched, endpoint.name(), asker);
    let mut response = match work(&frontend, &endpoint, &asked, &mut record).await {
        Ok(pieces) => json(pieces),
        Err(error) => {
            if error == ReadError::Limit(LimitError::Blocked) {
                frontend.watched.metrics.blocked.with([&asked.user]).inc();
            }
            refusal(&error)
        }
    };
    if let Some(value) = record.server_timing().and_then(|text| HeaderValue::try_from(text).ok()) {
        response.headers_mut().insert(SERVER_TIMING, value);
    }
    record.answered(response.status().as_u16());
    response
}

async fn work(
    frontend: &Frontend,
    endpoint: &Endpoint,
    asked: &Asked,
    record: &mut Record,
) -> Result<Pieces, ReadError> {
    match endpoint {
        Endpoint::QueryRange => query::range(frontend, asked, record).await,
        Endpoint::Query => query::instant(frontend, asked, record).await,
        Endpoint::LegacyQuery => query::legacy(frontend, asked, record).await,
        Endpoint::Labels { legacy } => labels::names(frontend, asked, record, *legacy).await,
        Endpoint::LabelValues { name, legacy } => {
            labels::values(frontend, asked, record, name, *legacy).await
        }
        Endpoint::Series => labels::series(frontend, asked, record).await,
        Endpoint::IndexStats => index::stats(frontend, asked, record).await,
        Endpoint::Volume => index::volume(frontend, asked, record, false).await,
        Endpoint::VolumeRange => index::volume(frontend, asked, record, true).await,
        Endpoint::Shards => index::shards(frontend, asked, record).await,
        Endpoint::Patterns => index::patterns(frontend, asked, record).await,
        Endpoint::DetectedLabels => detected::labels(frontend, asked, record).await,
        Endpoint::DetectedFields => detected::fields(frontend, asked, record).await,
        Endpoint::DetectedFieldValues { name } => detected::values(frontend, asked, record, name).await,
    }
}

/// A text of one piece has a length. Of a longer one each piece is written when the client has taken those
/// before it, and no more of them once the client is gone.
pub(super) fn json(mut pieces: Pieces) -> Response {
    let first = pieces.next().unwrap_or_default();
    let body = if pieces.is_done() {
        Body::from(first)
    } else {
        let pieces = stream::iter(std::iter::once(first).chain(pieces));
        Body::from_stream(pieces.then(async |piece| {
            // Others have their turn in between.
            tokio::task::yield_now().await;
            Ok::<Bytes, Infallible>(piece)
        }))
    };
    let mut response = Response::new(body);
    response.headers_mut().insert(CONTENT_TYPE, JSON);
    response
}

/// Plain text without a line feed, but for a missing tenant, which is a matter of the layer around.
pub(super) fn refusal(error: &ReadError) -> Response {
    if *error == ReadError::PatternsDisabled {
        let mut response = Response::new(Body::empty());
        *response.status_mut() = StatusCode::NOT_FOUND;
        return response;
    }
    let status = StatusCode::from_u16(error.kind().http()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let end = if error.kind() == ErrorKind::Unauthenticated { "\n" } else { "" };
    let mut response = plain(status, format!("{error}{end}"));
    if error.kind() == ErrorKind::TooMany || error.kind() == ErrorKind::Unavailable {
        response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
    }
    response
}
