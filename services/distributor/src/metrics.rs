//! What the distributor counts. Names and labels are those that dashboards of Loki read.

use larch_membership::{Members, Part};
use larch_proto::RefusalReason;
use larch_telemetry::{Counter, Family, Gauge, Histogram, Registry, Spec};
use larch_types::TenantId;

use crate::decode::Dialect;
use crate::head::{Form, Head, Wrapping};

/// Which protocol brought a push, as the label `format` has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Protocol {
    Loki,
    Otlp,
}

impl Protocol {
    const fn label(self) -> &'static str {
        match self {
            Self::Loki => "loki",
            Self::Otlp => "otlp",
        }
    }
}

/// How far a push has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stage {
    /// It came like this.
    BeforeCheck,
    /// Everything in it was left out.
    AfterCheck,
}

impl Stage {
    const fn label(self) -> &'static str {
        match self {
            Self::BeforeCheck => "pre-validation",
            Self::AfterCheck => "post-validation",
        }
    }
}

/// Why rows were not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reason {
    MissingLabels,
    LabelNames,
    LabelName,
    LabelValue,
    DuplicateLabel,
    EnforcedLabels,
    Blocked,
    BlockedPolicy,
    TooOld,
    TooNew,
    LineTooLong,
    MetadataDisallowed,
    MetadataTooLarge,
    MetadataTooMany,
    DeniedLabel,
    RateLimited,
    BodyTooLarge,
    InvalidLabels,
    StreamLimit,
    StreamRate,
}

impl From<RefusalReason> for Reason {
    fn from(reason: RefusalReason) -> Self {
        match reason {
            RefusalReason::StreamLimit => Self::StreamLimit,
            RefusalReason::StreamRate => Self::StreamRate,
        }
    }
}

impl Reason {
    pub(crate) const fn label(self) -> &'static str {
        match self {
            Self::MissingLabels => "missing_labels",
            Self::LabelNames => "max_label_names_per_series",
            Self::LabelName => "label_name_too_long",
            Self::LabelValue => "label_value_too_long",
            Self::DuplicateLabel => "duplicate_label_names",
            Self::EnforcedLabels => "missing_enforced_labels",
            Self::Blocked => "blocked_ingestion",
            Self::BlockedPolicy => "blocked_ingestion_policy",
            Self::TooOld => "greater_than_max_sample_age",
            Self::TooNew => "too_far_in_future",
            Self::LineTooLong => "line_too_long",
            Self::MetadataDisallowed => "disallowed_structured_metadata",
            Self::MetadataTooLarge => "structured_metadata_too_large",
            Self::MetadataTooMany => "structured_metadata_too_many",
            Self::DeniedLabel => "denied_label",
            Self::RateLimited => "rate_limited",
            Self::BodyTooLarge => "request_body_too_large",
            Self::InvalidLabels => "invalid_labels",
            Self::StreamLimit => "stream_limit",
            Self::StreamRate => "per_stream_rate_limit",
        }
    }
}

/// What a stream's rows are counted under.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Account<'s> {
    pub(crate) tenant: &'s TenantId,
    pub(crate) protocol: Protocol,
    pub(crate) retention_hours: &'s str,
    /// Empty if there is none.
    pub(crate) policy: &'s str,
    pub(crate) internal: bool,
}

/// Rows, and their lines and metadata.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Volume {
    pub(crate) rows: u64,
    pub(crate) line_bytes: u64,
    pub(crate) metadata_bytes: u64,
}

impl Volume {
    pub(crate) fn add(&mut self, other: Self) {
        self.rows += other.rows;
        self.line_bytes += other.line_bytes;
        self.metadata_bytes += other.metadata_bytes;
    }

    pub(crate) fn bytes(self) -> u64 {
        self.line_bytes + self.metadata_bytes
    }
}

#[derive(Debug, Clone)]
pub(crate) struct Metrics {
    bytes: Family<Counter, 5>,
    lines: Family<Counter, 4>,
    metadata_bytes: Family<Counter, 5>,
    expanded_bytes: Family<Counter, 2>,
    lag_ms: Family<Counter, 3>,
    discarded_rows: Family<Counter, 5>,
    discarded_bytes: Family<Counter, 5>,
    mutated_rows: Family<Counter, 2>,
    mutated_bytes: Family<Counter, 2>,
    sanitized: Family<Counter, 1>,
    parsed: Family<Counter, 5>,
    without_streams: Family<Counter, 2>,
    pub(crate) bytes_per_line: Histogram,
    pub(crate) appends: Family<Counter, 1>,
    pub(crate) append_failures: Family<Counter, 1>,
    pub(crate) append_timeouts: Family<Counter, 1>,
    pub(crate) append_seconds: Family<Histogram, 2>,
    pub(crate) replication_factor: Gauge,
    /// Labels that a tenant's rules took out.
    pub(crate) denied_labels: Family<Counter, 1>,
}

