//! Settings of limits: `limits_config`, the file of overrides, and what is logged about pushes.

mod alertmanager;
mod check;
mod discovery;
mod idle;
mod labels;
mod limits;
mod old_keys;
mod operational;
mod otlp;
mod policies;
mod queries;
mod remote_write;
mod retention;
mod runtime_config;
mod sharding;

pub use alertmanager::{AlertmanagerClientSettings, AlertmanagerSettings, RelabelAction, RelabelSettings};
pub use discovery::GenericFields;
pub use idle::{IDLE_LIMITS, IDLE_SWITCHES, IdleKey};
pub use labels::{DeniedAction, LabelRules};
pub use limits::{LimitsSettings, RateStrategy, ShardingStrategy, SseType};
pub use operational::OperationalSettings;
pub use otlp::{AttributeAction, AttributesSettings, OtlpLimits, ResourceAttributes};
pub use policies::{BlockedUntil, PolicyLimits, PriorityStream};
pub use queries::{BlockedQuery, QueryKind};
pub use remote_write::{
    AuthorizationSettings, BasicAuthSettings, QueueSettings, RemoteWriteSettings, RemoteWriteTls,
};
pub use retention::{DeletionMode, StreamRetention};
pub use runtime_config::RuntimeConfigSettings;
pub use sharding::ShardStreamsSettings;

#[cfg(test)]
mod tests;
