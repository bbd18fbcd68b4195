//! What an ingester counts.

use std::sync::Arc;

use larch_telemetry::{Counter, Family, Gauge, Registry, Sample, Spec};
use larch_types::TenantId;

use crate::node::Node;
use crate::tenant::{Duplicates, Tenant};

#[derive(Clone)]
pub(crate) struct Metrics {
    duplicate_bytes: Family<Counter, 1>,
    pub(crate) replay_active: Gauge,
    pub(crate) recovered_rows: Counter,
    pub(crate) recovered_bytes: Counter,
    pub(crate) unreadable_records: Counter,
    pub(crate) cuts: Counter,
    pub(crate) failed_cuts: Counter,
}

impl Metrics {
    pub(crate) fn new(registry: &Registry) -> Self {
        let replay_active = registry.gauge(Spec {
            name: "loki_ingester_wal_replay_active",
            help: "Whether the log is being read back.",
            labels: [],
        });
        Self {
            duplicate_bytes: registry.counter(Spec {
                name: "loki_ingester_duplicate_log_bytes_total",
                help: "Line bytes of rows that were there already.",
                labels: ["tenant"],
            }),
            replay_active: replay_active.with([]),
            recovered_rows: counter(
                registry,
                "loki_ingester_wal_recovered_entries_total",
                "Rows read back from the log.",
            ),
            recovered_bytes: counter(
                registry,
                "loki_ingester_wal_recovered_bytes_total",
                "Bytes read back from the log.",
            ),
            unreadable_records: counter(
                registry,
                "larch_ingester_unreadable_records_total",
                "Records of the log that are whole and mean nothing.",
            ),
            cuts: counter(
                registry,
                "larch_ingester_cuts_total",
                "Times that a tenant's rows went from memory into segment files.",
            ),
            failed_cuts: counter(registry, "larch_ingester_failed_cuts_total", "Times that they could not."),
        }
    }

    pub(crate) fn count_applied(&self, tenant: &TenantId, duplicates: &[Duplicates]) {
        let bytes: u64 = duplicates.iter().map(|one| one.bytes).sum();
        if bytes > 0 {
            self.duplicate_bytes.with([tenant.as_str()]).add(bytes);
        }
    }
}

/// What the node holds, looked at when it is asked for.
pub(crate) fn show_holdings(registry: &Registry, node: &Arc<Node>) {
    let weak = Arc::downgrade(node);
    let streams = Spec {
        name: "loki_ingester_memory_streams",
        help: "Streams that were pushed to a while ago.",
        labels: ["tenant"],
    };
    registry.gauge_fn(streams, move || {
        let Some(node) = weak.upgrade() else { return Vec::new() };
        let sample = |tenant: &Arc<Tenant>| -> Sample<1> {
            ([tenant.id.as_str().to_owned()], tenant.streams.len() as f64)
        };
        node.tenants.all().iter().map(sample).collect()
    });
    let weak = Arc::downgrade(node);
    let files =
        Spec { name: "larch_ingester_segment_files", help: "Segment files beside the log.", labels: [] };
    registry.gauge_fn(files, move || {
        let Some(node) = weak.upgrade() else { return Vec::new() };
        let files: usize = node.tenants.all().iter().map(|tenant| tenant.shelf.holdings().files).sum();
        vec![([], files as f64)]
    });
    let weak = Arc::downgrade(node);
    let memory = Spec {
        name: "larch_ingester_memory_bytes",
        help: "What rows in memory take, with their tables.",
        labels: [],
    };
    registry.gauge_fn(memory, move || {
        let Some(node) = weak.upgrade() else { return Vec::new() };
        vec![([], node.held_bytes() as f64)]
    });
}

fn counter(registry: &Registry, name: &'static str, help: &'static str) -> Counter {
    registry.counter(Spec { name, help, labels: [] }).with([])
}
