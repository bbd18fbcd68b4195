//! The operational pages that every process has.

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::rejection::FormRejection;
use axum::extract::{Form, Query, State};
use axum::response::Response;
use axum::routing::get;
use http::{HeaderMap, StatusCode};
use larch_telemetry::{Format, LevelHandle, LogLevel, Registry};
use serde::Deserialize;
use serde_json::json;
use tracing::info;

use crate::Process;
use crate::server::answers::{json, plain};

/// What the pages show and change.
#[derive(Clone)]
pub struct AdminPages {
    pub process: Process,
    pub metrics: Registry,
    /// `None` if log lines go somewhere that has no level, as in tests.
    pub level: Option<LevelHandle>,
    pub build: BuildFacts,
    /// Whether `/metrics` is served.
    pub show_metrics: bool,
}

/// Which build this is. Grafana enables features by the version, so it is one of Loki's that has them.
#[derive(Debug, Clone)]
pub struct BuildFacts {
    /// The version of Loki whose interfaces are served.
    pub interface_version: &'static str,
    pub revision: &'static str,
    pub branch: &'static str,
    pub user: &'static str,
    pub date: &'static str,
    pub compiler: &'static str,
}

impl AdminPages {
    pub fn routes(self) -> Router {
        let mut router = Router::new()
            .route("/ready", get(ready))
            .route("/services", get(services))
            .route("/log_level", get(log_level).post(set_log_level))
            .route("/loki/api/v1/status/buildinfo", get(build_info));
        if self.show_metrics {
            router = router.route("/metrics", get(metrics));
        }
        router.with_state(Arc::new(self))
    }
}

async fn ready(State(pages): State<Arc<AdminPages>>) -> Response {
    match pages.process.readiness() {
        Ok(()) => plain(StatusCode::OK, "ready\n"),
        Err(reason) => plain(StatusCode::SERVICE_UNAVAILABLE, format!("{reason}\n")),
    }
}

async fn services(State(pages): State<Arc<AdminPages>>) -> Response {
    let mut text = String::new();
    for (module, state) in pages.process.states() {
        text.push_str(&format!("{module} => {}\n", state.name()));
    }
    plain(StatusCode::OK, text)
}

async fn metrics(State(pages): State<Arc<AdminPages>>, headers: HeaderMap) -> Response {
    let accept = headers.get(http::header::ACCEPT).and_then(|accept| accept.to_str().ok());
    let format = Format::from_accept(accept);
    let mut response = Response::new(Body::from(pages.metrics.encode(format)));
    let content_type = http::HeaderValue::from_static(format.content_type());
    response.headers_mut().insert(http::header::CONTENT_TYPE, content_type);
    response
}

async fn build_info(State(pages): State<Arc<AdminPages>>) -> Response {
    let build = &pages.build;
    let body = json!({
        "version": build.interface_version,
        "revision": build.revision,
        "branch": build.branch,
        "buildUser": build.user,
        "buildDate": build.date,
        "goVersion": build.compiler,
    });
    json(StatusCode::OK, &body)
}

async fn log_level(State(pages): State<Arc<AdminPages>>) -> Response {
    let level = pages.level.as_ref().map(LevelHandle::get).unwrap_or_default();
    json(StatusCode::OK, &json!({"message": format!("Current log level is {level}")}))
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct LevelForm {
    log_level: Option<String>,
}

async fn set_log_level(
    State(pages): State<Arc<AdminPages>>,
    Query(in_query): Query<LevelForm>,
    form: Result<Form<LevelForm>, FormRejection>,
) -> Response {
    // Whatever is no form holds no level; the query may.
    let in_form = form.ok().and_then(|Form(form)| form.log_level);
    let wanted = in_form.or(in_query.log_level).unwrap_or_default();
    match wanted.parse::<LogLevel>() {
        Ok(level) => {
            if let Some(handle) = &pages.level {
                handle.set(level);
            }
            info!(log_level = %level, "log level set");
            json(
                StatusCode::OK,
                &json!({"status": "success", "message": format!("Log level set to {level}")}),
            )
        }
        Err(unknown) => {
            json(StatusCode::BAD_REQUEST, &json!({"status": "failed", "message": unknown.to_string()}))
        }
    }
}
