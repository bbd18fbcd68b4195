//! What the gRPC port allows, and what lies around its routes. Messages are none of its business.

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::Response;
use http::HeaderValue;
use larch_types::ErrorKind;

use crate::server::gate::Gate;
use crate::server::http::{MAX_HEAD_BYTES, hold_with_body};
use crate::server::io::Silences;
use crate::server::listener::{Bounds, bound_or};
use crate::server::observe::{Observer, observe};
use crate::server::port::Routes;
use crate::settings::ServerSettings;

pub(super) const ALPN: &[&[u8]] = &[b"h2"];
/// If no bound is set. Only Larch's own processes connect, a few times each.
const DEFAULT_CONNECTIONS: usize = 4_096;

pub(super) fn bounds(settings: &ServerSettings) -> Bounds {
    let idle = settings.grpc_server_max_connection_idle.to_std();
    let answer_within = settings.grpc_server_keepalive_timeout.to_std();
    let age = settings.grpc_server_max_connection_age.to_std();
    Bounds {
        connections: bound_or(settings.grpc_listen_conn_limit, DEFAULT_CONNECTIONS),
        silences: Silences { idle, head: idle, write: answer_within },
        head_bytes: MAX_HEAD_BYTES,
        http2_only: true,
        http2_streams: Some(settings.grpc_server_max_concurrent_streams).filter(|streams| *streams > 0),
        http2_keepalive: Some((settings.grpc_server_keepalive_time.to_std(), answer_within)),
        age: Some((age, settings.grpc_server_max_connection_age_grace.to_std())),
    }
}

pub(super) fn router(routes: Routes, gate: Gate, observer: Arc<Observer>) -> Router {
    let gated = routes.data.layer(from_fn_with_state(gate, pass_gate));
    routes
        .admin
        .merge(gated)
        .fallback(async || status(ErrorKind::NotFound, "no such service"))
        .layer(from_fn_with_state(observer, observe))
}

/// An answer without a message.
fn status(kind: ErrorKind, text: &'static str) -> Response {
    let mut response = Response::new(Body::empty());
    let headers = response.headers_mut();
    headers.insert(http::header::CONTENT_TYPE, HeaderValue::from_static("application/grpc"));
    headers.insert("grpc-status", HeaderValue::from(kind.grpc()));
    headers.insert("grpc-message", HeaderValue::from_static(text));
    response
}

async fn pass_gate(State(gate): State<Gate>, request: Request, next: Next) -> Response {
    match gate.enter() {
        Ok(pass) => hold_with_body(next.run(request).await, pass),
        Err(_) => status(ErrorKind::Unavailable, "stopping or too many calls in flight"),
    }
}
