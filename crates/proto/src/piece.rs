//! Work that a queue hands out.

use std::time::Duration;

use larch_types::{NodeId, RequestId, Span, StreamShard, TenantId, Timestamp, TraceContext};

use crate::check::{
    list, missing, node_id, optional, required, span, tenant, to_id, to_list, to_nanos, to_span,
};
use crate::matching::{direction, range, shard, to_direction, to_shard};
use crate::result::cache_key;
use crate::{AccessPolicy, Direction, InvalidMessage, LabelsQuery, PieceId, Selector, wire};

/// A worker that announces itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PullRequest {
    pub worker: NodeId,
    /// How many pieces it takes at once.
    pub concurrency: u32,
}

#[derive(Debug, Clone, PartialEq)]
pub enum Assignment {
    Piece(Box<Piece>),
    /// Nobody waits for the piece any more.
    Cancel(PieceId),
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PieceTenant {
    pub tenant: TenantId,
    /// `None`: everything of this tenant may be seen.
    pub policy: Option<AccessPolicy>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Question {
    /// The entries of a log query.
    Logs {
        query: String,
        direction: Direction,
        limit: u64,
    },
    /// The samples of a metric query at `start`, `start + step` and so on, `end` included.
    Metric {
        query: String,
        start: Timestamp,
        end: Timestamp,
        step: Span,
    },
    Labels {
        query: LabelsQuery,
        any_of: Vec<Selector>,
    },
    /// Bytes by labels. A step of zero asks for one sum.
    Volume {
        any_of: Vec<Selector>,
        target_labels: Vec<String>,
        by_label_names: bool,
        step: Span,
    },
    /// Streams, chunks, rows and bytes, every row counted once.
    Stats {
        any_of: Vec<Selector>,
    },
    /// How much a read would touch, about.
    Estimate {
        any_of: Vec<Selector>,
    },
    Patterns {
        any_of: Vec<Selector>,
        step: Span,
    },
}

/// One unit of work: a question about one time range and one part of the streams.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Piece {
    pub id: PieceId,
    /// Never empty. With more than one, answers carry the tenant as a label.
    pub tenants: Vec<PieceTenant>,
    pub question: Question,
    /// Included.
    pub start: Timestamp,
    /// Not included.
    pub end: Timestamp,
    pub shard: Option<StreamShard>,
    /// How long the answer is waited for, counted from when the piece was sent.
    pub time_left: Duration,
    pub request: RequestId,
    pub trace: TraceContext,
    /// 0: no limit.
    pub max_bytes: u64,
    /// 0: no limit.
    pub max_series: u64,
    pub query_tags: String,
    pub no_cache: bool,
    /// Whether the queue keeps answers like this one.
    pub keeps_answer: bool,
    /// Under what it keeps one already.
    pub kept: Option<u128>,
}

// === conversions ===

impl From<PullRequest> for wire::query::PullRequest {
    fn from(request: PullRequest) -> Self {
        Self { worker_id: to_id(request.worker.as_u128()), concurrency: request.concurrency }
    }
}

impl TryFrom<wire::query::PullRequest> for PullRequest {
    type Error = InvalidMessage;

    fn try_from(request: wire::query::PullRequest) -> Result<Self, InvalidMessage> {
        if request.concurrency == 0 {
            return Err(InvalidMessage::new("concurrency", "0"));
        }
        Ok(Self { worker: node_id("worker_id", &request.worker_id)?, concurrency: request.concurrency })
    }
}

impl From<Assignment> for wire::query::Assignment {
    fn from(assignment: Assignment) -> Self {
        use wire::query::assignment::Kind;
        let kind = match assignment {
            Assignment::Piece(piece) => Kind::Piece((*piece).into()),
            Assignment::Cancel(id) => Kind::Cancel(wire::query::Cancel { piece_id: id.0 }),
        };
        Self { kind: Some(kind) }
    }
}

impl TryFrom<wire::query::Assignment> for Assignment {
    type Error = InvalidMessage;

    fn try_from(assignment: wire::query::Assignment) -> Result<Self, InvalidMessage> {
        use wire::query::assignment::Kind;
        match assignment.kind.ok_or_else(|| missing("kind"))? {
            Kind::Piece(piece) => Ok(Self::Piece(Box::new(required("piece", Some(piece))?))),
            Kind::Cancel(cancel) => Ok(Self::Cancel(PieceId(cancel.piece_id))),
        }
    }
}

impl From<PieceTenant> for wire::query::PieceTenant {
    fn from(tenant: PieceTenant) -> Self {
        Self { tenant: tenant.tenant.as_str().to_owned(), policy: tenant.policy.map(Into::into) }
    }
}

impl TryFrom<wire::query::PieceTenant> for PieceTenant {
    type Error = InvalidMessage;