impl Metrics {
    pub(crate) fn new(metrics: &Registry) -> Self {
        Self {
            bytes: metrics.counter(BYTES),
            lines: metrics.counter(LINES),
            metadata_bytes: metrics.counter(METADATA_BYTES),
            expanded_bytes: metrics.counter(EXPANDED_BYTES),
            lag_ms: metrics.counter(LAG),
            discarded_rows: metrics.counter(DISCARDED_ROWS),
            discarded_bytes: metrics.counter(DISCARDED_BYTES),
            mutated_rows: metrics.counter(MUTATED_ROWS),
            mutated_bytes: metrics.counter(MUTATED_BYTES),
            sanitized: metrics.counter(SANITIZED),
            parsed: metrics.counter(PARSED),
            without_streams: metrics.counter(WITHOUT_STREAMS),
            bytes_per_line: metrics.histogram(BYTES_PER_LINE, &LINE_BUCKETS).with([]),
            appends: metrics.counter(APPENDS),
            append_failures: metrics.counter(APPEND_FAILURES),
            append_timeouts: metrics.counter(APPEND_TIMEOUTS),
            append_seconds: metrics.histogram(APPEND_SECONDS, &APPEND_BUCKETS),
            replication_factor: metrics.gauge(REPLICATION_FACTOR).with([]),
            denied_labels: metrics.counter(DENIED_LABELS),
        }
    }

    /// Counts rows as they came, before anything of them is refused.
    pub(crate) fn received(&self, account: Account<'_>, volume: Volume) {
        let Account { tenant, protocol, retention_hours, policy, internal } = account;
        let (tenant, format) = (tenant.as_str(), protocol.label());
        let internal = if internal { "true" } else { "false" };
        let labels = [tenant, retention_hours, internal, policy, format];
        self.bytes.with(labels).add(volume.bytes());
        if volume.metadata_bytes > 0 {
            self.metadata_bytes.with(labels).add(volume.metadata_bytes);
        }
        self.lines.with([tenant, internal, policy, format]).add(volume.rows);
    }

    pub(crate) fn discarded(&self, account: Account<'_>, reason: Reason, volume: Volume) {
        let Account { tenant, protocol, retention_hours, policy, .. } = account;
        let labels = [reason.label(), tenant.as_str(), retention_hours, policy, protocol.label()];
        self.discarded_rows.with(labels).add(volume.rows);
        self.discarded_bytes.with(labels).add(volume.bytes());
    }

    /// Counts lines that were cut, and the bytes that were cut off.
    pub(crate) fn mutated(&self, tenant: &TenantId, rows: u64, bytes: u64) {
        let labels = [Reason::LineTooLong.label(), tenant.as_str()];
        self.mutated_rows.with(labels).add(rows);
        self.mutated_bytes.with(labels).add(bytes);
    }

    /// Counts values of metadata that were not UTF-8.
    pub(crate) fn sanitized(&self, tenant: &TenantId, values: u64) {
        self.sanitized.with([tenant.as_str()]).add(values);
    }

    /// Counts a push that could be read, by its form.
    pub(crate) fn parsed(&self, tenant: &TenantId, head: &Head) {
        let (content_type, version) = match head.form {
            Form::Json(Dialect::V1) => ("application/json", "v1"),
            Form::Json(Dialect::Legacy) => ("application/json", "legacy"),
            Form::OtlpJson => ("application/json", ""),
            Form::Protobuf | Form::Message | Form::OtlpProtobuf => ("application/x-protobuf", ""),
        };
        let encoding = match (head.wrapping, head.form) {
            (Wrapping::Gzip, _) => "gzip",
            (Wrapping::Deflate, _) => "deflate",
            (Wrapping::Zstd, _) => "zstd",
            (Wrapping::Lz4, _) => "lz4",
            (Wrapping::None, Form::Protobuf) => "snappy",
            (Wrapping::None, _) => "",
        };
        let labels = [tenant.as_str(), content_type, encoding, version, head.protocol.label()];
        self.parsed.with(labels).inc();
    }

    /// Counts a push that has no stream, at that stage of its way.
    pub(crate) fn without_streams(&self, tenant: &TenantId, stage: Stage) {
        self.without_streams.with([tenant.as_str(), stage.label()]).inc();
    }

    pub(crate) fn expanded(&self, tenant: &TenantId, protocol: Protocol, bytes: u64) {
        self.expanded_bytes.with([tenant.as_str(), protocol.label()]).add(bytes);
    }

    pub(crate) fn lag(&self, tenant: &TenantId, user_agent: &str, protocol: Protocol, millis: u64) {
        self.lag_ms.with([tenant.as_str(), user_agent, protocol.label()]).add(millis);
    }
}

