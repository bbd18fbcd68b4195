//! Live tails: rows as they arrive, over a websocket, behind those from before.
//!
//! A request is checked and upgraded here; a session is one tail. Ingesters are read and subscribed to
//! from the very position that the read covers, so that nothing falls between the two.

mod backlog;
mod buffer;
mod feed;
mod handler;
mod seen;
mod session;
mod socket;
mod subscription;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use axum::Router;
use axum::routing::get;
use http::StatusCode;
use larch_api::Tenancy;
use larch_runtime::Scope;
use larch_types::TenantId;

use crate::deps::Deps;

/// All tails of the process.
pub(crate) struct Tails {
    deps: Arc<Deps>,
    tenancy: Tenancy,
    /// There once the role runs.
    scope: OnceLock<Scope>,
    open: Mutex<HashMap<TenantId, u32>>,
}

/// One tail is open until it is dropped.
struct Admitted<'a> {
    tails: &'a Tails,
    tenant: TenantId,
    _shown: larch_telemetry::Held,
}

impl Tails {
    pub(crate) fn new(deps: Arc<Deps>, tenancy: Tenancy) -> Arc<Self> {
        Arc::new(Self { deps, tenancy, scope: OnceLock::new(), open: Mutex::default() })
    }

    /// Tails run in a scope of their own, which can end before the role does.
    pub(crate) fn start(&self, scope: &Scope) {
        self.scope.get_or_init(|| scope.child());
    }

    /// Ends all tails. Their clients come back, elsewhere or later.
    pub(crate) fn stop(&self) {
        if let Some(scope) = self.scope.get() {
            scope.cancel();
        }
    }

    pub(crate) fn routes(self: &Arc<Self>) -> Router {
        let refused = async || StatusCode::METHOD_NOT_ALLOWED;
        Router::new()
            .route("/loki/api/v1/tail", get(handler::current).head(refused))
            .route("/api/prom/tail", get(handler::legacy).head(refused))
            .with_state(Arc::clone(self))
    }

    /// Counts one more tail of the tenant, or says in the words of the limit why not.
    fn admit(&self, tenant: &TenantId) -> Result<Admitted<'_>, String> {
        let limit = self.deps.limits.limits(tenant).max_concurrent_tail_requests;
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let count = open.get(tenant).copied().unwrap_or(0).saturating_add(1);
        if limit > 0 && count > limit {
            return Err(format!(
                "max concurrent tail requests limit exceeded, count > limit ({count} > {limit})"
            ));
        }
        open.insert(tenant.clone(), count);
        Ok(Admitted { tails: self, tenant: tenant.clone(), _shown: self.deps.metrics.tails.hold(1) })
    }
}

impl Drop for Admitted<'_> {
    fn drop(&mut self) {
        let mut open = self.tails.open.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = open.get_mut(&self.tenant) {
            *count -= 1;
            if *count == 0 {
                open.remove(&self.tenant);
            }
        }
    }
}
