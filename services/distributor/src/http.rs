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

pub(crate) fn routes(distributor: Arc<Distributor>) -> Router {
    Router::new()
        .route("/loki/api/v1/push", post(push_v1))
        .route("/api/prom/push", post(push_legacy))
        .with_state(distributor)
}

async fn push_v1(State(distributor): State<Arc<Distributor>>, request: Request<Body>) -> Response {
    answer(distributor.push(request, Dialect::V1).await)
}

async fn push_legacy(State(distributor): State<Arc<Distributor>>, request: Request<Body>) -> Response {
    answer(distributor.push(request, Dialect::Legacy).await)
}

/// Seconds after which a client that was turned away may try again.
const RETRY_SECONDS: HeaderValue = HeaderValue::from_static("1");

/// A text may repeat what was pushed, where a tenant's limits are lifted. More than this nobody reads.
const MAX_TEXT_BYTES: usize = 1 << 20;

/// Texts end with a line feed.
fn answer(outcome: Result<Taken, PushError>) -> Response {
    let (status, text) = match outcome {
        Ok(Taken::All) => {
            let mut response = Response::new(Body::empty());
            *response.status_mut() = StatusCode::NO_CONTENT;
            return response;
        }
        Ok(Taken::Partly(text)) => (StatusCode::BAD_REQUEST, text),
        Ok(Taken::Blocked { status, text }) => {
            (StatusCode::from_u16(status).unwrap_or(StatusCode::BAD_REQUEST), text)
        }
        Err(error) => (error.status(), error.to_string()),
    };
    let shown = &text[..text.floor_char_boundary(MAX_TEXT_BYTES)];
    let mut response = plain(status, format!("{shown}\n"));
    if matches!(status, StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE) {
        response.headers_mut().insert(RETRY_AFTER, RETRY_SECONDS);
    }
    response
}
