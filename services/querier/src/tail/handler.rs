//! A request for a tail, up to its upgrade.

use std::sync::Arc;

use axum::Extension;
use axum::extract::ws::WebSocketUpgrade;
use axum::extract::ws::rejection::WebSocketUpgradeRejection;
use axum::extract::{RawQuery, State};
use axum::response::Response;
use http::{HeaderMap, StatusCode};
use larch_api::{EncodingFlags, Form, InvalidTail, TailRequest, TailShape};
use larch_logql::LogExpr;
use larch_runtime::plain;
use larch_types::{ErrorKind, RequestId, TenantId};
use tracing::Span;

use super::Tails;
use super::session::Session;

/// Clients have nothing to say but that they are there.
const MAX_MESSAGE_BYTES: usize = 64 << 10;

/// Frames of a hundred long lines, and what waits behind one of them. More fails the tail.
const MAX_WAITING_BYTES: usize = 64 << 20;

type Upgrade = Result<WebSocketUpgrade, WebSocketUpgradeRejection>;

pub(super) async fn current(
    State(tails): State<Arc<Tails>>,
    headers: HeaderMap,
    id: Option<Extension<RequestId>>,
    query: RawQuery,
    upgrade: Upgrade,
) -> Response {
    let shape = TailShape::Current(EncodingFlags::read(&headers));
    begin(tails, &headers, id, query, upgrade, shape)
}

pub(super) async fn legacy(
    State(tails): State<Arc<Tails>>,
    headers: HeaderMap,
    id: Option<Extension<RequestId>>,
    query: RawQuery,
    upgrade: Upgrade,
) -> Response {
    begin(tails, &headers, id, query, upgrade, TailShape::Legacy)
}

fn begin(
    tails: Arc<Tails>,
    headers: &HeaderMap,
    id: Option<Extension<RequestId>>,
    query: RawQuery,
    upgrade: Upgrade,
    shape: TailShape,
) -> Response {
    let (tenant, request) = match checked(&tails, headers, query) {
        Ok(checked) => checked,
        Err(refusal) => return refusal.into_response(),
    };
    let Ok(upgrade) = upgrade else {
        return Refusal { kind: ErrorKind::Invalid, text: "Bad Request\n".to_owned() }.into_response();
    };
    let Some(scope) = tails.scope.get().filter(|scope| !scope.is_cancelled()).cloned() else {
        let text = "the querier is not running".to_owned();
        return Refusal { kind: ErrorKind::Unavailable, text }.into_response();
    };
    let random = &tails.deps.env.random;
    let id = id.map_or_else(|| RequestId::from_random(random.next_u64()), |Extension(id)| id);
    let session = Session { tails, tenant, request, shape, id, span: Span::current() };
    upgrade
        .max_message_size(MAX_MESSAGE_BYTES)
        .max_frame_size(MAX_MESSAGE_BYTES)
        .max_write_buffer_size(MAX_WAITING_BYTES)
        .on_upgrade(async move |socket| {
            // The task that waited for the upgrade is nobody's; the tail is the role's.
            let inner = scope.clone();
            scope.spawn("tail", session.serve(socket, inner));
        })
}

/// Why there is no tail: the one place where a refusal becomes a response.
struct Refusal {
    kind: ErrorKind,
    text: String,
}

impl Refusal {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.kind.http()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        plain(status, self.text)
    }
}

impl From<InvalidTail> for Refusal {
    fn from(error: InvalidTail) -> Self {
        Self { kind: error.kind(), text: error.to_string() }
    }
}

fn checked(
    tails: &Tails,
    headers: &HeaderMap,
    RawQuery(query): RawQuery,
) -> Result<(TenantId, TailRequest), Refusal> {
    let tenant = tails.tenancy.tenant(headers).map_err(|error| {
        // Who does not say who they are is told so by the layer of authentication, which ends its lines.
        let end = if error.kind() == ErrorKind::Unauthenticated { "\n" } else { "" };
        Refusal { kind: error.kind(), text: format!("{error}{end}") }
    })?;
    let invalid = |text: String| Refusal { kind: ErrorKind::Invalid, text };
    let form =
        Form::parse(&[], query.as_deref().unwrap_or_default()).map_err(|error| invalid(error.to_string()))?;
    let request = TailRequest::read(&form, tails.deps.env.clock.now())?;
    if names_internal_stream(&request.query) {
        return Err(invalid("internal streams can only be queried from Logs Drilldown".to_owned()));
    }
    Ok((tenant, request))
}

/// Streams that Larch writes about others.
fn names_internal_stream(query: &LogExpr) -> bool {
    let is_internal = |name: &str| name == "__aggregated_metric__" || name == "__pattern__";
    query.matchers.iter().any(|matcher| is_internal(&matcher.name))
}
