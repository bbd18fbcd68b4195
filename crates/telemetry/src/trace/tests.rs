//! Traces as a collector and a reader of the log see them.

use std::io::{self, Write};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use larch_types::{Timestamp, TraceContext};
use opentelemetry_proto::tonic::collector::trace::v1::trace_service_server::{
    TraceService, TraceServiceServer,
};
use opentelemetry_proto::tonic::collector::trace::v1::{
    ExportTracePartialSuccess, ExportTraceServiceRequest, ExportTraceServiceResponse,
};
use opentelemetry_proto::tonic::trace::v1::Span as ProtoSpan;
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tonic::transport::server::TcpIncoming;
use tonic::transport::{Identity, Server, ServerTlsConfig};
use tonic::{Request, Response, Status};
use tracing::{Span, error, info, info_span};
use tracing_subscriber::layer::SubscriberExt;

use super::layer::{Export, span_layer, start};
use super::*;
use crate::log::{LogFormat, LogLevel, LogOptions, subscriber_over};
use crate::metrics::{Format, Registry};

const INCOMING: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

#[derive(Clone, Default)]
struct Lines(Arc<Mutex<String>>);

impl Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().push_str(std::str::from_utf8(bytes).unwrap());
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn log_options(metrics: &Registry) -> LogOptions {
    LogOptions {
        level: LogLevel::Info,
        format: LogFormat::Logfmt,
        clock: Arc::new(|| Timestamp::EPOCH),
        metrics: metrics.clone(),
    }
}

fn trace_options(metrics: &Registry, address: &str) -> TraceOptions {
    let next = AtomicU64::new(1);
    TraceOptions {
        endpoint: format!("http://{address}"),
        ca: None,
        service_name: "larch-test".to_owned(),
        sample_ratio: 1.0,
        random: Arc::new(move || u128::from(next.fetch_add(1, Ordering::Relaxed))),
        metrics: metrics.clone(),
    }
}

fn with_lines(act: impl FnOnce()) -> Vec<String> {
    let lines = Lines::default();
    let (subscriber, _) = subscriber_over(log_options(&Registry::default()), lines.clone());
    tracing::subscriber::with_default(subscriber, act);
    let text = lines.0.lock().unwrap();
    text.lines().map(|line| line.split_once(" msg=").unwrap().1.to_owned()).collect()
}

#[test]
fn every_request_has_a_trace_id_without_export() {
    let incoming: TraceContext = INCOMING.parse().unwrap();
    let lines = with_lines(|| {
        let request = info_span!("request", tenant = "a");
        assert_eq!(outgoing_trace(&request), None);
        let own = join_trace(&request, Some(incoming), 7);
        assert_eq!(own.to_string(), "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000007-01");
        request.in_scope(|| {
            let inner = info_span!("inner");
            inner.in_scope(|| {
                info!("known");
                assert_eq!(outgoing_trace(&Span::current()), Some(own));
            });
        });
        let request = info_span!("request");
        let own = join_trace(&request, None, 0x0abc);
        assert_eq!(own.to_string(), "00-00000000000000000000000000000abc-0000000000000abc-00");
        request.in_scope(|| info!("new"));
        assert_eq!(outgoing_trace(&Span::none()), None);
    });
    let known = "known tenant=a trace_id=4bf92f3577b34da6a3ce929d0e0e4736";
    assert_eq!(lines, [known, "new trace_id=00000000000000000000000000000abc"]);
}

#[test]
fn without_a_subscriber_calls_still_carry_a_trace() {
    let incoming: TraceContext = INCOMING.parse().unwrap();
    let own = join_trace(&Span::none(), Some(incoming), 0);
    assert_eq!(own.to_string(), "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000001-01");
}

#[derive(Clone, Default)]
struct Collector {
    received: Arc<Mutex<Vec<ExportTraceServiceRequest>>>,
    rejected: i64,
}

#[tonic::async_trait]
impl TraceService for Collector {
    async fn export(
        &self,
        request: Request<ExportTraceServiceRequest>,
    ) -> Result<Response<ExportTraceServiceResponse>, Status> {
        self.received.lock().unwrap().push(request.into_inner());
        let partial = ExportTracePartialSuccess { rejected_spans: self.rejected, ..Default::default() };
        let partial_success = (self.rejected > 0).then_some(partial);
        Ok(Response::new(ExportTraceServiceResponse { partial_success }))
    }
}

