//! What an ingester counts.

use std::sync::Arc;
use std::time::Duration;

use larch_proto::WalPosition;
use larch_telemetry::{Counter, Family, FloatGauge, Gauge, Histogram, Registry, Sample, Spec};
use larch_types::TenantId;
use tracing::error;

use crate::cut_metrics::CutMetrics;
use crate::node::Node;
use crate::streams::StreamCounts;
use crate::tenant::{Duplicates, Tenant};

#[derive(Clone)]
pub(crate) struct Metrics {
    duplicate_bytes: Family<Counter, 1>,
    pub(crate) replay_active: Gauge,
    pub(crate) replay_flushing: Gauge,
    pub(crate) recovered_rows: Counter,
    pub(crate) recovered_bytes: Counter,
    pub(crate) recovered_duplicates: Counter,
    pub(crate) unreadable_records: Counter,
    pub(crate) cuts: Counter,
    pub(crate) cut: CutMetrics,
    pub(crate) replay_seconds: FloatGauge,
    pub(crate) recovered_streams: Counter,
    pub(crate) carried_bytes: Counter,
    pub(crate) failed_cuts: Counter,
    pub(crate) upload_tries: Counter,
    pub(crate) failed_uploads: Counter,
    uploaded: Family<Counter, 1>,
    uploaded_bytes: Family<Counter, 1>,
    segment_bytes: Histogram,
    upload_wait: Histogram,
}

impl Metrics {
    pub(crate) fn new(registry: &Registry) -> Self {
        let gauge = |name, help| registry.gauge(Spec { name, help, labels: [] }).with([]);
        Self {
            duplicate_bytes: registry.counter(Spec {
                name: "loki_ingester_duplicate_log_bytes_total",
                help: "Line bytes of rows that were there already.",
                labels: ["tenant"],
            }),
            replay_active: gauge("loki_ingester_wal_replay_active", "Whether the log is being read back."),
            replay_flushing: gauge(
                "loki_ingester_wal_replay_flushing",
                "Whether rows are cut because those read back take more memory than they may.",
            ),
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
            recovered_duplicates: counter(
                registry,
                "loki_ingester_wal_duplicate_entries_total",
                "Rows read back from the log that were there already.",
            ),
            unreadable_records: counter(
                registry,
                "larch_ingester_unreadable_records_total",
                "Records of the log that are whole, and mean nothing or have rows that no segment can hold.",
            ),
            cut: CutMetrics::new(registry),
            replay_seconds: replay_seconds(registry),
            recovered_streams: recovered_streams(registry),
            cuts: counter(
                registry,
                "larch_ingester_cuts_total",
                "Times that a tenant's rows went from memory into segment files.",
            ),
            carried_bytes: carried_bytes(registry),
            failed_cuts: counter(registry, "larch_ingester_failed_cuts_total", "Times that they could not."),
            upload_tries: counter(
                registry,
                "loki_ingester_chunks_flush_requests_total",
                "Times that it was tried to upload a segment.",
            ),
            failed_uploads: counter(
                registry,
                "loki_ingester_chunks_flush_failures_total",
                "Times that it could not be uploaded.",
            ),
            uploaded: registry.counter(Spec {
                name: "loki_ingester_chunks_stored_total",
                help: "Segments that were uploaded and announced.",
                labels: ["tenant"],
            }),
            uploaded_bytes: registry.counter(Spec {
                name: "loki_ingester_chunk_stored_bytes_total",
                help: "Bytes of segments that were uploaded and announced.",
                labels: ["tenant"],
            }),
            segment_bytes: segment_bytes(registry),
            upload_wait: upload_wait(registry),
        }
    }

    /// A segment is in the store, so long after its rows were cut.
    pub(crate) fn count_uploaded(&self, tenant: &TenantId, bytes: u64, waited: Duration) {
        self.uploaded.with([tenant.as_str()]).inc();
        self.uploaded_bytes.with([tenant.as_str()]).add(bytes);
        self.segment_bytes.observe(bytes as f64);
        self.upload_wait.observe_duration(waited);
    }

    /// A tenant that comes back counts anew.
    pub(crate) fn forget_tenant(&self, tenant: &TenantId) {
        for family in [&self.duplicate_bytes, &self.uploaded, &self.uploaded_bytes] {
            family.remove([tenant.as_str()]);
        }
    }