    fn try_from(piece: wire::query::PieceTenant) -> Result<Self, InvalidMessage> {
        Ok(Self { tenant: tenant("tenant", &piece.tenant)?, policy: optional("policy", piece.policy)? })
    }
}

impl From<Question> for wire::query::piece::Question {
    fn from(question: Question) -> Self {
        use wire::query as wire;
        match question {
            Question::Logs { query, direction, limit } => {
                Self::Logs(wire::LogsQuestion { query, direction: to_direction(direction), limit })
            }
            Question::Metric { query, start, end, step } => Self::Metric(wire::MetricQuestion {
                query,
                start_ns: start.nanos(),
                end_ns: end.nanos(),
                step_ns: to_span(step),
            }),
            Question::Labels { query, any_of } => {
                Self::Labels(wire::LabelsQuestion { query: Some(query.into()), any_of: to_list(any_of) })
            }
            Question::Volume { any_of, target_labels, by_label_names, step } => {
                Self::Volume(wire::VolumeQuestion {
                    any_of: to_list(any_of),
                    target_labels,
                    by_label_names,
                    step_ns: to_span(step),
                })
            }
            Question::Stats { any_of } => Self::Stats(wire::StatsQuestion { any_of: to_list(any_of) }),
            Question::Estimate { any_of } => {
                Self::Estimate(wire::EstimateQuestion { any_of: to_list(any_of) })
            }
            Question::Patterns { any_of, step } => {
                Self::Patterns(wire::PatternsQuestion { any_of: to_list(any_of), step_ns: to_span(step) })
            }
        }
    }
}

fn metric(question: wire::query::MetricQuestion) -> Result<Question, InvalidMessage> {
    let (start, end) = range(question.start_ns, question.end_ns)?;
    let step = span("step_ns", question.step_ns)?;
    if step.is_zero() && start != end {
        return Err(InvalidMessage::new("step_ns", "0 for more than one instant"));
    }
    Ok(Question::Metric { query: question.query, start, end, step })
}

fn patterns(question: wire::query::PatternsQuestion) -> Result<Question, InvalidMessage> {
    let step = span("step_ns", question.step_ns)?;
    if step.is_zero() {
        return Err(InvalidMessage::new("step_ns", "0"));
    }
    Ok(Question::Patterns { any_of: list("any_of", question.any_of)?, step })
}

fn volume(question: wire::query::VolumeQuestion) -> Result<Question, InvalidMessage> {
    Ok(Question::Volume {
        any_of: list("any_of", question.any_of)?,
        target_labels: question.target_labels,
        by_label_names: question.by_label_names,
        step: span("step_ns", question.step_ns)?,
    })
}

fn labels(question: wire::query::LabelsQuestion) -> Result<Question, InvalidMessage> {
    Ok(Question::Labels {
        query: required("query", question.query)?,
        any_of: list("any_of", question.any_of)?,
    })
}

fn logs(question: wire::query::LogsQuestion) -> Result<Question, InvalidMessage> {
    let direction = direction("direction", question.direction)?;
    Ok(Question::Logs { query: question.query, direction, limit: question.limit })
}

impl TryFrom<wire::query::piece::Question> for Question {
    type Error = InvalidMessage;

    fn try_from(question: wire::query::piece::Question) -> Result<Self, InvalidMessage> {
        use wire::query::piece::Question as Wire;
        match question {
            Wire::Logs(question) => logs(question).map_err(|error| error.inside("logs")),
            Wire::Metric(question) => metric(question).map_err(|error| error.inside("metric")),
            Wire::Labels(question) => labels(question).map_err(|error| error.inside("labels")),
            Wire::Volume(question) => volume(question).map_err(|error| error.inside("volume")),
            Wire::Stats(question) => {
                let any_of = list("any_of", question.any_of).map_err(|error| error.inside("stats"))?;
                Ok(Self::Stats { any_of })
            }
            Wire::Estimate(question) => {
                let any_of = list("any_of", question.any_of).map_err(|error| error.inside("estimate"))?;
                Ok(Self::Estimate { any_of })
            }
            Wire::Patterns(question) => patterns(question).map_err(|error| error.inside("patterns")),
        }
    }
}

impl From<Piece> for wire::query::Piece {
    fn from(piece: Piece) -> Self {
        Self {
            id: piece.id.0,
            tenants: to_list(piece.tenants),
            question: Some(piece.question.into()),
            start_ns: piece.start.nanos(),
            end_ns: piece.end.nanos(),
            shard: to_shard(piece.shard),
            time_left_ns: to_nanos(piece.time_left),
            request_id: piece.request.as_str().to_owned(),
            traceparent: piece.trace.to_string(),
            max_bytes: piece.max_bytes,
            max_series: piece.max_series,
            query_tags: piece.query_tags,
            no_cache: piece.no_cache,
            keeps_answer: piece.keeps_answer,
            kept: piece.kept.map(|key| wire::query::CacheFacts { key: to_id(key) }),
        }
    }
}

impl TryFrom<wire::query::Piece> for Piece {
    type Error = InvalidMessage;

    fn try_from(piece: wire::query::Piece) -> Result<Self, InvalidMessage> {
        if piece.tenants.is_empty() {
            return Err(missing("tenants"));
        }
        let (start, end) = range(piece.start_ns, piece.end_ns)?;
        let request = piece.request_id.parse();
        let trace = piece.traceparent.parse();
        Ok(Self {
            id: PieceId(piece.id),
            tenants: list("tenants", piece.tenants)?,
            question: piece.question.ok_or_else(|| missing("question"))?.try_into()?,
            start,
            end,
            shard: shard("shard", piece.shard)?,
            time_left: Duration::from_nanos(piece.time_left_ns),
            request: request.map_err(|error| InvalidMessage::new("request_id", format!("{error}")))?,
            trace: trace.map_err(|error| InvalidMessage::new("traceparent", format!("{error}")))?,
            max_bytes: piece.max_bytes,
            max_series: piece.max_series,
            query_tags: piece.query_tags,
            no_cache: piece.no_cache,
            keeps_answer: piece.keeps_answer,
            kept: cache_key("kept", piece.kept)?,
        })
    }
}
