//! The query-frontend: the query API: splits, queues fairly, caches, joins.

mod settings;

pub use settings::{
    CacheCompression, FrontendSettings, QueryRangeSettings, QuerySchedulerSettings, ResultsCacheSettings,
};
