//! The ingester: makes pushes durable, serves recent rows, cuts and uploads segments.

mod append;
mod carry;
mod checkpoints;
mod cut;
mod cut_metrics;
mod disk;
mod failures;
mod flush;
mod http;
mod leaving;
mod metrics;
mod module;
mod needles;
mod node;
mod note;
mod patterns;
mod pressure;
mod read;
mod record;
mod refusal;
mod replay;
mod replay_metrics;
mod restate;
mod rhythm;
mod role;
mod segment_file;
mod selection;
mod service;
mod set_aside;
mod settings;
mod shelf;
mod shown;
mod source;
mod standing;
mod streams;
mod tail;
mod tails;
mod tenant;
mod tenants;
#[cfg(test)]
mod testing;
mod upload;

pub use role::{Config, role};
pub use settings::{
    AggregationSettings, FlushBackoffSettings, IngesterSettings, LifecyclerRingSettings, LifecyclerSettings,
    PatternIngesterSettings, PatternPersistenceSettings, PushAuthSettings, TeeSettings, WalSettings, WalSync,
};
