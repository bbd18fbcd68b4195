//! The querier: runs pieces of queries over ingesters and segments, and follows rows as they arrive.
//!
//! It decides nothing about how a query is cut, keeps no rows, and answers whole or not at all: a part that
//! cannot be read fails the piece.

mod answer;
mod counted;
mod cpu;
mod deps;
mod metrics;
mod role;
mod rows;
mod settings;
mod tail;
mod worker;

#[cfg(test)]
mod tests;

pub use role::{Config, role};
pub use settings::{EngineSettings, FrontendWorkerSettings, QuerierSettings};
