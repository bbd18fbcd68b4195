//! The way of a push, from its request to its answer.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::ConnectInfo;
use bytes::Bytes;
use http::{HeaderMap, Request};
use larch_api::Tenancy;
use larch_launch::{Frame, TenantLimits};
use larch_limits::LimitsSettings;
use larch_proto::{AppendRequest, AppendStream};
use larch_runtime::{BufferPool, Env};
use larch_telemetry::{Throttle, outgoing_trace};
use larch_types::{ErrorKind, RequestId, StreamId, TenantId, TraceContext};
use tokio::sync::Semaphore;
use tokio::task::JoinError;
use tracing::{Span, debug, info, warn};

use crate::body::read_body;
use crate::check::{Accepted, Checked, TakenStream};
use crate::decompress::SizeBound;
use crate::error::PushError;
use crate::failures::FailureLog;
use crate::head::{Endpoint, Head, Wrapping};
use crate::inflight::{HeldBytes, Inflight};
use crate::label_rules::LabelValues;
use crate::metrics::{Account, Metrics, Reason, Volume, show_ingesters};
use crate::pages::Pages;
use crate::place::RingBook;
use crate::push_log::{agent_address, log_push, needs_address};
use crate::rate::{Demand, RateExceeded, RateLimiter};
use crate::rules::{RuleBook, RuleDefaults};
use crate::send::{Origin, Sender, Sent};
use crate::settings::DistributorSettings;
use crate::stamp::Stamps;
use crate::stream_rates::{PushedPart, StreamRates};
use crate::usage::UsageBook;
use crate::work::Work;

/// What became of a push of which at least nothing was refused as a whole.
#[derive(Debug)]
pub(crate) enum Taken {
    All,
    /// The rest is stored; the text says what is not, and why.
    Partly(String),
    /// Nothing is left out but what is blocked.
    Blocked {
        status: u16,
        text: String,
    },
}

pub(crate) struct Distributor {
    env: Env,
    tenancy: Tenancy,
    limits: TenantLimits,
    settings: DistributorSettings,
    inflight: Inflight,
    rules: RuleBook,
    rates: RateLimiter,
    stamps: Stamps,
    sender: Sender,
    metrics: Metrics,
    buffers: BufferPool,
    usage: Arc<UsageBook>,
    label_values: Arc<LabelValues>,
    stream_rates: StreamRates,
    failures: Throttle,
    refusals: FailureLog,
}

/// Larger bodies are worked on where they hold nobody up: so many bytes take a millisecond or a few.
const SMALL_BODY_BYTES: usize = 32 << 10;
/// What compression makes large.
const SMALL_WRAPPED_BYTES: usize = 4 << 10;

/// What pushes leave between each other: the bodies of some of usual size, which have a megabyte.
const IDLE_BUFFER_BYTES: usize = 8 << 20;

/// A broken backend fails every push; so many lines tell it, with the number left out.
const FAILURES_LOGGED_A_SECOND: u32 = 5;
/// A text may name thousands of rows.
const MAX_LOGGED_BYTES: usize = 1024;

impl Distributor {
    pub(crate) fn new(frame: &Frame, settings: DistributorSettings) -> Self {
        let metrics = Metrics::new(&frame.metrics);
        let factor = frame.settings.common.replication_factor;
        metrics.replication_factor.set(i64::from(factor));
        show_ingesters(&frame.metrics, frame.members.clone());
        Self {
            env: frame.env.clone(),
            tenancy: frame.tenancy.clone(),
            limits: frame.limits.clone(),
            inflight: Inflight::new(
                settings.max_inflight_bytes.as_u64(),
                settings.max_inflight_pushes,
                &frame.metrics,
            ),
            rules: RuleBook::new(RuleDefaults {
                policies: settings.default_policy_stream_mappings.clone(),
                label_attributes: settings.otlp_config.default_resource_attributes_as_index_labels.clone(),
            }),
            rates: RateLimiter::new(frame.members.clone()),
            stamps: Stamps::new(&frame.env),
            sender: Sender {
                members: frame.members.clone(),
                transport: Arc::clone(&frame.transport),
                replication_factor: factor as usize,
                timeout: frame.settings.ingester_client.remote_timeout.to_std(),
                calls: Semaphore::new(settings.push_worker_count as usize),
                metrics: metrics.clone(),
                rings: RingBook::default(),
                clock: Arc::clone(&frame.env.clock),
            },
            usage: Arc::new(UsageBook::new(&frame.metrics)),
            label_values: Arc::new(LabelValues::new(metrics.denied_labels.clone())),
            stream_rates: StreamRates::new(
                settings.rate_store.stream_rate_update_interval.to_std(),
                Arc::clone(&frame.env.clock),
                &frame.metrics,
            ),
            refusals: FailureLog::new(&settings.write_failures_logging, &frame.metrics),
            metrics,
            buffers: BufferPool::new(IDLE_BUFFER_BYTES),
            settings,
            failures: Throttle::new(FAILURES_LOGGED_A_SECOND, Duration::from_secs(1)),
        }
    }

