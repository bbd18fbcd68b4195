//! The ingester: makes pushes durable, serves recent rows, cuts and uploads segments.

mod role;
mod settings;

pub use role::{Config, role};
pub use settings::{
    AggregationSettings, FlushBackoffSettings, IngesterSettings, LifecyclerRingSettings, LifecyclerSettings,
    PatternIngesterSettings, PatternPersistenceSettings, PushAuthSettings, TeeSettings, WalSettings, WalSync,
};
