//! The compactor: merges segments, applies retention and deletes, sweeps.

mod metrics;
mod module;
mod role;
mod settings;
mod sweep;

pub use role::{Config, role};
pub use settings::CompactorSettings;
