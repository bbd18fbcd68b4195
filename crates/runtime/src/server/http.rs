//! What the HTTP port allows, and what lies around its routes.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::middleware::{Next, from_fn, from_fn_with_state};
use axum::response::Response;
use http::StatusCode;
use larch_types::Span;

use crate::server::answers::{method_not_allowed, not_found, plain, turned_away};
use crate::server::body::{BoundedBody, KeepingBody};
use crate::server::gate::{Gate, Pass};
use crate::server::io::Silences;
use crate::server::leftover::read_leftover;
use crate::server::listener::{Bounds, bound_or};
use crate::server::observe::{Observer, observe};
use crate::server::port::Routes;
use crate::settings::ServerSettings;

pub(super) const ALPN: &[&[u8]] = &[b"h2", b"http/1.1"];
/// Go's servers take so much by default; clients with large cookies and long queries fit.
pub(super) const MAX_HEAD_BYTES: usize = 1 << 20;
/// No endpoint takes more but those that bound their bodies themselves.
const MAX_BODY_BYTES: u64 = 100 << 20;
/// If no bound is set. Each idle connection costs some kilobytes.
const DEFAULT_CONNECTIONS: usize = 20_000;
/// Go's default, which proxies expect.
const HTTP2_STREAMS: u32 = 250;

pub(super) fn bounds(settings: &ServerSettings) -> Bounds {
    let head = if settings.http_server_read_header_timeout.is_zero() {
        settings.http_server_read_timeout
    } else {
        settings.http_server_read_header_timeout
    };
    Bounds {
        connections: bound_or(settings.http_listen_conn_limit, DEFAULT_CONNECTIONS),
        silences: Silences {
            idle: time_or_unbounded(settings.http_server_idle_timeout),
            head: time_or_unbounded(head),
            write: time_or_unbounded(settings.http_server_write_timeout),
        },
        head_bytes: MAX_HEAD_BYTES,
        http2_only: false,
        http2_streams: Some(HTTP2_STREAMS),
        http2_keepalive: None,
        age: None,
    }
}

/// Zero means no bound in the settings.
fn time_or_unbounded(span: Span) -> Duration {
    if span.is_zero() { Duration::MAX } else { span.to_std() }
}

pub(super) fn router(
    settings: &ServerSettings,
    routes: Routes,
    gate: Gate,
    observer: Arc<Observer>,
) -> Router {
    let read_timeout = settings.http_server_read_timeout.to_std();
    let bounded = |routes: Router, max_bytes: u64| {
        let bound = BodyBound { max_bytes, read_timeout };
        routes.layer(from_fn(move |request: Request, next: Next| bound_body(request, next, bound)))
    };
    let data = bounded(routes.data, MAX_BODY_BYTES).merge(bounded(routes.self_bounded, u64::MAX));
    let gated = data.layer(from_fn_with_state(gate, pass_gate));
    let mut router = bounded(routes.admin, MAX_BODY_BYTES).merge(gated);
    router = router.fallback(async || not_found()).method_not_allowed_fallback(async || method_not_allowed());
    let prefix = settings.http_path_prefix.trim_end_matches('/');
    if !prefix.is_empty() {
        router = Router::new().nest(prefix, router).fallback(async || not_found());
    }
    router.layer(from_fn(read_leftover)).layer(from_fn_with_state(observer, observe))
}

#[derive(Clone, Copy)]
struct BodyBound {
    max_bytes: u64,
    read_timeout: Duration,
}

async fn bound_body(request: Request, next: Next, bound: BodyBound) -> Response {
    let BodyBound { max_bytes, read_timeout } = bound;
    let announced = request.headers().get(http::header::CONTENT_LENGTH);
    let announced = announced.and_then(|length| length.to_str().ok()?.parse::<u64>().ok());
    if announced.is_some_and(|length| length > max_bytes) {
        let text = "http: request body too large\n";
        return plain(StatusCode::PAYLOAD_TOO_LARGE, text);
    }
    let bounded = |body| Body::new(BoundedBody::new(body, max_bytes, read_timeout));
    next.run(request.map(bounded)).await
}

async fn pass_gate(State(gate): State<Gate>, request: Request, next: Next) -> Response {
    match gate.enter() {
        Ok(pass) => hold_with_body(next.run(request).await, pass),
        Err(refused) => turned_away(&refused.to_string()),
    }
}

/// The pass goes with the body, which may be written long after the handler is done.
pub(super) fn hold_with_body(response: Response, pass: Pass) -> Response {
    response.map(|body| Body::new(KeepingBody::new(body, pass)))
}
