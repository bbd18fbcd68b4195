//! What operators and tenants look at: the ring of distributors, and usage.

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::State;
use axum::response::Response;
use axum::routing::get;
use http::header::{ACCEPT, CONTENT_TYPE, HeaderValue, LOCATION};
use http::{HeaderMap, StatusCode};
use larch_api::Tenancy;
use larch_launch::TenantLimits;
use larch_limits::RateStrategy;
use larch_runtime::{Env, plain};
use larch_types::{Address, Timestamp};
use serde_json::{Value as Json, json};
use xxhash_rust::xxh3::xxh3_64;

use crate::usage::UsageBook;

/// What the pages show.
pub(crate) struct Pages {
    pub(crate) env: Env,
    pub(crate) tenancy: Tenancy,
    pub(crate) limits: TenantLimits,
    pub(crate) usage: Arc<UsageBook>,
    /// Where this distributor is reached, by which it is known.
    pub(crate) here: Address,
    pub(crate) started: Timestamp,
}

impl Pages {
    pub(crate) fn routes(self) -> Router {
        Router::new()
            .route("/distributor/ring", get(ring).post(forget))
            .route("/distributor/usage", get(usage_of_all))
            .route("/larch/api/v1/usage", get(usage))
            .with_state(Arc::new(self))
    }

    /// Until distributors see each other, each is the only one it knows of. It owns the whole ring.
    fn members(&self) -> Json {
        let token = xxh3_64(self.here.as_str().as_bytes()) as u32;
        let now = self.env.clock.now();
        json!({
            "shards": [{
                "id": self.here.as_str(),
                "state": "ACTIVE",
                "address": self.here.as_str(),
                "timestamp": go_time(now),
                "registered_timestamp": self.started.to_string(),
                "read_only": false,
                "read_only_updated_timestamp": "",
                "zone": "",
                "tokens": [token],
            }],
            "now": now.to_string(),
        })
    }
}

/// As Go prints a time: `2026-10-01 00:00:22 +0000 UTC`.
fn go_time(time: Timestamp) -> String {
    let text = time.to_string().replace('T', " ");
    format!("{} +0000 UTC", text.trim_end_matches('Z'))
}

async fn ring(State(pages): State<Arc<Pages>>, headers: HeaderMap) -> Response {
    let wants_json = headers
        .get(ACCEPT)
        .is_some_and(|accept| accept.to_str().is_ok_and(|accept| accept.contains("application/json")));
    // With rates of their own, distributors need not know each other.
    if pages.limits.default_limits().ingestion_rate_strategy == RateStrategy::Local {
        return html(
            "<p>Every distributor grants the whole rate (<code>ingestion_rate_strategy: local</code>), \
                     so there is no ring of distributors.</p>",
        );
    }
    let members = pages.members();
    if wants_json {
        return larch_runtime::json(StatusCode::OK, &members);
    }
    html(&table(&members))
}

/// A member that is alone would enter again at once, so that nothing is left to forget.
async fn forget() -> Response {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::FOUND;
    response.headers_mut().insert(LOCATION, HeaderValue::from_static("#"));
    response
}

/// Addresses are of letters, digits, dots, colons and brackets, so nothing has to be escaped.
fn table(members: &Json) -> String {
    let mut rows = String::new();
    for member in members["shards"].as_array().into_iter().flatten() {
        let text = |field: &str| member[field].as_str().unwrap_or_default();
        let id = text("id");
        rows.push_str(&format!(
            "<tr><td>{id}</td><td>{}</td><td>{}</td><td>{}</td><td>100%</td>\
             <td><form method=\"POST\"><button name=\"forget\" value=\"{id}\">Forget</button></form></td></tr>",
            text("state"),
            text("address"),
            text("timestamp"),
        ));
    }
    format!(
        "<p>Current time: {}</p><table border=\"1\"><tr><th>Instance</th><th>State</th><th>Address</th>\
         <th>Last heartbeat</th><th>Ownership</th><th></th></tr>{rows}</table>",
        members["now"].as_str().unwrap_or_default()
    )
}

fn html(content: &str) -> Response {
    let page = format!(
        "<!DOCTYPE html><html><head><title>Distributors</title></head><body><h1>Distributors</h1>\
         {content}</body></html>\n"
    );
    let mut response = Response::new(Body::from(page));
    let html = HeaderValue::from_static("text/html; charset=utf-8");
    response.headers_mut().insert(CONTENT_TYPE, html);
    response
}

async fn usage_of_all(State(pages): State<Arc<Pages>>) -> Response {
    let tenants = pages.usage.of_all();
    larch_runtime::json(StatusCode::OK, &json!({ "since": pages.started.to_string(), "tenants": tenants }))
}

async fn usage(State(pages): State<Arc<Pages>>, headers: HeaderMap) -> Response {
    match pages.tenancy.tenant(&headers) {
        Ok(tenant) => {
            let mut usage = pages.usage.of_tenant(&tenant);
            usage["since"] = json!(pages.started.to_string());
            larch_runtime::json(StatusCode::OK, &usage)
        }
        Err(error) => {
            let status = StatusCode::from_u16(error.kind().http()).unwrap_or(StatusCode::BAD_REQUEST);
            plain(status, format!("{error}\n"))
        }
    }
}
