//! `/config` and what a tenant may read of its own limits.

use std::sync::Arc;

use axum::Router;
use axum::extract::{Query, State};
use axum::response::Response;
use axum::routing::get;
use http::{HeaderMap, StatusCode};
use larch_api::Tenancy;
use larch_config::{Effective, difference, to_yaml};
use larch_runtime::plain;
use serde::Deserialize;
use tracing::Span;

use crate::overrides::TenantLimits;

pub(crate) struct ConfigPages {
    pub(crate) effective: Effective,
    pub(crate) tenancy: Tenancy,
    pub(crate) limits: TenantLimits,
    /// Names of the limits that tenants may read.
    pub(crate) published: Vec<String>,
}

impl ConfigPages {
    pub(crate) fn routes(self) -> Router {
        Router::new()
            .route("/config", get(config))
            .route("/config/tenant/v1/limits", get(tenant_limits))
            .with_state(Arc::new(self))
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct ConfigQuery {
    mode: String,
}

/// The running configuration; what differs from the defaults; or the defaults. Secrets are masked.
async fn config(State(pages): State<Arc<ConfigPages>>, Query(query): Query<ConfigQuery>) -> Response {
    let effective = &pages.effective;
    let text = match query.mode.as_str() {
        "diff" => to_yaml(&difference(&effective.settings, &effective.defaults)),
        "defaults" => to_yaml(&effective.defaults),
        _ => to_yaml(&effective.settings),
    };
    plain(StatusCode::OK, text)
}

async fn tenant_limits(State(pages): State<Arc<ConfigPages>>, headers: HeaderMap) -> Response {
    match pages.tenancy.tenant(&headers) {
        Ok(tenant) => {
            Span::current().record("tenant", tenant.as_str());
            let limits = pages.limits.limits(&tenant);
            plain(StatusCode::OK, to_yaml(&limits.published(&pages.published)))
        }
        Err(error) => {
            let status = StatusCode::from_u16(error.kind().http()).unwrap_or(StatusCode::BAD_REQUEST);
            plain(status, format!("{error}\n"))
        }
    }
}
