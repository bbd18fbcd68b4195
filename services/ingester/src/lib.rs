//! The ingester: makes pushes durable, serves recent rows, cuts and uploads segments.

mod settings;

pub use settings::{
    AggregationSettings, FlushBackoffSettings, IngesterSettings, LifecyclerRingSettings, LifecyclerSettings,
    PatternIngesterSettings, PatternPersistenceSettings, PushAuthSettings, TeeSettings, WalSettings, WalSync,
};
