//! The querier: runs pieces of queries over ingesters and segments.

mod role;
mod settings;

pub use role::{Config, role};
pub use settings::{EngineSettings, FrontendWorkerSettings, QuerierSettings};
