//! The compactor: merges segments, applies retention and deletes, sweeps.

mod role;
mod settings;

pub use role::{Config, role};
pub use settings::CompactorSettings;
