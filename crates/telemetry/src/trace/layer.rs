//! What has to be there before spans can be exported.

use std::fmt;
use std::sync::Arc;

use opentelemetry::trace::TracerProvider;
use opentelemetry_proto::transform::common::tonic::ResourceAttributesWithSchema;
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::{Sampler, SdkTracer, SdkTracerProvider, SpanLimits};
use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use tonic::transport::{ClientTlsConfig, Endpoint};
use tracing::Subscriber;
use tracing_opentelemetry::OpenTelemetryLayer;
use tracing_subscriber::registry::LookupSpan;

use super::export::ExportTask;
use super::ids::Ids;
use super::queue::SpanQueue;
use crate::metrics::{Registry, Spec};

/// Where names of spans come from.
pub type RandomIds = Arc<dyn Fn() -> u128 + Send + Sync>;

/// Log lines within a span are its events. Logs are kept anyway, so a span shows only the first few.
const MAX_EVENTS: u32 = 16;
/// More than any span of Larch has.
const MAX_ATTRIBUTES: u32 = 32;

/// Where spans go, and which.
#[derive(Clone)]
pub struct TraceOptions {
    /// `http://host:4317` or `https://…` of a collector that speaks OTLP over gRPC.
    pub endpoint: String,
    /// Certificates in PEM form. Required for `https`, whose own have to be checked against something.
    pub ca: Option<Vec<u8>>,
    pub service_name: String,
    /// Of the traces that begin here this share is kept, from 0 to 1. A trace that begins elsewhere is kept
    /// here if it is kept there.
    pub sample_ratio: f64,
    pub random: RandomIds,
    /// Where spans are counted.
    pub metrics: Registry,
}

impl fmt::Debug for TraceOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TraceOptions")
            .field("endpoint", &self.endpoint)
            .field("service_name", &self.service_name)
            .field("sample_ratio", &self.sample_ratio)
            .finish_non_exhaustive()
    }
}

