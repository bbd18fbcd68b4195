//! The compactor: merges segments, applies retention and deletes, sweeps.

mod settings;

pub use settings::CompactorSettings;
