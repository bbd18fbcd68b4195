//! Settings of the query frontend: `query_range`, `frontend` and `query_scheduler`, whose queue is part
//! of the frontend here.

mod frontend;
mod query_range;
mod scheduler;

pub use frontend::FrontendSettings;
pub use query_range::{CacheCompression, QueryRangeSettings, ResultsCacheSettings};
pub use scheduler::QuerySchedulerSettings;

#[cfg(test)]
mod tests;
