//! The query-frontend: the query API. It parses and checks, cuts a question into pieces, queues them fairly
//! among tenants, and joins what workers bring.
//!
//! It reads no row itself and knows no ingester: whatever needs rows is a piece that a worker pulls.

mod check;
mod cut;
mod detect;
mod error;
mod frontend;
mod http;
mod join;
mod limits;
mod plan;
mod queue;
mod role;
mod run;
mod selectors;
mod settings;
mod tenants;
mod watch;

#[cfg(test)]
mod tests;

pub use role::{Config, role};
pub use settings::{
    CacheCompression, FrontendSettings, QueryRangeSettings, QuerySchedulerSettings, ResultsCacheSettings,
};
