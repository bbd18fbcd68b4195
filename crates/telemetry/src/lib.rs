//! What Larch says about itself: logs, metrics with an inventory, traces.
//!
//! It does not serve anything; `larch-runtime` shows the metrics, and callers decide what to record.

mod settings;

pub use settings::TracingSettings;