    /// Rows of a record of the log that can be neither read nor stored.
    pub(crate) fn count_unfit(&self, tenant: &TenantId, position: WalPosition, rows: u64) {
        if rows > 0 {
            self.unreadable_records.inc();
            error!(%tenant, position = position.0, rows, "rows of the log that no segment can hold are left out");
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
    show_streams(registry, node);
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

fn show_streams(registry: &Registry, node: &Arc<Node>) {
    let weak = Arc::downgrade(node);
    let chunks = Spec {
        name: "loki_ingester_memory_chunks",
        help: "Streams that have rows in memory: each is one open chunk, as Loki counts.",
        labels: [],
    };
    registry.gauge_fn(chunks, move || {
        let Some(node) = weak.upgrade() else { return Vec::new() };
        let streams: usize = node.tenants.all().iter().map(|tenant| tenant.shelf.holdings().streams).sum();
        vec![([], streams as f64)]
    });
    let by_tenant = |number: fn(StreamCounts) -> f64| {
        let weak = Arc::downgrade(node);
        move || {
            let Some(node) = weak.upgrade() else { return Vec::new() };
            let sample = |tenant: &Arc<Tenant>| -> Sample<1> {
                ([tenant.id.as_str().to_owned()], number(tenant.streams.counts()))
            };
            node.tenants.all().iter().map(sample).collect()
        }
    };
    let streams = Spec {
        name: "loki_ingester_memory_streams",
        help: "Streams that were pushed to a while ago.",
        labels: ["tenant"],
    };
    registry.gauge_fn(streams, by_tenant(|counts| counts.active as f64));
    let created = Spec {
        name: "loki_ingester_streams_created_total",
        help: "Streams that were pushed to for the first time, or for the first time in a while.",
        labels: ["tenant"],
    };
    registry.counter_fn(created, by_tenant(|counts| counts.created as f64));
    let removed = Spec {
        name: "loki_ingester_streams_removed_total",
        help: "Streams that were not pushed to for a while.",
        labels: ["tenant"],
    };
    registry.counter_fn(removed, by_tenant(|counts| counts.removed as f64));
    let weak = Arc::downgrade(node);
    let labels = Spec {
        name: "loki_ingester_memory_streams_labels_bytes",
        help: "Bytes of the labels of these streams.",
        labels: [],
    };
    registry.gauge_fn(labels, move || {
        let Some(node) = weak.upgrade() else { return Vec::new() };
        let bytes: u64 = node.tenants.all().iter().map(|tenant| tenant.streams.counts().label_bytes).sum();
        vec![([], bytes as f64)]
    });
}

/// Tenants whose rows cannot be cut: somebody has to look why.
pub(crate) fn show_set_aside(registry: &Registry, node: &Arc<Node>) {
    let weak = Arc::downgrade(node);
    let tenants = Spec {
        name: "larch_ingester_set_aside_tenants",
        help: "Tenants whose rows cannot be cut and are set aside in files; they take no more rows.",
        labels: [],
    };
    registry.gauge_fn(tenants, move || {
        let Some(node) = weak.upgrade() else { return Vec::new() };
        let aside = node.tenants.all().iter().filter(|tenant| tenant.shelf.holdings().aside > 0).count();
        vec![([], aside as f64)]
    });
    let weak = Arc::downgrade(node);
    let bytes = Spec {
        name: "larch_ingester_set_aside_bytes",
        help: "Bytes of files of rows that cannot be cut.",
        labels: [],
    };
    registry.gauge_fn(bytes, move || {
        let Some(node) = weak.upgrade() else { return Vec::new() };
        vec![([], node.aside.used() as f64)]
    });
}

/// What is not in the store yet.
pub(crate) fn show_waiting(registry: &Registry, node: &Arc<Node>) {
    let weak = Arc::downgrade(node);
    let length = Spec {
        name: "loki_ingester_flush_queue_length",
        help: "Segment files that wait for their upload.",
        labels: [],
    };
    registry.gauge_fn(length, move || {
        let Some(node) = weak.upgrade() else { return Vec::new() };
        let files: usize = node.tenants.all().iter().map(|tenant| tenant.shelf.holdings().files).sum();
        vec![([], files as f64)]
    });
    let weak = Arc::downgrade(node);
    let bytes = Spec {
        name: "larch_ingester_segment_file_bytes",
        help: "Bytes of segment files beside the log: those that wait for their upload, and those that are uploaded.",
        labels: ["state"],
    };
    registry.gauge_fn(bytes, move || {
        let Some(node) = weak.upgrade() else { return Vec::new() };
        let (waiting, uploaded) = (node.disk.waiting() as f64, node.disk.uploaded() as f64);
        vec![(["waiting".to_owned()], waiting), (["uploaded".to_owned()], uploaded)]
    });
    let weak = Arc::downgrade(node);
    let age = Spec {
        name: "larch_ingester_oldest_waiting_seconds",
        help: "For how long the oldest segment file has waited for its upload; 0 if none waits.",
        labels: [],
    };
    registry.gauge_fn(age, move || {
        let Some(node) = weak.upgrade() else { return Vec::new() };
        let files = node.tenants.all().into_iter().flat_map(|tenant| tenant.shelf.files());
        let oldest = files.map(|file| file.since).min();
        let age = oldest.map(|since| node.env.clock.monotonic().since(since)).unwrap_or_default();
        vec![([], age.as_secs_f64())]
    });
}

fn segment_bytes(registry: &Registry) -> Histogram {
    let spec =
        Spec { name: "loki_ingester_chunk_size_bytes", help: "Bytes of uploaded segments.", labels: [] };
    // Those of Loki, whose chunks are smaller, and on to what a cut of full size makes.
    let bounds: Vec<f64> = (0..14).map(|power| f64::from(20_000 * (1 << power))).collect();
    registry.histogram(spec, &bounds).with([])
}

fn upload_wait(registry: &Registry) -> Histogram {
    let spec = Spec {
        name: "larch_ingester_upload_wait_seconds",
        help: "From when a segment file is there until its segment is announced.",
        labels: [],
    };
    // A second where the store is near, hours if it was away.
    registry.histogram(spec, &[0.1, 0.5, 1.0, 5.0, 15.0, 60.0, 300.0, 900.0, 3600.0, 14_400.0]).with([])
}

fn replay_seconds(registry: &Registry) -> FloatGauge {
    let spec = Spec {
        name: "loki_ingester_wal_replay_duration_seconds",
        help: "How long the log was read back when the process started.",
        labels: [],
    };
    registry.float_gauge(spec).with([])
}

fn carried_bytes(registry: &Registry) -> Counter {
    let help =
        "Bytes of records that were written again at the end of the log, so that an old file of it could go.";
    counter(registry, "larch_ingester_carried_bytes_total", help)
}

fn recovered_streams(registry: &Registry) -> Counter {
    counter(registry, "loki_ingester_wal_recovered_streams_total", "Streams read back from the log.")
}

fn counter(registry: &Registry, name: &'static str, help: &'static str) -> Counter {
    registry.counter(Spec { name, help, labels: [] }).with([])
}
