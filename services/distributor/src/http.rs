//! The endpoints of pushes, and their answers.

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::State;
use axum::response::Response;
use axum::routing::post;
use http::header::{HeaderValue, RETRY_AFTER};
use http::{Request, StatusCode};
use larch_runtime::plain;

use crate::decode::Dialect;
use crate::distributor::{Distributor, Taken};
use crate::error::PushError;
use crate::head::Endpoint;
use crate::otlp_answer::{StatusForm, otlp_answer};

pub(crate) fn routes(distributor: Arc<Distributor>) -> Router {
    Router::new()
        .route("/loki/api/v1/push", post(push_v1))
        .route("/api/prom/push", post(push_legacy))
        .route("/otlp/v1/logs", post(push_otlp))
        .with_state(distributor)
}

async fn push_v1(State(distributor): State<Arc<Distributor>>, request: Request<Body>) -> Response {
    answer(distributor.push(request, Endpoint::Loki(Dialect::V1)).await)
}

async fn push_legacy(State(distributor): State<Arc<Distributor>>, request: Request<Body>) -> Response {
    answer(distributor.push(request, Endpoint::Loki(Dialect::Legacy)).await)
}

async fn push_otlp(State(distributor): State<Arc<Distributor>>, request: Request<Body>) -> Response {
    let form = StatusForm::asked_for(request.headers());
    otlp_answer(distributor.push(request, Endpoint::Otlp).await, form)
}

/// A text may repeat what was pushed, where a tenant's limits are lifted. More than this nobody reads.
const MAX_TEXT_BYTES: usize = 1 << 20;

/// Texts end with a line feed.
fn answer(outcome: Result<Taken, PushError>) -> Response {
    match told(outcome) {
        None => taken(),
        Some(Told { status, text, retry }) => with_retry(plain(status, format!("{text}\n")), retry),
    }
}

/// As clients know it from Loki: 204 also where OTLP has an answer of its own.
pub(crate) fn taken() -> Response {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::NO_CONTENT;
    response
}

/// What a client is told if not all is well.
pub(crate) struct Told {
    pub(crate) status: StatusCode,
    pub(crate) text: String,
    /// Seconds after which it may try again, if the status says that it may.
    pub(crate) retry: u64,
}

pub(crate) fn told(outcome: Result<Taken, PushError>) -> Option<Told> {
    let (status, mut text, retry) = match outcome {
        Ok(Taken::All) => return None,
        Ok(Taken::Partly(text)) => (StatusCode::BAD_REQUEST, text, 1),
        Ok(Taken::Blocked { status, text }) => {
            (StatusCode::from_u16(status).unwrap_or(StatusCode::BAD_REQUEST), text, 1)
        }
        Err(error) => (error.status(), error.to_string(), error.retry_seconds()),
    };
    text.truncate(text.floor_char_boundary(MAX_TEXT_BYTES));
    Some(Told { status, text, retry })
}

pub(crate) fn with_retry(mut response: Response, seconds: u64) -> Response {
    if matches!(response.status(), StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE) {
        response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(seconds));
    }
    response
}