    /// What others look at.
    pub(crate) fn pages(&self, frame: &Frame) -> Pages {
        Pages {
            tenancy: frame.tenancy.clone(),
            usage: Arc::clone(&self.usage),
            started: frame.env.clock.now(),
        }
    }

    /// A push over HTTP.
    ///
    /// # Cancel safety
    /// Whoever lets go does not know what was stored.
    pub(crate) async fn push(&self, request: Request<Body>, endpoint: Endpoint) -> Result<Taken, PushError> {
        let (parts, body) = request.into_parts();
        let tenant = self.tenancy.tenant(&parts.headers)?;
        let take = async {
            let head = Head::read(&parts.headers, endpoint)?;
            let mut held = self.inflight.hold()?;
            let max = self.settings.max_recv_msg_size.as_u64();
            let body = read_body(&parts.headers, body, max, &mut held).await?;
            let origin = self.origin(tenant.clone(), parts.extensions.get::<RequestId>());
            let peer = parts.extensions.get::<ConnectInfo<SocketAddr>>().map(|info| info.0);
            let address = self.address(&tenant, &parts.headers, peer);
            self.work_on(origin, head, (body, address), held).await
        };
        self.watch(&tenant, endpoint, take).await
    }

    /// A push over gRPC, of which the message is here already.
    ///
    /// # Cancel safety
    /// Whoever lets go does not know what was stored.
    pub(crate) async fn push_message(
        &self,
        headers: &HeaderMap,
        request: Option<RequestId>,
        peer: Option<SocketAddr>,
        message: Bytes,
    ) -> Result<Taken, PushError> {
        let tenant = self.tenancy.tenant(headers)?;
        let take = async {
            let head = Head::read(headers, Endpoint::Pusher)?;
            let mut held = self.inflight.hold()?;
            held.grow(message.len())?;
            let origin = self.origin(tenant.clone(), request.as_ref());
            let address = self.address(&tenant, headers, peer);
            self.work_on(origin, head, (message, address), held).await
        };
        self.watch(&tenant, Endpoint::Pusher, take).await
    }

    /// Tells of what went wrong, each in its place: failures are for operators, refusals for whoever looks
    /// for a tenant's.
    async fn watch(
        &self,
        tenant: &TenantId,
        endpoint: Endpoint,
        take: impl Future<Output = Result<Taken, PushError>>,
    ) -> Result<Taken, PushError> {
        Span::current().record("tenant", tenant.as_str());
        let outcome = take.await;
        let refusal = match &outcome {
            Ok(Taken::All) => return outcome,
            Ok(Taken::Partly(text) | Taken::Blocked { text, .. }) => text.clone(),
            Err(error) if is_failure(error) => {
                if let Some(suppressed) = self.failures.admit(self.env.clock.monotonic()) {
                    warn!(%error, suppressed, "push failed");
                }
                return outcome;
            }
            Err(error) => error.to_string(),
        };
        if let Err(error) = &outcome
            && error.kind() == ErrorKind::TooLarge
        {
            self.count_too_large(tenant, endpoint, error);
        }
        if self.limits.operational(tenant).limited_log_push_errors {
            self.refusals.note(self.env.clock.monotonic(), tenant, &refusal);
        } else {
            debug!(error = shortened(&refusal), "push refused");
        }
        outcome
    }

