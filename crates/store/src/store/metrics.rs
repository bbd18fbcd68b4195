//! What requests to the store say of themselves. The names are those that dashboards of Loki read.

use std::future::Future;
use std::time::Duration;

use larch_telemetry::{Counter, DURATION_BUCKETS, Family, Histogram, Registry, Spec};

use super::Inner;
use super::attempt::Request;
use crate::backing::{Backing, Kind};
use crate::error::{Failure, Operation, StoreError};

pub(super) struct StoreMetrics {
    bucket: String,
    started: Family<Counter, 2>,
    failed: Family<Counter, 2>,
    duration: Family<Histogram, 2>,
    bytes: Family<Counter, 1>,
    retries: Family<Counter, 1>,
    /// Of single tries, under the name that the kind of store has on dashboards.
    tries: Option<Family<Histogram, 2>>,
}

const STARTED: Spec<2> = Spec {
    name: "loki_objstore_bucket_operations_total",
    help: "Operations on the object store.",
    labels: ["bucket", "operation"],
};
const FAILED: Spec<2> = Spec {
    name: "loki_objstore_bucket_operation_failures_total",
    help: "Operations on the object store that failed; that an object is missing is no failure.",
    labels: ["bucket", "operation"],
};
const DURATION: Spec<2> = Spec {
    name: "loki_objstore_bucket_operation_duration_seconds",
    help: "Duration of operations that succeeded, waits and further tries included.",
    labels: ["bucket", "operation"],
};
const BYTES: Spec<1> = Spec {
    name: "larch_store_bytes_total",
    help: "Bytes of objects that were read from the store or written to it.",
    labels: ["operation"],
};
const RETRIES: Spec<1> = Spec {
    name: "larch_store_retries_total",
    help: "Requests to the store that were tried again.",
    labels: ["operation"],
};

/// Those of Loki for this one metric: .025 to 2 seconds.
const TRY_BUCKETS: [f64; 7] = [0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.0];

impl StoreMetrics {
    pub(super) fn new(registry: &Registry, backing: &Backing) -> Self {
        let bucket = backing.bucket().to_owned();
        let (started, failed) = (registry.counter(STARTED), registry.counter(FAILED));
        // Shown from the start, so that the first failure is seen as an increase.
        for operation in OPERATIONS.map(name) {
            started.with([&bucket, operation]);
            failed.with([&bucket, operation]);
        }
        Self {
            bucket,
            started,
            failed,
            duration: registry.histogram(DURATION, &DURATION_BUCKETS),
            bytes: registry.counter(BYTES),
            retries: registry.counter(RETRIES),
            tries: tries(backing.kind()).map(|spec| registry.histogram(spec, &TRY_BUCKETS)),
        }
    }

    pub(super) fn retried(&self, operation: Operation) {
        self.retries.with([name(operation)]).inc();
    }

    pub(super) fn transferred(&self, operation: Operation, bytes: u64) {
        self.bytes.with([name(operation)]).add(bytes);
    }

    pub(super) fn tried(&self, operation: Operation, failure: Option<Failure>, took: Duration) {
        let Some(tries) = &self.tries else { return };
        let status = match failure {
            None => "200",
            Some(Failure::Missing) => "404",
            Some(Failure::Refused) => "403",
            Some(Failure::Short) => "416",
            Some(_) => "500",
        };
        tries.with([request_name(operation), status]).observe_duration(took);
    }
}

impl Inner {
    /// Counts an operation and its end.
    pub(super) async fn measured<T>(
        &self,
        request: Request<'_>,
        operation: impl Future<Output = Result<T, StoreError>>,
    ) -> Result<T, StoreError> {
        let labels = [self.metrics.bucket.as_str(), name(request.operation)];
        self.metrics.started.with(labels).inc();
        let start = self.env.clock.monotonic();
        let result = operation.await;
        match &result {
            Ok(_) => {
                let took = self.env.clock.monotonic().since(start);
                self.metrics.duration.with(labels).observe_duration(took);
            }
            Err(error) if error.is_missing() => {}
            Err(_) => self.metrics.failed.with(labels).inc(),
        }
        result
    }
}

const OPERATIONS: [Operation; 6] = [
    Operation::Put,
    Operation::Get,
    Operation::GetRange,
    Operation::Head,
    Operation::List,
    Operation::Delete,
];

fn name(operation: Operation) -> &'static str {
    match operation {
        Operation::Put => "upload",
        Operation::Get => "get",
        Operation::GetRange => "get_range",
        Operation::Head => "attributes",
        Operation::List => "iter",
        Operation::Delete => "delete",
    }
}

/// As dashboards call single requests, whichever store they go to.
fn request_name(operation: Operation) -> &'static str {
    match operation {
        Operation::Put => "S3.PutObject",
        Operation::Get | Operation::GetRange => "S3.GetObject",
        Operation::Head => "S3.HeadObject",
        Operation::List => "S3.ListObjects",
        Operation::Delete => "S3.DeleteObject",
    }
}

fn tries(kind: Kind) -> Option<Spec<2>> {
    let (name, help) = match kind {
        Kind::S3 => ("loki_s3_request_duration_seconds", "Duration of single requests to S3."),
        Kind::Gcs => {
            ("loki_gcs_request_duration_seconds", "Duration of single requests to Google Cloud Storage.")
        }
        Kind::Azure => {
            ("loki_azure_blob_request_duration_seconds", "Duration of single requests to Azure Blob Storage.")
        }
        Kind::Directory | Kind::Memory | Kind::Other => return None,
    };
    Some(Spec { name, help, labels: ["operation", "status_code"] })
}
