//! What Larch says about itself: logs, metrics with an inventory, traces.
//!
//! It does not serve anything; `larch-runtime` shows the metrics, and callers decide what to record.
//! Clock, randomness and spawning are the caller's; nothing here waits for whoever reads the logs, the
//! metrics or the spans. What the whole process shares is set by [`install`] alone.

mod install;
mod log;
mod metrics;
mod settings;
#[cfg(test)]
mod testing;
mod trace;

pub use install::{InstallError, Options, Telemetry, install};
pub use log::{
    Clock, LevelHandle, LogFormat, LogLevel, LogOptions, Throttle, UnknownLogFormat, UnknownLogLevel,
    subscriber_over,
};
pub use metrics::{
    BuildInfo, Counter, DURATION_BUCKETS, Family, FloatCounter, FloatGauge, Format, Gauge, Held, Histogram,
    InvalidNamespace, MAX_LABEL_VALUE_BYTES, MAX_SERIES, MetricInfo, MetricKind, Namespace, OVERFLOW_VALUE,
    Registry, Sample, Spec, Summary, fuzz_accept, inventory_json, inventory_table, panics,
    register_build_info, register_go_aliases, register_process_metrics,
};
pub use settings::TracingSettings;
pub use trace::{ExportTask, InvalidEndpoint, RandomIds, TraceOptions, join_trace, outgoing_trace};
