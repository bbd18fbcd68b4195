//! The ruler: evaluates alerting and recording rules.

mod role;
mod settings;

pub use role::{Config, role};
pub use settings::{
    EvaluationMode, EvaluationSettings, QueryFrontendSettings, RemoteWriteClients, RuleStoreKind,
    RuleStoreSettings, RulerBackend, RulerRingSettings, RulerSettings, RulerStorageSettings,
    ShardingAlgorithm, ShardingStrategy, WalCleanerSettings, WalSettings,
};