    /// What was in it is not known: it counts as one row of the bytes that came or were announced.
    fn count_too_large(&self, tenant: &TenantId, endpoint: Endpoint, error: &PushError) {
        let rules = self.rules.rules(self.limits.limits(tenant));
        let line_bytes = match error {
            PushError::BodyTooLarge { size, .. } => *size,
            _ => 0,
        };
        let volume = Volume { rows: 1, line_bytes, metadata_bytes: 0 };
        let account = Account {
            tenant,
            protocol: endpoint.protocol(),
            retention_hours: rules.default_retention(),
            policy: "",
            internal: false,
        };
        self.metrics.discarded(account, Reason::BodyTooLarge, volume);
        self.usage.discarded(tenant, Reason::BodyTooLarge, volume);
    }

    async fn work_on(
        &self,
        origin: Origin,
        head: Head,
        (body, address): (Bytes, String),
        held: HeldBytes,
    ) -> Result<Taken, PushError> {
        let work = Work {
            tenant: origin.tenant.clone(),
            operational: self.limits.operational(&origin.tenant),
            address,
            labels_hash: None,
            rules: self.rules.rules(self.limits.limits(&origin.tenant)),
            head,
            held,
            now: self.env.clock.now(),
            monotonic: self.env.clock.monotonic(),
            metrics: self.metrics.clone(),
            usage: Arc::clone(&self.usage),
            label_values: Arc::clone(&self.label_values),
            buffers: self.buffers.clone(),
        };
        let bound = SizeBound { max: self.settings.max_decompressed_size.as_u64() };
        let is_plain = work.head.wrapping == Wrapping::None;
        let small = if is_plain { SMALL_BODY_BYTES } else { SMALL_WRAPPED_BYTES };
        let (work, checked) =
            if body.len() <= small { work.run(body, bound)? } else { run_apart(work, body, bound).await? };
        log_push(&work, &checked);
        let latency = work.rules.limits.simulated_push_latency;
        if !latency.is_zero() {
            self.env.sleep(latency.to_std()).await;
        }
        self.finish(&origin, &work, checked).await
    }

    /// Of the sender, where it is logged.
    fn address(&self, tenant: &TenantId, headers: &HeaderMap, peer: Option<SocketAddr>) -> String {
        if needs_address(&self.limits.operational(tenant)) {
            agent_address(headers, peer)
        } else {
            String::new()
        }
    }

    fn origin(&self, tenant: TenantId, request: Option<&RequestId>) -> Origin {
        let random = self.env.random.next_u128();
        let request = request.cloned().unwrap_or_else(|| RequestId::from_random(random as u64));
        Origin {
            tenant,
            request,
            trace: outgoing_trace(&Span::current()).unwrap_or_else(|| new_trace(random)),
        }
    }

    /// Admits what was checked, sends it, and says what became of the whole.
    async fn finish(&self, origin: &Origin, work: &Work, checked: Checked) -> Result<Taken, PushError> {
        let Checked { levels, mut streams, taken, accepted, problems, blocked, .. } = checked;
        if !streams.is_empty() {
            self.admit(work, &accepted)?;
            self.spread(work, &mut streams, &taken);
            let request = AppendRequest {
                stamp: self.stamps.next(&self.env),
                replica_sets: Vec::new(),
                levels: levels.into_names(),
                streams,
            };
            let sent = self.sender.send(origin, request).await?;
            self.count_sent(work, &taken, &accepted, &sent);
            if let Some(failure) = sent.failure {
                return Err(PushError::Ingester(failure));
            }
        }
        if !problems.is_empty() {
            return Ok(Taken::Partly(problems.to_string()));
        }
        match blocked {
            Some(blocked) => Ok(Taken::Blocked { status: blocked.status, text: blocked.to_string() }),
            None => Ok(Taken::All),
        }
    }

