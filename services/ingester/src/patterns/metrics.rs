//! What a miner counts. Names that dashboards know stay as they are.

use std::sync::Arc;

use larch_telemetry::{Counter, Family, Registry, Spec};
use larch_types::TenantId;

use super::Patterns;
use super::tokens::Format;

#[derive(Debug, Clone)]
pub(super) struct Metrics {
    appends: Family<Counter, 1>,
    detected: Family<Counter, 2>,
    evicted: Family<Counter, 2>,
    dropped: Family<Counter, 2>,
}

/// Why lines are not in patterns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Dropped {
    /// Too many lines wait already.
    Queue,
    TooLong,
    NotText,
    TooFewTokens,
    TooManyTokens,
    NoField,
    TooManyLevels,
    /// Too old, or of the future.
    Time,
    /// The stream's patterns pushed one another out.
    Paused,
    /// There is no memory left for patterns.
    Full,
}

impl Dropped {
    const fn name(self) -> &'static str {
        match self {
            Self::Queue => "queue_full",
            Self::TooLong => "line_too_long",
            Self::NotText => "not_utf8",
            Self::TooFewTokens => "too_few_tokens",
            Self::TooManyTokens => "too_many_tokens",
            Self::NoField => "no_tokenizable_field",
            Self::TooManyLevels => "too_many_levels",
            Self::Time => "out_of_time_range",
            Self::Paused => "training_paused",
            Self::Full => "memory_full",
        }
    }
}

impl Metrics {
    pub(super) fn new(registry: &Registry) -> Self {
        Self {
            appends: registry.counter(Spec {
                name: "loki_pattern_ingester_appends_total",
                help: "Batches of lines that were mined for patterns.",
                labels: ["tenant"],
            }),
            detected: registry.counter(Spec {
                name: "loki_pattern_ingester_patterns_detected_total",
                help: "Patterns that were found.",
                labels: ["tenant", "format"],
            }),
            evicted: registry.counter(Spec {
                name: "loki_pattern_ingester_patterns_evicted_total",
                help: "Patterns that were pushed out by others.",
                labels: ["tenant", "format"],
            }),
            dropped: registry.counter(Spec {
                name: "loki_pattern_ingester_patterns_dropped_total",
                help: "Lines that no pattern counts, by reason.",
                labels: ["tenant", "reason"],
            }),
        }
    }

    pub(super) fn count_append(&self, tenant: &TenantId) {
        self.appends.with([tenant.as_str()]).inc();
    }

    pub(super) fn count_new(&self, tenant: &TenantId, format: Format, evicted: bool) {
        let labels = [tenant.as_str(), format.name()];
        self.detected.with(labels).inc();
        if evicted {
            self.evicted.with(labels).inc();
        }
    }

    pub(super) fn count_dropped(&self, tenant: &TenantId, why: Dropped, lines: u64) {
        self.dropped.with([tenant.as_str(), why.name()]).add(lines);
    }
}

/// What is held, looked at when it is asked for.
pub(super) fn show_extent(registry: &Registry, patterns: &Arc<Patterns>) {
    let weak = Arc::downgrade(patterns);
    let active =
        Spec { name: "loki_pattern_ingester_patterns_active", help: "Patterns that are known.", labels: [] };
    registry.gauge_fn(active, move || {
        let Some(patterns) = weak.upgrade() else { return Vec::new() };
        vec![([], patterns.extent().patterns as f64)]
    });
    let weak = Arc::downgrade(patterns);
    let memory = Spec {
        name: "larch_pattern_ingester_memory_bytes",
        help: "What patterns take in memory, roughly.",
        labels: [],
    };
    registry.gauge_fn(memory, move || {
        let Some(patterns) = weak.upgrade() else { return Vec::new() };
        vec![([], patterns.extent().bytes as f64)]
    });
}
