//! The querier: runs pieces of queries over ingesters and segments.

mod settings;

pub use settings::{EngineSettings, FrontendWorkerSettings, QuerierSettings};