    fn admit(&self, work: &Work, accepted: &[Accepted]) -> Result<(), RateExceeded> {
        let limits = &work.rules.limits;
        let demands = demands(limits, accepted);
        let admitted = self.rates.admit(self.env.clock.monotonic(), &work.tenant, limits, &demands);
        if admitted.is_err() {
            for accepted in accepted {
                let account = accepted.account(&work.tenant, &work.head);
                self.metrics.discarded(account, Reason::RateLimited, accepted.volume);
                self.usage.discarded(&work.tenant, Reason::RateLimited, accepted.volume);
            }
        }
        admitted
    }

    /// Finds fast streams.
    fn spread(&self, work: &Work, streams: &mut [AppendStream], taken: &[TakenStream]) {
        let now = self.env.clock.monotonic();
        for (stream, taken) in streams.iter_mut().zip(taken) {
            let settings = work.rules.shard_streams(&stream.policy);
            let id = StreamId::of_canonical(&stream.labels);
            let part = PushedPart { stream: id, bytes: taken.volume.bytes(), rows: stream.entries.len() };
            stream.write_shards = self.stream_rates.shards(&work.tenant, settings, part, now);
            if settings.logging_enabled && stream.write_shards > 1 {
                let (tenant, labels, shards) = (&work.tenant, &stream.labels, stream.write_shards);
                info!(%tenant, stream = labels, shards, "stream is spread over write shards");
            }
        }
    }

    /// Counts each stream once, on however many replicas it is.
    fn count_sent(&self, work: &Work, taken: &[TakenStream], accepted: &[Accepted], sent: &Sent) {
        let mut failed = sent.failed.iter().peekable();
        for (place, stream) in taken.iter().enumerate() {
            let Some((_, reason)) = failed.next_if(|(failed, _)| *failed == place) else {
                self.usage.accepted(&work.tenant, stream.volume, &stream.tracked);
                continue;
            };
            // What failed for another reason is tried again by its client.
            if let Some(reason) = reason {
                let account = accepted[stream.accepted].account(&work.tenant, &work.head);
                self.metrics.discarded(account, (*reason).into(), stream.volume);
                self.usage.discarded(&work.tenant, (*reason).into(), stream.volume);
            }
        }
    }
}

/// Whether something went wrong here that should be looked at.
fn is_failure(error: &PushError) -> bool {
    error.kind().http() >= 500 && !matches!(error, PushError::Busy | PushError::BodyLate)
}

fn shortened(text: &str) -> &str {
    &text[..text.floor_char_boundary(MAX_LOGGED_BYTES)]
}

/// One demand for the tenant, and one for each policy that has a rate of its own.
fn demands(limits: &LimitsSettings, accepted: &[Accepted]) -> Vec<Demand> {
    let mut demands: Vec<Demand> = Vec::new();
    for accepted in accepted {
        let has_own_rate = |policy: &&str| {
            let own = limits.policy_override_limits.get(*policy);
            own.is_some_and(|own| own.ingestion_rate_mb > 0.0)
        };
        let policy = accepted.policy.as_deref().filter(has_own_rate);
        let (lines, bytes) = (accepted.volume.rows, accepted.volume.bytes());
        match demands.iter_mut().find(|demand| demand.policy.as_deref() == policy) {
            Some(demand) => {
                demand.lines += lines;
                demand.bytes += bytes;
            }
            None => demands.push(Demand { policy: policy.map(Into::into), lines, bytes }),
        }
    }
    demands
}

/// On a thread on which it holds up no other request.
async fn run_apart(work: Work, body: Bytes, bound: SizeBound) -> Result<(Work, Checked), PushError> {
    let span = Span::current();
    let task = tokio::task::spawn_blocking(move || span.in_scope(|| work.run(body, bound)));
    match task.await.map_err(JoinError::try_into_panic) {
        Ok(done) => done,
        Err(Ok(panic)) => std::panic::resume_unwind(panic),
        // The runtime is being shut down.
        Err(Err(_)) => Err(PushError::Busy),
    }
}

/// For a request that is part of no trace.
#[expect(clippy::expect_used, reason = "neither id is 0")]
fn new_trace(random: u128) -> TraceContext {
    let span_id = ((random >> 64) as u64).max(1);
    TraceContext::new(random.max(1), span_id, 0).expect("ids above 0")
}
