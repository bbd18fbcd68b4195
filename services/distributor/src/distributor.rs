//! The way of a push, from its request to its answer.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use bytes::Bytes;
use http::Request;
use larch_api::Tenancy;
use larch_launch::{Frame, TenantLimits};
use larch_limits::LimitsSettings;
use larch_proto::AppendRequest;
use larch_runtime::Env;
use larch_telemetry::{Throttle, outgoing_trace};
use larch_types::{RequestId, TenantId, TraceContext};
use tokio::sync::Semaphore;
use tokio::task::JoinError;
use tracing::{Span, debug, warn};

use crate::body::read_body;
use crate::check::{Accepted, Checked};
use crate::decompress::SizeBound;
use crate::error::PushError;
use crate::head::{Endpoint, Head, Wrapping};
use crate::inflight::Inflight;
use crate::metrics::{Metrics, Reason};
use crate::rate::{Demand, RateExceeded, RateLimiter};
use crate::rules::{RuleBook, RuleDefaults};
use crate::send::{Origin, Sender};
use crate::settings::DistributorSettings;
use crate::stamp::Stamps;
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
    failures: Throttle,
}

/// Until distributors see each other, each is the only one it knows of.
const DISTRIBUTORS: u32 = 1;

/// Larger bodies are worked on where they hold nobody up: so many bytes take a millisecond or a few.
const SMALL_BODY_BYTES: usize = 32 << 10;
/// What compression makes large.
const SMALL_WRAPPED_BYTES: usize = 4 << 10;

/// A broken backend fails every push; so many lines tell it, with the number left out.
const FAILURES_LOGGED_A_SECOND: u32 = 5;
/// A text may name thousands of rows.
const MAX_LOGGED_BYTES: usize = 1024;

impl Distributor {
    pub(crate) fn new(frame: &Frame, settings: DistributorSettings) -> Self {
        let metrics = Metrics::new(&frame.metrics);
        let factor = frame.settings.common.replication_factor;
        metrics.replication_factor.set(i64::from(factor));
        Self {
            env: frame.env.clone(),
            tenancy: frame.tenancy.clone(),
            limits: frame.limits.clone(),
            inflight: Inflight::new(settings.max_inflight_bytes.as_u64(), &frame.metrics),
            rules: RuleBook::new(RuleDefaults {
                policies: settings.default_policy_stream_mappings.clone(),
                label_attributes: settings.otlp_config.default_resource_attributes_as_index_labels.clone(),
            }),
            rates: RateLimiter::new(DISTRIBUTORS),
            stamps: Stamps::new(&frame.env),
            sender: Sender {
                members: frame.members.clone(),
                transport: Arc::clone(&frame.transport),
                replication_factor: factor as usize,
                timeout: frame.settings.ingester_client.remote_timeout.to_std(),
                calls: Semaphore::new(settings.push_worker_count as usize),
                metrics: metrics.clone(),
            },
            metrics,
            settings,
            failures: Throttle::new(FAILURES_LOGGED_A_SECOND, Duration::from_secs(1)),
        }
    }

    /// # Cancel safety
    /// Whoever lets go does not know what was stored.
    pub(crate) async fn push(&self, request: Request<Body>, endpoint: Endpoint) -> Result<Taken, PushError> {
        let outcome = self.take(request, endpoint).await;
        match &outcome {
            Ok(Taken::All) => {}
            Ok(Taken::Partly(error) | Taken::Blocked { text: error, .. }) => {
                debug!(error = shortened(error), "a part of a push is refused");
            }
            Err(error) if is_failure(error) => {
                if let Some(suppressed) = self.failures.admit(self.env.clock.monotonic()) {
                    warn!(%error, suppressed, "push failed");
                }
            }
            Err(error) => debug!(error = shortened(&error.to_string()), "push refused"),
        }
        outcome
    }

    async fn take(&self, request: Request<Body>, endpoint: Endpoint) -> Result<Taken, PushError> {
        let (parts, body) = request.into_parts();
        let tenant = self.tenancy.tenant(&parts.headers)?;
        Span::current().record("tenant", tenant.as_str());
        let head = Head::read(&parts.headers, endpoint)?;
        let mut held = self.inflight.hold();
        let max = self.settings.max_recv_msg_size.as_u64();
        let body = read_body(&parts.headers, body, max, &mut held).await?;
        let rules = self.rules.rules(self.limits.limits(&tenant));
        let origin = self.origin(tenant, parts.extensions.get::<RequestId>());
        let metrics = self.metrics.clone();
        let work =
            Work { tenant: origin.tenant.clone(), head, rules, held, now: self.env.clock.now(), metrics };
        let bound = SizeBound { max: self.settings.max_decompressed_size.as_u64() };
        let is_plain = work.head.wrapping == Wrapping::None;
        let small = if is_plain { SMALL_BODY_BYTES } else { SMALL_WRAPPED_BYTES };
        let (work, checked) =
            if body.len() <= small { work.run(body, bound)? } else { run_apart(work, body, bound).await? };
        let latency = work.rules.limits.simulated_push_latency;
        if !latency.is_zero() {
            self.env.sleep(latency.to_std()).await;
        }
        self.finish(&origin, &work, checked).await
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
        let Checked { levels, streams, accepted, problems, blocked, .. } = checked;
        if !streams.is_empty() {
            self.admit(work, &accepted)?;
            let request = AppendRequest {
                stamp: self.stamps.next(&self.env),
                replica_sets: Vec::new(),
                levels: levels.into_names(),
                streams,
            };
            self.sender.send(origin, request).await?;
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
            }
        }
        admitted
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