impl Collector {
    fn spans(&self) -> Vec<ProtoSpan> {
        let mut spans = Vec::new();
        for request in &*self.received.lock().unwrap() {
            for resource in &request.resource_spans {
                for scope in &resource.scope_spans {
                    spans.extend(scope.spans.iter().cloned());
                }
            }
        }
        spans
    }
}

/// Runs the collector and the exporting task, ends spans, and waits until they have arrived.
async fn exported(
    collector: &Collector,
    change: impl FnOnce(&mut TraceOptions),
    act: impl FnOnce(),
) -> String {
    exported_to(Server::builder(), collector, change, act).await
}

async fn exported_to(
    mut server: Server,
    collector: &Collector,
    change: impl FnOnce(&mut TraceOptions),
    act: impl FnOnce(),
) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let metrics = Registry::default();
    let mut options = trace_options(&metrics, &listener.local_addr().unwrap().to_string());
    change(&mut options);
    let Export { tracer, queue, task } = start(options).unwrap();
    let (subscriber, _) = subscriber_over(log_options(&metrics), io::sink());
    let (stop, stopped) = oneshot::channel::<()>();
    let server = server
        .add_service(TraceServiceServer::new(collector.clone()))
        .serve_with_incoming_shutdown(TcpIncoming::from(listener), async { stopped.await.unwrap() });
    let client = async {
        tracing::subscriber::with_default(subscriber.with(span_layer(tracer)), act);
        assert!(queue.finish(Duration::from_secs(60)).await);
        stop.send(()).unwrap();
    };
    let (served, (), ()) = tokio::join!(server, task.run(), client);
    served.unwrap();
    metrics.encode(Format::Prometheus)
}

#[tokio::test]
async fn a_collector_receives_what_has_ended() {
    let collector = Collector::default();
    let mut outgoing = None;
    let metrics = exported(
        &collector,
        |_| {},
        || {
            let request = info_span!("request", tenant = "a");
            let own = join_trace(&request, Some(INCOMING.parse().unwrap()), 99);
            request.in_scope(|| {
                let push = info_span!("push", streams = 2);
                outgoing = outgoing_trace(&push);
                push.in_scope(|| error!("disk full"));
            });
            assert_eq!(own.trace_id(), 0x4bf9_2f35_77b3_4da6_a3ce_929d_0e0e_4736);
        },
    )
    .await;

    let spans = collector.spans();
    let [push, request] = &spans[..] else { panic!("two spans: {spans:?}") };
    assert_eq!((push.name.as_str(), request.name.as_str()), ("push", "request"));
    for span in [push, request] {
        assert_eq!(span.trace_id, 0x4bf9_2f35_77b3_4da6_a3ce_929d_0e0e_4736_u128.to_be_bytes());
    }
    assert_eq!(request.parent_span_id, 0x00f0_67aa_0ba9_02b7_u64.to_be_bytes());
    assert_eq!(push.parent_span_id, request.span_id);
    assert_eq!(push.span_id, outgoing.unwrap().span_id().to_be_bytes(), "callees name the inner span");
    assert!(request.attributes.iter().any(|attribute| attribute.key == "tenant"));
    assert_eq!(push.events[0].name, "disk full");
    let received = collector.received.lock().unwrap();
    let resource = received[0].resource_spans[0].resource.clone().unwrap();
    assert_eq!(resource.attributes.len(), 1);
    assert_eq!(resource.attributes[0].key, "service.name");
    assert!(metrics.contains("larch_trace_spans_exported_total 2\n"), "{metrics}");
}

#[tokio::test]
async fn only_a_collector_that_is_trusted_receives_anything() {
    let [own, other] = [(); 2].map(|()| {
        let key = rcgen::KeyPair::generate().unwrap();
        let params = rcgen::CertificateParams::new(["127.0.0.1".to_owned()]).unwrap();
        (params.self_signed(&key).unwrap().pem(), key.serialize_pem())
    });
    for (ca, outcome) in [
        (&own.0, "larch_trace_spans_exported_total 1\n"),
        (&other.0, "larch_trace_spans_dropped_total{reason=\"export_failed\"} 1\n"),
    ] {
        let tls = ServerTlsConfig::new().identity(Identity::from_pem(&own.0, &own.1));
        let server = Server::builder().tls_config(tls).unwrap();
        let collector = Collector::default();
        let change = |options: &mut TraceOptions| {
            options.endpoint = options.endpoint.replace("http:", "https:");
            options.ca = Some(ca.clone().into_bytes());
        };
        let metrics = exported_to(server, &collector, change, || drop(info_span!("span"))).await;
        assert!(metrics.contains(outcome), "{metrics}");
        assert_eq!(collector.spans().len(), usize::from(ca == &own.0));
    }
}

