//! Settings of the gossip between processes, under the name that Loki's files use.

use std::net::IpAddr;

use larch_types::{InvalidSetting, OldKey, Section, Span, ensure};
use serde::{Deserialize, Serialize};

/// The block `memberlist`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct MemberlistSettings {
    /// Processes to find the others through, as `host`, `host:port` or `dns+host:port`; empty means that
    /// this process is alone.
    pub join_members: Vec<String>,
    /// Address to listen on for gossip; empty means all.
    pub bind_addr: Vec<String>,
    /// UDP port to listen on for gossip, and the port of `join_members` without one.
    pub bind_port: u16,
    /// Gossip address told to the others; empty takes it from the interfaces.
    pub advertise_addr: String,
    /// Gossip port told to the others; 0 means `bind_port`.
    pub advertise_port: u16,
    /// Stops the process when none of `join_members` answers at start.
    pub abort_if_cluster_join_fails: bool,
    /// How often joining is tried again at start.
    pub max_join_retries: u32,
    /// Wait before joining is tried again.
    pub min_join_backoff: Span,
    /// Longest wait before joining is tried again.
    pub max_join_backoff: Span,
    /// How long a member that left is remembered, so that all learn that it left.
    pub left_ingesters_timeout: Span,
    /// How long a leaving process goes on telling that it leaves.
    pub leave_timeout: Span,
    /// How often this process exchanges news with a few others.
    pub gossip_interval: Span,
    /// Name of the cluster; processes of another name are not heard.
    pub cluster_label: String,
    /// Must stay off: gossip is plain UDP.
    pub tls_enabled: bool,
}

impl Default for MemberlistSettings {
    fn default() -> Self {
        Self {
            join_members: Vec::new(),
            bind_addr: Vec::new(),
            bind_port: 7946,
            advertise_addr: String::new(),
            advertise_port: 0,
            abort_if_cluster_join_fails: false,
            max_join_retries: 10,
            min_join_backoff: Span::from_secs(1),
            max_join_backoff: Span::from_mins(1),
            left_ingesters_timeout: Span::from_mins(5),
            leave_timeout: Span::from_secs(20),
            gossip_interval: Span::from_millis(200),
            cluster_label: String::new(),
            tls_enabled: false,
        }
    }
}

const GOSSIP: &str = "the gossip protocol has no such setting";
const NAMES: &str = "a member is named by the id of its data directory";
const SEEDS: &str = "join_members are looked up and asked again all the time";
const TLS: &str = "gossip is plain UDP";

