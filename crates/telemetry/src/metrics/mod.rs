//! Metrics: typed handles that are declared once with a fixed set of label names, an inventory of what
//! was declared, and the two text formats that scrapers ask for.

mod accept;
mod callback;
mod counter;
mod encode;
mod family;
mod gauge;
mod histogram;
mod inventory;
mod process;
mod registry;
mod spec;
mod standard;
mod summary;
#[cfg(test)]
mod tests;

pub use accept::{Format, fuzz_accept};
pub use callback::Sample;
pub use counter::{Counter, FloatCounter};
pub use family::{Family, MAX_LABEL_VALUE_BYTES, MAX_SERIES, OVERFLOW_VALUE};
pub use gauge::{FloatGauge, Gauge, Held};
pub use histogram::{DURATION_BUCKETS, Histogram};
pub use inventory::{inventory_json, inventory_table};
pub use process::register_process_metrics;
pub use registry::Registry;
pub use spec::{InvalidNamespace, MetricInfo, MetricKind, Namespace, Spec};
pub use standard::{BuildInfo, panics, register_build_info, register_go_aliases};
pub(crate) use standard::{dropped_log_lines, internal_log_messages};
pub use summary::Summary;