#[tokio::test]
async fn a_share_of_new_traces_and_all_that_the_caller_keeps() {
    let collector = Collector::default();
    let act = || {
        let unsampled = join_trace(&info_span!("new"), None, 1);
        assert!(!unsampled.is_sampled(), "others are told that it is not kept");
        join_trace(&info_span!("kept"), Some(INCOMING.parse().unwrap()), 1);
        let not_kept = format!("{}00", &INCOMING[..53]);
        join_trace(&info_span!("not kept"), Some(not_kept.parse().unwrap()), 1);
    };
    exported(&collector, |options| options.sample_ratio = 0.0, act).await;
    let names: Vec<String> = collector.spans().into_iter().map(|span| span.name).collect();
    assert_eq!(names, ["kept"]);
}

#[tokio::test]
async fn what_the_collector_refuses_is_counted() {
    let collector = Collector { rejected: 2, ..Collector::default() };
    let metrics = exported(&collector, |_| {}, || (0..5).for_each(|_| drop(info_span!("span")))).await;
    assert!(metrics.contains("larch_trace_spans_exported_total 3\n"), "{metrics}");
    assert!(metrics.contains("larch_trace_spans_dropped_total{reason=\"rejected\"} 2\n"), "{metrics}");
}

#[tokio::test]
async fn more_than_one_batch_arrives() {
    let collector = Collector::default();
    exported(&collector, |_| {}, || (0..1300).for_each(|_| drop(info_span!("span")))).await;
    assert_eq!(collector.spans().len(), 1300);
    assert!(collector.received.lock().unwrap().len() >= 3);
}

#[tokio::test]
async fn a_full_queue_drops_and_nobody_waits() {
    let metrics = Registry::default();
    let Export { tracer, queue, task } = start(trace_options(&metrics, "127.0.0.1:1")).unwrap();
    let (subscriber, _) = subscriber_over(log_options(&metrics), io::sink());
    tracing::subscriber::with_default(subscriber.with(span_layer(tracer)), || {
        (0..3000).for_each(|_| drop(info_span!("span")));
    });
    let dropped = "larch_trace_spans_dropped_total{reason=\"queue_full\"} 952\n";
    assert!(metrics.encode(Format::Prometheus).contains(dropped));
    // Nothing takes the spans out, so the budget decides.
    assert!(!queue.finish(Duration::ZERO).await);
    drop(task);
    assert!(queue.finish(Duration::from_secs(60)).await, "there is nothing left to wait for");
}

#[test]
fn large_spans_are_bounded_by_their_size() {
    let metrics = Registry::default();
    let Export { tracer, queue: _queue, task: _task } =
        start(trace_options(&metrics, "127.0.0.1:1")).unwrap();
    let (subscriber, _) = subscriber_over(log_options(&metrics), io::sink());
    let query = "x".repeat(1024 * 1024);
    tracing::subscriber::with_default(subscriber.with(span_layer(tracer)), || {
        (0..20).for_each(|_| drop(info_span!("span", query)));
    });
    let text = metrics.encode(Format::Prometheus);
    assert!(text.contains("larch_trace_spans_dropped_total{reason=\"queue_full\"} 5\n"), "{text}");
}

#[tokio::test]
async fn an_unreachable_collector_is_told_once_and_costs_spans_only() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    drop(listener);
    let metrics = Registry::default();
    let Export { tracer, queue, task } = start(trace_options(&metrics, &address)).unwrap();
    let lines = Lines::default();
    let (subscriber, _) = subscriber_over(log_options(&metrics), lines.clone());
    let _installed = tracing::subscriber::set_default(subscriber.with(span_layer(tracer)));
    (0..1000).for_each(|_| drop(info_span!("span")));
    let (finished, ()) = tokio::join!(queue.finish(Duration::from_secs(60)), task.run());
    assert!(finished);
    let text = metrics.encode(Format::Prometheus);
    assert!(text.contains("larch_trace_spans_dropped_total{reason=\"export_failed\"} 1000\n"), "{text}");
    assert_eq!(lines.0.lock().unwrap().matches("spans are not exported").count(), 1);
}
