//! A request as all reads look at it: who asks, and with which parameters.

use axum::body::{Body, to_bytes};
use axum::extract::Request;
use http::header::{ACCEPT, CACHE_CONTROL, CONTENT_TYPE};
use http::{HeaderMap, HeaderName, Method};
use larch_api::{EncodingFlags, Form, ParamError, QueryTags};
use larch_runtime::BodyError;
use larch_telemetry::outgoing_trace;
use larch_types::{InvalidTenant, RequestId, TenantSet, Timestamp, TraceContext};
use tracing::Span;

use crate::error::ReadError;
use crate::frontend::Frontend;
use crate::limits::OwnLimits;

pub(super) struct Asked {
    pub(super) tenants: TenantSet,
    /// The tenants as one text, by which they take turns in the queue.
    pub(super) user: String,
    pub(super) form: Form,
    pub(super) tags: QueryTags,
    pub(super) flags: EncodingFlags,
    pub(super) no_cache: bool,
    /// Limits that the request brings, if those are heeded.
    pub(super) own_limits: Option<OwnLimits>,
    pub(super) request: RequestId,
    pub(super) trace: TraceContext,
    pub(super) now: Timestamp,
    /// The headers that lines about slow queries show, as text.
    pub(super) logged_headers: String,
}

impl Asked {
    /// Fails in the order in which Loki does: the tenant first, then the parameters' form.
    pub(super) async fn read(frontend: &Frontend, request: Request) -> Result<Self, ReadError> {
        let tenants = tenants(frontend, request.headers())?;
        let user = tenants.as_slice().iter().map(|tenant| tenant.as_str()).collect::<Vec<_>>().join("|");
        let (parts, body) = request.into_parts();
        let max_body = frontend.config.frontend.max_body_size.as_usize();
        let form = form(&parts.method, &parts.headers, body, parts.uri.query(), max_body).await?;
        let random = &frontend.env.random;
        let heeds = frontend.config.frontend.per_request_limits_enabled;
        let id = parts.extensions.get::<RequestId>().cloned();
        let asked = Self {
            tenants,
            user,
            form,
            tags: QueryTags::read(&parts.headers),
            flags: EncodingFlags::read(&parts.headers),
            no_cache: header(&parts.headers, CACHE_CONTROL).trim().eq_ignore_ascii_case("no-cache"),
            own_limits: heeds.then(|| OwnLimits::read(&parts.headers)).flatten(),
            request: id.unwrap_or_else(|| RequestId::from_random(random.next_u64())),
            trace: outgoing_trace(&Span::current()).unwrap_or_else(|| new_trace(random.next_u128())),
            now: frontend.env.clock.now(),
            logged_headers: logged_headers(frontend, &parts.headers),
        };
        if header(&parts.headers, ACCEPT).contains("application/vnd.apache.parquet") {
            return Err(ReadError::Parquet);
        }
        Ok(asked)
    }
}

/// A line of the log holds more than these.
const MAX_LOGGED_HEADER_BYTES: usize = 1024;

/// Those that are named in the settings, as `name=value`.
fn logged_headers(frontend: &Frontend, headers: &HeaderMap) -> String {
    let mut out = String::new();
    for name in &frontend.config.frontend.log_query_request_headers {
        for value in headers.get_all(name.as_str()) {
            let value = String::from_utf8_lossy(value.as_bytes());
            let separator = if out.is_empty() { "" } else { "," };
            let end = value.floor_char_boundary(MAX_LOGGED_HEADER_BYTES);
            out.push_str(&format!("{separator}{}={}", name.to_ascii_lowercase(), &value[..end]));
        }
    }
    out
}

fn tenants(frontend: &Frontend, headers: &HeaderMap) -> Result<TenantSet, ReadError> {
    let tenants = frontend.tenancy.tenants(headers)?;
    if tenants.single().is_err() && !frontend.config.frontend.multi_tenant_queries_enabled {
        return Err(larch_api::TenantError(InvalidTenant::Several).into());
    }
    Ok(tenants)
}

/// Of the body, if it is a form, and of the URL.
pub(super) async fn form(
    method: &Method,
    headers: &HeaderMap,
    body: Body,
    query: Option<&str>,
    max_body: usize,
) -> Result<Form, ReadError> {
    let content_type = header(headers, CONTENT_TYPE);
    let media_type = content_type.split(';').next().unwrap_or_default().trim();
    let is_form = media_type.eq_ignore_ascii_case("application/x-www-form-urlencoded");
    let body = if *method == Method::POST && is_form {
        to_bytes(body, max_body).await.map_err(|error| body_error(&error))?
    } else {
        bytes::Bytes::new()
    };
    let form = Form::parse(&body, query.unwrap_or_default());
    Ok(form.map_err(ParamError::Form)?)
}

/// The bound of this endpoint, the bound of the server, or a client that went away.
fn body_error(error: &axum::Error) -> ReadError {
    let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(error);
    while let Some(error) = cause {
        let is_ours = error.is::<http_body_util::LengthLimitError>();
        if is_ours || matches!(error.downcast_ref(), Some(BodyError::TooLarge)) {
            return ReadError::BodyTooLarge;
        }
        cause = error.source();
    }
    ReadError::BodyBroken
}

fn header(headers: &HeaderMap, name: HeaderName) -> String {
    headers.get(name).map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned()).unwrap_or_default()
}

/// For a request that came without a trace, in a process that follows none.
#[expect(clippy::expect_used, reason = "neither id is 0")]
fn new_trace(random: u128) -> TraceContext {
    TraceContext::new(random | 1, (random >> 64) as u64 | 1, 0).expect("ids that are not 0")
}
