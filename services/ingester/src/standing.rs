//! What dashboards of Loki read about an ingester's place among others, and whether it is at work.

use larch_telemetry::{Gauge, Registry, Spec};

#[derive(Clone)]
pub(crate) struct Standing {
    /// It takes pushes, within limits.
    is_limiting: Gauge,
    /// The next stop flushes, because somebody asked for it.
    is_marked: Gauge,
}

impl Standing {
    /// Two of them stay 0 until a process learns of others: then members can be forgotten, and streams can
    /// have another owner than the one that has them.
    pub(crate) fn new(registry: &Registry) -> Self {
        let gauge = |name, help| registry.gauge(Spec { name, help, labels: [] }).with([]);
        registry
            .counter(Spec {
                name: "loki_ingester_autoforget_unhealthy_ingesters_total",
                help: "Ingesters that were forgotten because they were silent; 0 as long as a process knows no others.",
                labels: [],
            })
            .with([]);
        gauge(
            "loki_ingester_not_owned_streams",
            "Streams in memory that belong to another ingester by now; 0 as long as a process knows no others.",
        );
        Self {
            is_limiting: gauge(
                "loki_ingester_limiter_enabled",
                "Whether pushes are held against limits: always, but there are none while the log is read back.",
            ),
            is_marked: gauge(
                "loki_ingester_shutdown_marker",
                "Whether the next stop flushes because it was asked for, see /ingester/prepare_shutdown.",
            ),
        }
    }

    /// The log is read back.
    pub(crate) fn begin_limiting(&self) {
        self.is_limiting.set(1);
    }

    pub(crate) fn mark(&self, is_set: bool) {
        self.is_marked.set(i64::from(is_set));
    }
}
