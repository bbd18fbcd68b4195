//! The query-frontend: the query API: splits, queues fairly, caches, joins.

mod role;
mod settings;

pub use role::{Config, role};
pub use settings::{
    CacheCompression, FrontendSettings, QueryRangeSettings, QuerySchedulerSettings, ResultsCacheSettings,
};
