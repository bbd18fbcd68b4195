//! Per-tenant limits: defaults, overrides, and the arithmetic of rates.
//!
//! It reads no file and no clock; whoever calls brings text and time.

mod bucket;
mod overrides;
mod published;
mod settings;

pub use bucket::TokenBucket;
pub use overrides::Overrides;
pub use published::PUBLISHED_LIMITS;
pub use settings::{
    AlertmanagerClientSettings, AlertmanagerSettings, AttributeAction, AttributesSettings,
    AuthorizationSettings, BasicAuthSettings, BlockedQuery, BlockedUntil, DeletionMode, DeniedAction,
    GenericFields, IDLE_LIMITS, IDLE_SWITCHES, IdleKey, LabelRules, LimitsSettings, OperationalSettings,
    OtlpLimits, PolicyLimits, PriorityStream, QueryKind, QueueSettings, RateStrategy, RelabelAction,
    RelabelSettings, RemoteWriteSettings, RemoteWriteTls, ResourceAttributes, RuntimeConfigSettings,
    ShardStreamsSettings, ShardingStrategy, SseType, StreamRetention,
};
