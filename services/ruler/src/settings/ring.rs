//! How rulers share the work.

use larch_ring::{KvStoreSettings, check_heartbeats, check_tokens};
use larch_types::{InvalidSetting, Span};
use serde::{Deserialize, Serialize};

/// The ring of rulers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RulerRingSettings {
    /// Where the members of the ring are kept.
    pub kvstore: KvStoreSettings,
    /// How often a ruler tells that it is alive.
    pub heartbeat_period: Span,
    /// How long a silent ruler keeps its groups; 0 means for ever.
    pub heartbeat_timeout: Span,
    /// Network interfaces to take the advertised address from; empty means any with a private address.
    pub instance_interface_names: Vec<String>,
    /// How many ranges of the ring this ruler owns.
    pub num_tokens: u32,
}

/// How many rulers a tenant's groups are shared among.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ShardingStrategy {
    /// All.
    #[default]
    Default,
    /// As many as the tenant's limit `ruler_tenant_shard_size` says.
    ShuffleSharding,
}

/// What is shared.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ShardingAlgorithm {
    /// Whole groups.
    #[default]
    ByGroup,
    /// Single rules, each as a group of its own.
    ByRule,
}

impl Default for RulerRingSettings {
    fn default() -> Self {
        Self {
            kvstore: KvStoreSettings::default(),
            heartbeat_period: Span::from_secs(5),
            heartbeat_timeout: Span::from_mins(1),
            instance_interface_names: Vec::new(),
            num_tokens: 128,
        }
    }
}

impl RulerRingSettings {
    pub(super) fn check_at(&self, at: &str) -> Result<(), InvalidSetting> {
        self.kvstore.check_at(&format!("{at}kvstore."))?;
        check_heartbeats(at, self.heartbeat_period, self.heartbeat_timeout)?;
        check_tokens(at, self.num_tokens)
    }
}
