//! Settings of a ring: how its members find each other, and what each tells about itself.

use larch_types::{InvalidSetting, Section, Span, ensure};
use serde::{Deserialize, Serialize};

/// More tokens than this only cost gossip: ownership is already even to within a few percent.
const MAX_TOKENS: u32 = 4096;

/// One ring. Roles whose rings have other keys or defaults own a struct of their own and share
/// [`KvStoreSettings`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RingSettings {
    /// Where the members of the ring are kept.
    pub kvstore: KvStoreSettings,
    /// How often a member tells that it is alive.
    pub heartbeat_period: Span,
    /// How long a silent member still counts as healthy; 0 means for ever.
    pub heartbeat_timeout: Span,
    /// File that keeps this member's tokens over a restart; empty keeps them beside the data.
    pub tokens_file_path: String,
    /// Puts the replicas of a key into distinct availability zones.
    pub zone_awareness_enabled: bool,
    /// How many ranges of the ring this member owns.
    pub num_tokens: u32,
    /// Name shown beside this member's own id; empty means the host name.
    pub instance_id: String,
    /// Network interfaces to take the advertised address from; empty means any with a private address.
    pub instance_interface_names: Vec<String>,
    /// Advertised gRPC port; 0 means `server.grpc_listen_port`.
    pub instance_port: u16,
    /// Advertised address; empty takes it from the interfaces.
    pub instance_addr: String,
    /// Availability zone of this member.
    pub instance_availability_zone: String,
    /// Allows an IPv6 address to be taken from the interfaces.
    pub instance_enable_ipv6: bool,
}

/// Where the members of a ring are kept.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct KvStoreSettings {
    /// `memberlist` shares them by gossip, `inmemory` keeps this process alone.
    pub store: KvStore,
}

/// The stores that configuration files name. Those of other systems parse, so that they can be refused
/// with a reason.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum KvStore {
    #[default]
    Memberlist,
    InMemory,
    Consul,
    Etcd,
    Multi,
}

impl Default for RingSettings {
    fn default() -> Self {
        Self {
            kvstore: KvStoreSettings::default(),
            heartbeat_period: Span::from_secs(15),
            heartbeat_timeout: Span::from_mins(1),
            tokens_file_path: String::new(),
            zone_awareness_enabled: false,
            num_tokens: 128,
            instance_id: String::new(),
            instance_interface_names: Vec::new(),
            instance_port: 0,
            instance_addr: String::new(),
            instance_availability_zone: String::new(),
            instance_enable_ipv6: false,
        }
    }
}

impl Section for RingSettings {
    fn check(&self) -> Result<(), InvalidSetting> {
        self.check_at("")
    }
}

impl RingSettings {
    /// Checks a ring inside another block; `at` is its path there with a dot at the end.
    pub fn check_at(&self, at: &str) -> Result<(), InvalidSetting> {
        self.kvstore.check_at(&format!("{at}kvstore."))?;
        check_heartbeats(at, self.heartbeat_period, self.heartbeat_timeout)?;
        check_tokens(at, self.num_tokens)
    }
}

impl KvStoreSettings {
    /// As [`RingSettings::check_at`].
    pub fn check_at(&self, at: &str) -> Result<(), InvalidSetting> {
        let supported = matches!(self.store, KvStore::Memberlist | KvStore::InMemory);
        ensure(
            supported,
            &format!("{at}store"),
            "consul, etcd and multi are not supported; set memberlist, and list the first members in memberlist.join_members",
        )
    }
}

/// Refuses heartbeats that would make every member look dead.
pub fn check_heartbeats(at: &str, period: Span, timeout: Span) -> Result<(), InvalidSetting> {
    ensure(period > Span::ZERO, &format!("{at}heartbeat_period"), "must be above 0")?;
    ensure(
        timeout.is_zero() || timeout > period,
        &format!("{at}heartbeat_timeout"),
        "must be 0 or above heartbeat_period, or every member would look dead",
    )
}

/// Refuses a number of tokens with which a member would own nothing, or flood the gossip.
pub fn check_tokens(at: &str, tokens: u32) -> Result<(), InvalidSetting> {
    let sensible = (1..=MAX_TOKENS).contains(&tokens);
    ensure(sensible, &format!("{at}num_tokens"), format!("must be between 1 and {MAX_TOKENS}"))
}

#[cfg(test)]
mod tests {
    use expect_test::expect;
    use larch_testkit::settings::{comes_back, defaults, refusal};

    use super::*;

    #[test]
    fn defaults_are_those_of_loki() {
        expect![[r#"
            kvstore.store: "memberlist"
            heartbeat_period: "15s"
            heartbeat_timeout: "1m"
            tokens_file_path: ""
            zone_awareness_enabled: false
            num_tokens: 128
            instance_id: ""
            instance_interface_names: []
            instance_port: 0
            instance_addr: ""
            instance_availability_zone: ""
            instance_enable_ipv6: false
        "#]]
        .assert_eq(&defaults::<RingSettings>());
    }

    #[test]
    fn values_come_back() {
        let ring: RingSettings = comes_back(
            r#"{"kvstore": {"store": "inmemory"}, "heartbeat_period": "5s", "heartbeat_timeout": "30s",
                "tokens_file_path": "/data/tokens", "zone_awareness_enabled": true, "num_tokens": 64,
                "instance_id": "a-0", "instance_interface_names": ["eth1", "lo"], "instance_port": 9096,
                "instance_addr": "10.0.0.7", "instance_availability_zone": "b",
                "instance_enable_ipv6": true}"#,
        );
        assert_eq!(ring.check(), Ok(()));
        assert_eq!(ring.heartbeat_period, Span::from_secs(5));
    }

    #[test]
    fn refuses_what_cannot_be_meant() {
        for (given, text) in [
            (
                r#"{"kvstore": {"store": "consul"}}"#,
                "kvstore.store: consul, etcd and multi are not supported; set memberlist, and list the first members in memberlist.join_members",
            ),
            (
                r#"{"kvstore": {"store": "zookeeper"}}"#,
                "unknown variant `zookeeper`, expected one of `memberlist`, `inmemory`, `consul`, `etcd`, `multi`",
            ),
            (r#"{"heartbeat_period": "0s"}"#, "heartbeat_period: must be above 0"),
            (
                r#"{"heartbeat_timeout": "15s"}"#,
                "heartbeat_timeout: must be 0 or above heartbeat_period, or every member would look dead",
            ),
            (r#"{"num_tokens": 0}"#, "num_tokens: must be between 1 and 4096"),
            (r#"{"num_tokens": 5000}"#, "num_tokens: must be between 1 and 4096"),
        ] {
            assert_eq!(refusal::<RingSettings>(given), text, "{given}");
        }
        assert_eq!(RingSettings { heartbeat_timeout: Span::ZERO, ..Default::default() }.check(), Ok(()));
    }
}
