//! What operators and tenants look at: usage.

use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::response::Response;
use axum::routing::get;
use http::{HeaderMap, StatusCode};
use larch_api::Tenancy;
use larch_runtime::plain;
use larch_types::Timestamp;
use serde_json::json;

use crate::usage::UsageBook;

/// What the pages show.
pub(crate) struct Pages {
    pub(crate) tenancy: Tenancy,
    pub(crate) usage: Arc<UsageBook>,
    pub(crate) started: Timestamp,
}

impl Pages {
    pub(crate) fn routes(self) -> Router {
        Router::new()
            .route("/distributor/usage", get(usage_of_all))
            .route("/larch/api/v1/usage", get(usage))
            .with_state(Arc::new(self))
    }
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
