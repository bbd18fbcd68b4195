//! Counts, times, names and logs every request, and turns a panic into an answer.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::{MatchedPath, Request, State};
use axum::middleware::Next;
use axum::response::Response;
use futures_util::FutureExt;
use http::{Method, StatusCode};
use larch_telemetry::{
    Counter, DURATION_BUCKETS, Family, Gauge, Histogram, Registry, Spec, Throttle, panics,
};
use larch_types::RequestId;
use tracing::{Instrument, error};

use crate::Env;
use crate::scope::panic_message;
use crate::server::answers::{method_not_allowed, plain};
use crate::server::record::{Observed, Record};
use crate::server::request_id::header_value;
use crate::server::source::SourceFinder;
use crate::settings::ServerSettings;

/// Which of the two protocols a listener speaks; their metrics differ in what a route and a status are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Protocol {
    Http,
    Grpc,
}

impl Protocol {
    /// For people.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Http => "HTTP",
            Self::Grpc => "gRPC",
        }
    }

    /// For metrics.
    pub(crate) const fn label(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Grpc => "grpc",
        }
    }
}

/// What a listener needs to watch its requests.
pub(crate) struct Observer {
    pub(crate) env: Env,
    pub(crate) protocol: Protocol,
    pub(crate) duration: Family<Histogram, 4>,
    pub(crate) inflight: Family<Gauge, 2>,
    pub(crate) received: Family<Histogram, 2>,
    pub(crate) sent: Family<Histogram, 2>,
    pub(crate) panics: Counter,
    pub(crate) source: Option<SourceFinder>,
    /// Requests are logged at this level when nothing is wrong with them.
    pub(crate) at_info: bool,
    /// Headers that are not logged; `None` if no header is.
    pub(crate) hidden_headers: Option<Vec<String>>,
    pub(crate) failures: Throttle,
}

/// Sizes that dashboards of Loki expect: from 1 MiB to 250 MiB.
const SIZE_BUCKETS: [f64; 8] =
    [1048576.0, 2621440.0, 5242880.0, 10485760.0, 26214400.0, 52428800.0, 104857600.0, 262144000.0];

/// A broken backend fails every request; so many lines tell it, with the number left out.
const FAILURES_LOGGED_A_SECOND: u32 = 5;

/// Never logged: they hold credentials.
const SECRET_HEADERS: [&str; 4] = ["authorization", "cookie", "proxy-authorization", "x-csrf-token"];

impl Observer {
    pub(crate) fn new(
        env: Env,
        protocol: Protocol,
        settings: &ServerSettings,
        metrics: &Registry,
    ) -> Arc<Self> {
        let hidden_headers = settings.log_request_headers.then(|| {
            let mut hidden: Vec<String> = SECRET_HEADERS.map(str::to_owned).into();
            hidden.extend(
                settings.log_request_exclude_headers_list.iter().map(|name| name.to_ascii_lowercase()),
            );
            hidden
        });
        Arc::new(Self {
            env,
            protocol,
            duration: metrics.histogram(DURATION, &DURATION_BUCKETS),
            inflight: metrics.gauge(INFLIGHT),
            received: metrics.histogram(RECEIVED, &SIZE_BUCKETS),
            sent: metrics.histogram(SENT, &SIZE_BUCKETS),
            panics: panics(metrics),
            source: SourceFinder::new(settings),
            at_info: settings.log_request_at_info_level_enabled,
            hidden_headers,
            failures: Throttle::new(FAILURES_LOGGED_A_SECOND, Duration::from_secs(1)),
        })
    }

    pub(crate) fn route(&self, request: &Request) -> String {
        match (self.protocol, request.extensions().get::<MatchedPath>()) {
            (_, None) => "other".to_owned(),
            (Protocol::Grpc, Some(_)) => request.uri().path().to_owned(),
            (Protocol::Http, Some(template)) => route_name(template.as_str()),
        }
    }
}

const DURATION: Spec<4> = Spec {
    name: "loki_request_duration_seconds",
    help: "Time from the head of a request to the last byte of its answer.",
    labels: ["method", "route", "status_code", "ws"],
};
const INFLIGHT: Spec<2> = Spec {
    name: "loki_inflight_requests",
    help: "Requests that are being worked on.",
    labels: ["method", "route"],
};
const RECEIVED: Spec<2> = Spec {
    name: "loki_request_message_bytes",
    help: "Bytes of the bodies of requests, as they were sent.",
    labels: ["method", "route"],
};
const SENT: Spec<2> = Spec {
    name: "loki_response_message_bytes",
    help: "Bytes of the bodies of answers, as they were sent.",
    labels: ["method", "route"],
};

/// `/loki/api/v1/label/{name}/values` becomes `loki_api_v1_label_name_values`.
fn route_name(template: &str) -> String {
    let mut name = String::with_capacity(template.len());
    for c in template.chars() {
        if c.is_ascii_alphanumeric() {
            name.push(c.to_ascii_lowercase());
        } else if !name.is_empty() && !name.ends_with('_') {
            name.push('_');
        }
    }
    name.truncate(name.trim_end_matches('_').len());
    if name.is_empty() { "root".to_owned() } else { name }
}

/// The middleware. It runs inside the router, where the template of the route is known.
pub(crate) async fn observe(State(observer): State<Arc<Observer>>, request: Request, next: Next) -> Response {
    let (mut record, request) = Record::begin(&observer, request);
    let span = record.span.clone();
    let answering = async {
        if observer.protocol == Protocol::Http && request.method() == Method::HEAD {
            // No route lists HEAD, although the router would answer it like GET.
            return method_not_allowed();
        }
        match AssertUnwindSafe(next.run(request)).catch_unwind().await {
            Ok(response) => response,
            Err(panic) => {
                let message = panic_message(&*panic);
                observer.panics.inc();
                error!(error = %message, "panic while processing a request");
                let text = format!("error while processing request: {message}\n");
                plain(StatusCode::INTERNAL_SERVER_ERROR, text)
            }
        }
    };
    let mut response = answering.instrument(span).await;
    response.headers_mut().insert(RequestId::HEADER, header_value(&record.request_id));
    record.answered(&response);
    response.map(|body| Body::new(Observed::new(body, record)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn routes_are_named_as_dashboards_know_them() {
        for (template, name) in [
            ("/loki/api/v1/push", "loki_api_v1_push"),
            ("/loki/api/v1/label/{name}/values", "loki_api_v1_label_name_values"),
            ("/api/prom/rules/{namespace}/{groupName}", "api_prom_rules_namespace_groupname"),
            ("/ready", "ready"),
            ("/", "root"),
        ] {
            assert_eq!(route_name(template), name);
        }
    }
}
