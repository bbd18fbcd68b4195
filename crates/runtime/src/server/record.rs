//! What is known of one request while it runs, and what is said of it at its end.

use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};

use axum::body::Body;
use axum::extract::{ConnectInfo, Request};
use axum::response::Response;
use bytes::Bytes;
use http::{HeaderMap, StatusCode};
use http_body::{Frame, SizeHint};
use larch_telemetry::{Held, join_trace};
use larch_types::{ErrorKind, Monotonic, RequestId, TraceContext};
use tracing::{Span, debug, field, info, info_span, warn};

use crate::server::observe::{Observer, Protocol};
use crate::server::request_id::request_id;

/// One request. It tells the metrics and the log when it is dropped, with the answer's last byte or when
/// the client goes away.
pub(crate) struct Record {
    observer: Arc<Observer>,
    pub(crate) span: Span,
    pub(crate) request_id: RequestId,
    method: String,
    route: String,
    path: String,
    source: String,
    headers: String,
    begun: Monotonic,
    received: Arc<AtomicU64>,
    sent: u64,
    websocket: bool,
    outcome: Outcome,
    _inflight: Held,
}

/// How a request ended, as far as is known.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Outcome {
    /// No answer: the client went away first.
    Open,
    Http(StatusCode),
    /// The number of the gRPC status, once the trailers are out.
    Grpc(Option<i32>),
}

impl Record {
    /// Handlers find the [`RequestId`] among the request's extensions.
    pub(crate) fn begin(observer: &Arc<Observer>, mut request: Request) -> (Self, Request) {
        let headers = request.headers();
        let method = match observer.protocol {
            Protocol::Http => request.method().to_string(),
            Protocol::Grpc => "gRPC".to_owned(),
        };
        let route = observer.route(&request);
        let request_id = request_id(headers, &observer.env.random);
        let span = info_span!("request", request_id = request_id.as_str(), tenant = field::Empty);
        let incoming =
            headers.get(TraceContext::HEADER).and_then(|parent| parent.to_str().ok()?.parse().ok());
        join_trace(&span, incoming, observer.env.random.next_u128());
        let peer = request.extensions().get::<ConnectInfo<SocketAddr>>().map(|info| info.0);
        let received = Arc::new(AtomicU64::new(0));
        let record = Self {
            span,
            request_id,
            path: request.uri().path().to_owned(),
            source: observer.source.as_ref().map(|finder| finder.find(headers, peer)).unwrap_or_default(),
            headers: observer
                .hidden_headers
                .as_ref()
                .map(|hidden| shown(headers, hidden))
                .unwrap_or_default(),
            begun: observer.env.clock.monotonic(),
            received: Arc::clone(&received),
            sent: 0,
            websocket: headers.get(http::header::UPGRADE).is_some_and(|upgrade| upgrade == "websocket"),
            outcome: Outcome::Open,
            _inflight: observer.inflight.with([&method, &route]).hold(1),
            observer: Arc::clone(observer),
            method,
            route,
        };
        request.extensions_mut().insert(record.request_id.clone());
        (record, request.map(|body| Body::new(Counted { body, received })))
    }

    /// Notes the answer's head.
    pub(crate) fn answered(&mut self, response: &Response) {
        self.outcome = match self.observer.protocol {
            Protocol::Http => Outcome::Http(response.status()),
            Protocol::Grpc => Outcome::Grpc(grpc_status(response.headers())),
        };
    }

    fn status(&self) -> String {
        match &self.outcome {
            Outcome::Open => "499".to_owned(),
            Outcome::Http(status) => status.as_u16().to_string(),
            Outcome::Grpc(Some(0)) => "success".to_owned(),
            Outcome::Grpc(Some(1)) | Outcome::Grpc(None) => "cancel".to_owned(),
            // Unknown: what went wrong is not one of Larch's kinds.
            Outcome::Grpc(Some(2)) => "error".to_owned(),
            Outcome::Grpc(Some(code)) => ErrorKind::from_grpc(*code).http().to_string(),
        }
    }

    /// Whether something went wrong here that should be looked at. Being unavailable is no such thing: it
    /// is how a process that starts, stops or is full tells its clients to wait.
    fn failed(&self) -> bool {
        let status = match &self.outcome {
            Outcome::Open | Outcome::Grpc(None | Some(0)) => return false,
            Outcome::Http(status) => status.as_u16(),
            Outcome::Grpc(Some(code)) => ErrorKind::from_grpc(*code).http(),
        };
        status >= 500 && status != 503
    }

    fn log(&self, status: &str, duration_ms: u64) {
        let (method, path) = (&self.method, &self.path);
        let source = (!self.source.is_empty()).then_some(self.source.as_str());
        let headers = (!self.headers.is_empty()).then_some(self.headers.as_str());
        if self.failed() {
            if let Some(suppressed) = self.observer.failures.admit(self.observer.env.clock.monotonic()) {
                warn!(method, path, status, duration_ms, source, headers, suppressed, "request failed");
            }
        } else if self.observer.at_info {
            info!(method, path, status, duration_ms, source, headers, "request");
        } else {
            debug!(method, path, status, duration_ms, source, headers, "request");
        }
    }
}

impl Drop for Record {
    fn drop(&mut self) {
        let took = self.observer.env.clock.monotonic().since(self.begun);
        let (status, websocket) = (self.status(), if self.websocket { "true" } else { "false" });
        let observer = &self.observer;
        observer.duration.with([&self.method, &self.route, &status, websocket]).observe(took.as_secs_f64());
        let received = self.received.load(Ordering::Relaxed);
        observer.received.with([&self.method, &self.route]).observe(received as f64);
        observer.sent.with([&self.method, &self.route]).observe(self.sent as f64);
        let duration_ms = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
        self.span.in_scope(|| self.log(&status, duration_ms));
    }
}

fn grpc_status(headers: &HeaderMap) -> Option<i32> {
    headers.get("grpc-status")?.to_str().ok()?.parse().ok()
}

fn shown(headers: &HeaderMap, hidden: &[String]) -> String {
    let mut out = String::new();
    for (name, value) in headers {
        if !hidden.iter().any(|hidden| hidden == name.as_str()) {
            out.push_str(&format!("{name}: {}; ", String::from_utf8_lossy(value.as_bytes())));
        }
    }
    out
}

/// A request's body on its way in.
struct Counted {
    body: Body,
    received: Arc<AtomicU64>,
}

impl http_body::Body for Counted {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let polled = Pin::new(&mut self.body).poll_frame(cx);
        if let Poll::Ready(Some(Ok(frame))) = &polled {
            let size = frame.data_ref().map_or(0, |data| data.len() as u64);
            self.received.fetch_add(size, Ordering::Relaxed);
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// An answer's body on its way out. The record ends with it.
pub(crate) struct Observed {
    body: Body,
    record: Record,
}

impl Observed {
    pub(crate) fn new(body: Body, record: Record) -> Self {
        Self { body, record }
    }
}

impl http_body::Body for Observed {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let this = &mut *self;
        let polled = this.record.span.in_scope(|| Pin::new(&mut this.body).poll_frame(cx));
        if let Poll::Ready(Some(Ok(frame))) = &polled {
            this.record.sent += frame.data_ref().map_or(0, |data| data.len() as u64);
            if let (Outcome::Grpc(status), Some(trailers)) = (&mut this.record.outcome, frame.trailers_ref())
            {
                *status = grpc_status(trailers);
            }
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
