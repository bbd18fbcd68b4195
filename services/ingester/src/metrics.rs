//! What an ingester counts.

use std::time::Duration;

use larch_proto::WalPosition;
use larch_store::index_requests;
use larch_telemetry::{Counter, Family, Histogram, Registry, Spec};
use larch_types::TenantId;
use tracing::error;

use crate::checkpoints::CheckpointMetrics;
use crate::cut_metrics::CutMetrics;
use crate::replay_metrics::ReplayMetrics;
use crate::standing::Standing;
use crate::tenant::Duplicates;

#[derive(Clone)]
pub(crate) struct Metrics {
    duplicate_bytes: Family<Counter, 1>,
    pub(crate) replay: ReplayMetrics,
    pub(crate) cuts: Counter,
    pub(crate) cut: CutMetrics,
    pub(crate) checkpoints: CheckpointMetrics,
    pub(crate) standing: Standing,
    pub(crate) carried_bytes: Counter,
    pub(crate) failed_cuts: Counter,
    pub(crate) upload_tries: Counter,
    pub(crate) failed_uploads: Counter,
    uploaded: Family<Counter, 1>,
    uploaded_bytes: Family<Counter, 1>,
    stored: Family<Counter, 1>,
    stored_bytes: Family<Counter, 1>,
    announcing: Family<Histogram, 2>,
    segment_bytes: Histogram,
    upload_wait: Histogram,
}

impl Metrics {
    pub(crate) fn new(registry: &Registry) -> Self {
        Self {
            duplicate_bytes: registry.counter(Spec {
                name: "loki_ingester_duplicate_log_bytes_total",
                help: "Line bytes of rows that were there already.",
                labels: ["tenant"],
            }),
            replay: ReplayMetrics::new(registry),
            cut: CutMetrics::new(registry),
            checkpoints: CheckpointMetrics::new(registry),
            standing: Standing::new(registry),
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
            stored: registry.counter(Spec {
                name: "loki_chunk_store_stored_chunks_total",
                help: "Segments that were put into the store.",
                labels: ["user"],
            }),
            stored_bytes: registry.counter(Spec {
                name: "loki_chunk_store_stored_chunk_bytes_total",
                help: "Bytes of segments that were put into the store.",
                labels: ["user"],
            }),
            announcing: index_requests(registry),
            segment_bytes: segment_bytes(registry),
            upload_wait: upload_wait(registry),
        }
    }

    /// A segment is in the store, so long after its rows were cut.
    pub(crate) fn count_uploaded(&self, tenant: &TenantId, bytes: u64, waited: Duration) {
        self.uploaded.with([tenant.as_str()]).inc();
        self.uploaded_bytes.with([tenant.as_str()]).add(bytes);
        self.stored.with([tenant.as_str()]).inc();
        self.stored_bytes.with([tenant.as_str()]).add(bytes);
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
            self.replay.unreadable_records.inc();
            error!(%tenant, position = position.0, rows, "rows of the log that no segment can hold are left out");
        }
    }

    /// The catalog was told of a segment, or could not be.
    pub(crate) fn count_announced(&self, status: u16, took: Duration) {
        self.announcing.with(["index_chunk", &status.to_string()]).observe_duration(took);
    }

    pub(crate) fn count_applied(&self, tenant: &TenantId, duplicates: &[Duplicates]) {
        let bytes: u64 = duplicates.iter().map(|one| one.bytes).sum();
        if bytes > 0 {
            self.duplicate_bytes.with([tenant.as_str()]).add(bytes);
        }
    }
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

fn carried_bytes(registry: &Registry) -> Counter {
    let help =
        "Bytes of records that were written again at the end of the log, so that an old file of it could go.";
    counter(registry, "larch_ingester_carried_bytes_total", help)
}

fn counter(registry: &Registry, name: &'static str, help: &'static str) -> Counter {
    registry.counter(Spec { name, help, labels: [] }).with([])
}
