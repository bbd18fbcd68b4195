//! Which path is answered by what.

use std::sync::Arc;

use axum::Router;
use axum::extract::{Path, Request, State};
use axum::middleware::from_fn;
use axum::routing::{MethodRouter, get};

use super::answer::serve;
use super::compress::compress;
use super::format_query::format_query;
use super::index::drilldown_limits;
use crate::frontend::Frontend;

/// What a request asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Endpoint {
    QueryRange,
    Query,
    LegacyQuery,
    Labels { legacy: bool },
    LabelValues { name: String, legacy: bool },
    Series,
    IndexStats,
    Volume,
    VolumeRange,
    Shards,
    Patterns,
    DetectedLabels,
    DetectedFields,
    DetectedFieldValues { name: String },
}

impl Endpoint {
    /// In logs and metrics.
    pub(super) const fn name(&self) -> &'static str {
        match self {
            Self::QueryRange => "query_range",
            Self::Query => "query",
            Self::LegacyQuery => "legacy_query",
            Self::Labels { .. } => "labels",
            Self::LabelValues { .. } => "label_values",
            Self::Series => "series",
            Self::IndexStats => "index_stats",
            Self::Volume => "index_volume",
            Self::VolumeRange => "index_volume_range",
            Self::Shards => "index_shards",
            Self::Patterns => "patterns",
            Self::DetectedLabels => "detected_labels",
            Self::DetectedFields => "detected_fields",
            Self::DetectedFieldValues { .. } => "detected_field_values",
        }
    }
}

pub(crate) fn routes(frontend: Arc<Frontend>) -> Router {
    let compresses = frontend.config.frontend.compress_responses;
    let mut router = Router::new();
    for (path, endpoint) in [
        ("/loki/api/v1/query_range", Endpoint::QueryRange),
        ("/loki/api/v1/query", Endpoint::Query),
        ("/loki/api/v1/labels", Endpoint::Labels { legacy: false }),
        ("/loki/api/v1/label", Endpoint::Labels { legacy: false }),
        ("/loki/api/v1/series", Endpoint::Series),
        ("/loki/api/v1/index/stats", Endpoint::IndexStats),
        ("/loki/api/v1/index/volume", Endpoint::Volume),
        ("/loki/api/v1/index/volume_range", Endpoint::VolumeRange),
        ("/loki/api/v1/index/shards", Endpoint::Shards),
        ("/loki/api/v1/patterns", Endpoint::Patterns),
        ("/loki/api/v1/detected_labels", Endpoint::DetectedLabels),
        ("/loki/api/v1/detected_fields", Endpoint::DetectedFields),
        ("/api/prom/query", Endpoint::LegacyQuery),
        ("/api/prom/label", Endpoint::Labels { legacy: true }),
        ("/api/prom/series", Endpoint::Series),
    ] {
        router = router.route(path, read(move || endpoint.clone()));
    }
    let values = |legacy| read_named(move |name| Endpoint::LabelValues { name, legacy });
    router = router
        .route("/loki/api/v1/label/{name}/values", values(false))
        .route("/api/prom/label/{name}/values", values(true))
        .route(
            "/loki/api/v1/detected_field/{name}/values",
            read_named(|name| Endpoint::DetectedFieldValues { name }),
        )
        .route("/loki/api/v1/format_query", get(format_query).post(format_query))
        .route("/loki/api/v1/drilldown-limits", get(drilldown_limits));
    if compresses {
        router = router.layer(from_fn(compress));
    }
    router.with_state(frontend)
}

fn read(endpoint: impl Fn() -> Endpoint + Clone + Send + Sync + 'static) -> MethodRouter<Arc<Frontend>> {
    let handler =
        move |State(frontend): State<Arc<Frontend>>, request: Request| serve(frontend, endpoint(), request);
    get(handler.clone()).post(handler)
}

fn read_named(
    endpoint: impl Fn(String) -> Endpoint + Clone + Send + Sync + 'static,
) -> MethodRouter<Arc<Frontend>> {
    let handler = move |State(frontend): State<Arc<Frontend>>, Path(name): Path<String>, request: Request| {
        serve(frontend, endpoint(name), request)
    };
    get(handler.clone()).post(handler)
}