/// Shows how many ingesters there are when it is asked for.
pub(crate) fn show_ingesters(metrics: &Registry, members: Members) {
    let count = move || vec![([], members.view().of(Part::Ingester).count() as f64)];
    metrics.gauge_fn(INGESTER_CLIENTS, count);
}

/// From one byte to 2 MiB.
const LINE_BUCKETS: [f64; 8] = [1.0, 8.0, 64.0, 512.0, 4096.0, 32768.0, 262144.0, 2097152.0];

const BYTES: Spec<5> = Spec {
    name: "loki_distributor_bytes_received_total",
    help: "Bytes of lines and structured metadata in pushes.",
    labels: ["tenant", "retention_hours", "is_internal_stream", "policy", "format"],
};
const LINES: Spec<4> = Spec {
    name: "loki_distributor_lines_received_total",
    help: "Lines in pushes.",
    labels: ["tenant", "is_internal_stream", "policy", "format"],
};
const METADATA_BYTES: Spec<5> = Spec {
    name: "loki_distributor_structured_metadata_bytes_received_total",
    help: "Bytes of structured metadata in pushes.",
    labels: ["tenant", "retention_hours", "is_internal_stream", "policy", "format"],
};
const EXPANDED_BYTES: Spec<2> = Spec {
    name: "loki_distributor_expanded_bytes_received_total",
    help: "Bytes of the bodies of pushes, once decompressed.",
    labels: ["tenant", "format"],
};
const LAG: Spec<3> = Spec {
    name: "loki_distributor_lag_ms_total",
    help: "Milliseconds between the newest line of a push and its arrival.",
    labels: ["tenant", "userAgent", "format"],
};
const DISCARDED_ROWS: Spec<5> = Spec {
    name: "loki_discarded_samples_total",
    help: "Lines that were pushed and not taken.",
    labels: ["reason", "tenant", "retention_hours", "policy", "format"],
};
const DISCARDED_BYTES: Spec<5> = Spec {
    name: "loki_discarded_bytes_total",
    help: "Bytes of lines and structured metadata that were pushed and not taken.",
    labels: ["reason", "tenant", "retention_hours", "policy", "format"],
};
const MUTATED_ROWS: Spec<2> = Spec {
    name: "loki_mutated_samples_total",
    help: "Lines that were changed when they were pushed.",
    labels: ["reason", "tenant"],
};
const MUTATED_BYTES: Spec<2> = Spec {
    name: "loki_mutated_bytes_total",
    help: "Bytes that were cut off lines when they were pushed.",
    labels: ["reason", "tenant"],
};
const SANITIZED: Spec<1> = Spec {
    name: "loki_distributor_push_structured_metadata_sanitized_total",
    help: "Values of structured metadata that were not UTF-8.",
    labels: ["tenant"],
};
const PARSED: Spec<5> = Spec {
    name: "loki_distributor_push_stats_count",
    help: "Pushes that could be read.",
    labels: ["tenant", "content_type", "content_encoding", "content_version", "format"],
};
const WITHOUT_STREAMS: Spec<2> = Spec {
    name: "loki_distributor_push_zero_streams_count",
    help: "Pushes without a stream, as they came (pre-validation) or when what breaks limits was left out (post-validation).",
    labels: ["tenant", "stage"],
};
const BYTES_PER_LINE: Spec<0> =
    Spec { name: "loki_bytes_per_line", help: "Bytes of a line in a push.", labels: [] };
const APPENDS: Spec<1> = Spec {
    name: "loki_distributor_ingester_appends_total",
    help: "Calls to an ingester with rows.",
    labels: ["ingester"],
};
const APPEND_FAILURES: Spec<1> = Spec {
    name: "loki_distributor_ingester_append_failures_total",
    help: "Calls to an ingester with rows that failed as a whole.",
    labels: ["ingester"],
};
const APPEND_TIMEOUTS: Spec<1> = Spec {
    name: "loki_distributor_ingester_append_timeouts_total",
    help: "Calls to an ingester with rows that took too long.",
    labels: ["ingester"],
};
const APPEND_SECONDS: Spec<2> = Spec {
    name: "loki_ingester_client_request_duration_seconds",
    help: "How long calls to ingesters took.",
    labels: ["operation", "status_code"],
};
const APPEND_BUCKETS: [f64; 6] = [0.001, 0.004, 0.016, 0.064, 0.256, 1.024];
const DENIED_LABELS: Spec<1> = Spec {
    name: "larch_distributor_denied_labels_total",
    help: "Labels of pushed streams that the tenant's label_rules denied.",
    labels: ["tenant"],
};
const INGESTER_CLIENTS: Spec<0> =
    Spec { name: "loki_distributor_ingester_clients", help: "Ingesters that are known.", labels: [] };
const REPLICATION_FACTOR: Spec<0> = Spec {
    name: "loki_distributor_replication_factor",
    help: "On how many ingesters every line should be.",
    labels: [],
};
