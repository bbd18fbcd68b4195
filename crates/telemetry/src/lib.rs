//! What Larch says about itself: logs, metrics with an inventory, traces.
//!
//! It does not serve anything; `larch-runtime` shows the metrics, and callers decide what to record.

mod install;
mod log;
mod metrics;
#[cfg(test)]
mod testing;

pub use install::{InstallError, Options, Telemetry, install};
pub use log::{
    Clock, LevelHandle, LogFormat, LogLevel, LogOptions, Throttle, UnknownLogFormat, UnknownLogLevel,
    subscriber_over,
};
pub use metrics::{
    BuildInfo, Counter, DURATION_BUCKETS, Family, FloatCounter, FloatGauge, Format, Gauge, Held, Histogram,
    InvalidNamespace, MAX_LABEL_VALUE_BYTES, MAX_SERIES, MetricInfo, MetricKind, Namespace, OVERFLOW_VALUE,
    Registry, Sample, Spec, fuzz_accept, internal_log_messages, inventory_json, inventory_table, panics,
    register_build_info, register_go_aliases, register_process_metrics,
};
