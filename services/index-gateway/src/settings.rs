//! Settings of the index gateway.

use larch_ring::RingSettings;
use larch_types::{InvalidSetting, OldKey, Section};
use serde::{Deserialize, Serialize};

/// The block `index_gateway`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct IndexGatewaySettings {
    /// Which gateways work for a tenant.
    pub mode: IndexGatewayMode,
    /// The ring of gateways, with `mode: ring`.
    pub ring: RingSettings,
}

/// Which gateways work for a tenant.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum IndexGatewayMode {
    /// Any.
    #[default]
    Simple,
    /// Some, chosen by the ring, so that each caches what belongs to few tenants.
    Ring,
}

const RINGS: &str = "the members of a ring are shared through memberlist";

/// Accepted, and without effect.
pub(crate) const IDLE: [(&str, &str); 1] = [("mode", "any index gateway answers for any tenant")];

impl Section for IndexGatewaySettings {
    const OLD_KEYS: &'static [OldKey] = &[
        OldKey::moved("ring.replication_factor", "limits_config.index_gateway_shard_size"),
        OldKey::meaningless("ring.kvstore.prefix", RINGS),
        OldKey::meaningless("ring.kvstore.consul", RINGS),
        OldKey::meaningless("ring.kvstore.etcd", RINGS),
        OldKey::meaningless("ring.kvstore.multi", RINGS),
    ];

    fn check(&self) -> Result<(), InvalidSetting> {
        self.ring.check_at("ring.")
    }
}

#[cfg(test)]
mod tests {
    use expect_test::expect;
    use larch_testkit::settings::{comes_back, defaults, refusal};

    use super::*;

    #[test]
    fn defaults_are_those_of_loki() {
        expect![[r#"
            mode: "simple"
            ring.kvstore.store: "memberlist"
            ring.heartbeat_period: "15s"
            ring.heartbeat_timeout: "1m"
            ring.tokens_file_path: ""
            ring.zone_awareness_enabled: false
            ring.num_tokens: 128
            ring.instance_id: ""
            ring.instance_interface_names: []
            ring.instance_port: 0
            ring.instance_addr: ""
            ring.instance_availability_zone: ""
            ring.instance_enable_ipv6: false
        "#]]
        .assert_eq(&defaults::<IndexGatewaySettings>());
    }

    #[test]
    fn values_come_back() {
        let settings: IndexGatewaySettings = comes_back(
            r#"{"mode": "ring", "ring": {"kvstore": {"store": "inmemory"}, "num_tokens": 64,
                "zone_awareness_enabled": true, "instance_addr": "10.0.0.7"}}"#,
        );
        assert_eq!(settings.check(), Ok(()));
    }

    #[test]
    fn refuses_what_cannot_be_meant() {
        for (given, text) in [
            (r#"{"mode": "both"}"#, "unknown variant `both`, expected `simple` or `ring`"),
            (r#"{"ring": {"heartbeat_period": "0s"}}"#, "ring.heartbeat_period: must be above 0"),
        ] {
            assert_eq!(refusal::<IndexGatewaySettings>(given), text, "{given}");
        }
    }

    #[test]
    fn settings_without_effect_are_there() {
        let all = defaults::<IndexGatewaySettings>();
        for (key, _) in IDLE {
            assert!(all.lines().any(|line| line.starts_with(key)), "{key}");
        }
    }
}
