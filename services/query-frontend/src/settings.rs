//! Settings of the query frontend: `query_range`, `frontend` and `query_scheduler`, whose queue is part
//! of the frontend here.

mod frontend;
mod idle;
mod query_range;
mod scheduler;

pub use frontend::FrontendSettings;
pub(crate) use idle::all_without_effect;
pub use query_range::{CacheCompression, QueryRangeSettings, ResultsCacheSettings};
pub use scheduler::QuerySchedulerSettings;

#[cfg(test)]
mod tests;
