//! The ruler: evaluates alerting and recording rules.

mod settings;

pub use settings::{
    EvaluationMode, EvaluationSettings, QueryFrontendSettings, RemoteWriteClients, RuleStoreKind,
    RuleStoreSettings, RulerBackend, RulerRingSettings, RulerSettings, RulerStorageSettings,
    ShardingAlgorithm, ShardingStrategy, WalCleanerSettings, WalSettings,
};