impl Section for MemberlistSettings {
    const OLD_KEYS: &'static [OldKey] = &[
        OldKey::moved("abort_if_cluster_fast_join_fails", "memberlist.abort_if_cluster_join_fails"),
        OldKey::meaningless("abort_if_cluster_fast_join_fails_min_nodes", "one answering member is enough"),
        OldKey::meaningless("node_name", NAMES),
        OldKey::meaningless("randomize_node_name", NAMES),
        OldKey::meaningless("rejoin_interval", SEEDS),
        OldKey::meaningless("rejoin_seed_nodes", SEEDS),
        OldKey::meaningless(
            "cluster_label_verification_disabled",
            "members of another cluster are never heard",
        ),
        OldKey::meaningless("compression_enabled", "gossip is always compressed"),
        OldKey::meaningless("gossip_nodes", GOSSIP),
        OldKey::meaningless("gossip_to_dead_nodes_time", GOSSIP),
        OldKey::meaningless("dead_node_reclaim_time", GOSSIP),
        OldKey::meaningless("pull_push_interval", GOSSIP),
        OldKey::meaningless("retransmit_factor", GOSSIP),
        OldKey::meaningless("stream_timeout", GOSSIP),
        OldKey::meaningless("notify_interval", GOSSIP),
        OldKey::meaningless("obsolete_entries_timeout", GOSSIP),
        OldKey::meaningless("broadcast_timeout_for_local_updates_on_shutdown", GOSSIP),
        OldKey::meaningless("message_history_buffer_bytes", GOSSIP),
        OldKey::meaningless("watch_prefix_buffer_size", GOSSIP),
        OldKey::meaningless("packet_dial_timeout", GOSSIP),
        OldKey::meaningless("packet_write_timeout", GOSSIP),
        OldKey::meaningless("max_concurrent_writes", GOSSIP),
        OldKey::meaningless("acquire_writer_timeout", GOSSIP),
        OldKey::meaningless("zone_aware_routing", GOSSIP),
        OldKey::meaningless("propagation_delay_tracker", GOSSIP),
        OldKey::meaningless("tls_cert_path", TLS),
        OldKey::meaningless("tls_key_path", TLS),
        OldKey::meaningless("tls_ca_path", TLS),
        OldKey::meaningless("tls_server_name", TLS),
        OldKey::meaningless("tls_insecure_skip_verify", TLS),
        OldKey::meaningless("tls_cipher_suites", TLS),
        OldKey::meaningless("tls_min_version", TLS),
    ];

    fn check(&self) -> Result<(), InvalidSetting> {
        for member in &self.join_members {
            ensure(!member.trim().is_empty(), "join_members", "an empty member cannot be joined")?;
        }
        ensure(self.bind_addr.len() <= 1, "bind_addr", "only one address can be listened on")?;
        for addr in &self.bind_addr {
            let text = format!("{} is not an IP address", larch_types::quoted(addr));
            ensure(addr.parse::<IpAddr>().is_ok(), "bind_addr", text)?;
        }
        ensure(self.gossip_interval > Span::ZERO, "gossip_interval", "must be above 0")?;
        ensure(self.min_join_backoff > Span::ZERO, "min_join_backoff", "must be above 0")?;
        ensure(
            self.max_join_backoff >= self.min_join_backoff,
            "max_join_backoff",
            "must not be below min_join_backoff",
        )?;
        for (key, span) in
            [("left_ingesters_timeout", self.left_ingesters_timeout), ("leave_timeout", self.leave_timeout)]
        {
            ensure(!span.is_negative(), key, "must not be negative")?;
        }
        ensure(
            !self.tls_enabled,
            "tls_enabled",
            "gossip is plain UDP and carries no logs; set it to false and keep the port inside the cluster's network",
        )
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
            join_members: []
            bind_addr: []
            bind_port: 7946
            advertise_addr: ""
            advertise_port: 0
            abort_if_cluster_join_fails: false
            max_join_retries: 10
            min_join_backoff: "1s"
            max_join_backoff: "1m"
            left_ingesters_timeout: "5m"
            leave_timeout: "20s"
            gossip_interval: "200ms"
            cluster_label: ""
            tls_enabled: false
        "#]]
        .assert_eq(&defaults::<MemberlistSettings>());
    }

    #[test]
    fn values_come_back() {
        let settings: MemberlistSettings = comes_back(
            r#"{"join_members": ["loki-memberlist", "dns+peer:7947"], "bind_addr": ["10.0.0.7"],
                "bind_port": 0, "advertise_addr": "10.0.0.8", "advertise_port": 7000,
                "abort_if_cluster_join_fails": true, "max_join_retries": 3, "min_join_backoff": "2s",
                "max_join_backoff": "10s", "left_ingesters_timeout": "1h", "leave_timeout": "0s",
                "gossip_interval": "1s", "cluster_label": "prod"}"#,
        );
        assert_eq!(settings.check(), Ok(()));
    }

    #[test]
    fn refuses_what_cannot_be_meant() {
        for (given, text) in [
            (r#"{"join_members": [""]}"#, "join_members: an empty member cannot be joined"),
            (r#"{"bind_addr": ["::", "0.0.0.0"]}"#, "bind_addr: only one address can be listened on"),
            (r#"{"bind_addr": ["host"]}"#, r#"bind_addr: "host" is not an IP address"#),
            (r#"{"gossip_interval": "0s"}"#, "gossip_interval: must be above 0"),
            (r#"{"min_join_backoff": "0s"}"#, "min_join_backoff: must be above 0"),
            (r#"{"max_join_backoff": "500ms"}"#, "max_join_backoff: must not be below min_join_backoff"),
            (r#"{"leave_timeout": "-1s"}"#, "leave_timeout: must not be negative"),
            (
                r#"{"tls_enabled": true}"#,
                "tls_enabled: gossip is plain UDP and carries no logs; set it to false and keep the port inside the cluster's network",
            ),
        ] {
            assert_eq!(refusal::<MemberlistSettings>(given), text, "{given}");
        }
    }
}