#[derive(Debug, thiserror::Error)]
pub enum InvalidEndpoint {
    #[error("not the address of a collector: {}", larch_types::quoted(.endpoint))]
    Address {
        endpoint: String,
        #[source]
        source: tonic::transport::Error,
    },
    #[error("the scheme of a collector's address is http or https: {}", larch_types::quoted(.0))]
    Scheme(String),
    #[error("https needs to know which certificates to trust: {}", larch_types::quoted(.0))]
    Untrusted(String),
    #[error("tracing.otlp_ca_file holds no certificate in PEM form")]
    NoCertificate,
    #[error("tracing.otlp_ca_file holds a certificate that cannot be trusted")]
    Certificate(#[source] rustls::Error),
}

/// The three parts of exporting: spans come from the tracer, wait in the queue and leave by the task.
pub(crate) struct Export {
    pub(crate) tracer: SdkTracer,
    pub(crate) queue: SpanQueue,
    pub(crate) task: ExportTask,
}

/// Opens no connection and needs no runtime yet.
pub(crate) fn start(options: TraceOptions) -> Result<Export, InvalidEndpoint> {
    let TraceOptions { endpoint, ca, service_name, sample_ratio, random, metrics } = options;
    let endpoint = checked_endpoint(endpoint, ca)?;
    let exported = metrics.counter(Spec {
        name: "larch_trace_spans_exported_total",
        help: "Spans that the collector has taken.",
        labels: [],
    });
    let dropped = metrics.counter(Spec {
        name: "larch_trace_spans_dropped_total",
        help: "Spans that were not exported: the queue was full, sending failed, or the collector refused.",
        labels: ["reason"],
    });
    let (queue, messages) = SpanQueue::new(dropped.with(["queue_full"]));
    let resource = Resource::builder_empty().with_service_name(service_name).build();
    let task = ExportTask {
        endpoint,
        resource: ResourceAttributesWithSchema::from(&resource),
        messages,
        exported: exported.with([]),
        failed: dropped.with(["export_failed"]),
        rejected: dropped.with(["rejected"]),
    };
    // Everything is set here, because what is not is read from environment variables.
    let provider = SdkTracerProvider::builder()
        .with_sampler(Sampler::ParentBased(Box::new(Sampler::TraceIdRatioBased(sample_ratio))))
        .with_id_generator(Ids(random))
        .with_span_limits(limits())
        .with_resource(resource)
        .with_span_processor(queue.clone())
        .build();
    Ok(Export { tracer: provider.tracer("larch"), queue, task })
}

/// What makes the spans of `tracing` known to the tracer.
pub(crate) fn span_layer<S: Subscriber + for<'a> LookupSpan<'a>>(
    tracer: SdkTracer,
) -> OpenTelemetryLayer<S, SdkTracer> {
    tracing_opentelemetry::layer()
        .with_tracer(tracer)
        .with_location(false)
        .with_threads(false)
        .with_tracked_inactivity(false)
        .with_context_activation(false)
}

fn limits() -> SpanLimits {
    SpanLimits {
        max_events_per_span: MAX_EVENTS,
        max_attributes_per_span: MAX_ATTRIBUTES,
        max_links_per_span: MAX_ATTRIBUTES,
        max_attributes_per_event: MAX_ATTRIBUTES,
        max_attributes_per_link: MAX_ATTRIBUTES,
    }
}

fn checked_endpoint(endpoint: String, ca: Option<Vec<u8>>) -> Result<Endpoint, InvalidEndpoint> {
    let address = |source| InvalidEndpoint::Address { endpoint: endpoint.clone(), source };
    let parsed = Endpoint::from_shared(endpoint.clone()).map_err(address)?;
    match (parsed.uri().scheme_str(), ca) {
        (Some("http"), _) => Ok(parsed),
        (Some("https"), Some(ca)) => parsed.tls_config(trusting(&ca)?).map_err(address),
        (Some("https"), None) => Err(InvalidEndpoint::Untrusted(endpoint)),
        _ => Err(InvalidEndpoint::Scheme(endpoint)),
    }
}

/// Every certificate is looked at here: the library passes over what it cannot read, and trusts nobody in
/// the end.
fn trusting(ca: &[u8]) -> Result<ClientTlsConfig, InvalidEndpoint> {
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(ca) {
        let certificate = certificate.map_err(|_| InvalidEndpoint::NoCertificate)?;
        roots.add(certificate).map_err(InvalidEndpoint::Certificate)?;
    }
    if roots.is_empty() {
        return Err(InvalidEndpoint::NoCertificate);
    }
    Ok(ClientTlsConfig::new().trust_anchors(roots.roots))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_checked_before_anything_runs() {
        for (endpoint, reason) in [
            ("http://collector:4317", ""),
            ("http://[::1]:4317/", ""),
            ("collector:4317", "the scheme of a collector's address is http or https: \"collector:4317\""),
            ("ftp://collector", "the scheme of a collector's address is http or https: \"ftp://collector\""),
            ("https://collector", "https needs to know which certificates to trust: \"https://collector\""),
            ("http://a b", "not the address of a collector: \"http://a b\""),
            ("", "not the address of a collector: \"\""),
        ] {
            let refused = checked_endpoint(endpoint.to_owned(), None).err();
            assert_eq!(refused.map(|error| error.to_string()).unwrap_or_default(), reason);
        }
    }

    #[test]
    fn what_is_trusted_is_checked_too() {
        let key = rcgen::KeyPair::generate().unwrap();
        let good = rcgen::CertificateParams::new([]).unwrap().self_signed(&key).unwrap().pem();
        let broken = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
        let (none, bad) = ("holds no certificate in PEM form", "holds a certificate that cannot be trusted");
        for (ca, reason) in [
            (good.clone(), ""),
            (good.repeat(2), ""),
            (String::new(), none),
            (key.serialize_pem(), none),
            (good.clone() + &good[..good.len() / 2], none),
            (good + broken, bad),
        ] {
            let refused = checked_endpoint("https://collector:4317".to_owned(), Some(ca.into_bytes())).err();
            let reason =
                if reason.is_empty() { String::new() } else { format!("tracing.otlp_ca_file {reason}") };
            assert_eq!(refused.map(|error| error.to_string()).unwrap_or_default(), reason);
        }
    }
}
