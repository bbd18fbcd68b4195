//! How an ingester joins the ring and leaves it.

use larch_ring::{KvStoreSettings, check_heartbeats, check_tokens};
use larch_types::{InvalidSetting, Span, ensure};
use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LifecyclerSettings {
    /// The ring of ingesters, which distributors and queriers read too.
    pub ring: LifecyclerRingSettings,
    /// How many ranges of the ring this ingester owns.
    pub num_tokens: u32,
    /// How often this ingester tells that it is alive.
    pub heartbeat_period: Span,
    /// How long a silent ingester still counts as healthy; 0 means for ever.
    pub heartbeat_timeout: Span,
    /// How long `/ready` goes on answering 503 once all is well.
    pub min_ready_duration: Span,
    /// Network interfaces to take the advertised address from; empty means any with a private address.
    pub interface_names: Vec<String>,
    /// Allows an IPv6 address to be taken from the interfaces.
    pub enable_inet6: bool,
    /// How long the process goes on serving metrics after it has left.
    pub final_sleep: Span,
    /// File that keeps the tokens over a restart; empty keeps them beside the write-ahead log.
    pub tokens_file_path: String,
    /// Availability zone of this ingester.
    pub availability_zone: String,
    /// Leaves the ring when the process stops.
    pub unregister_on_shutdown: bool,
    /// Makes `/ready` answer 503 while any member of the ring is not well.
    pub readiness_check_ring_health: bool,
    /// Advertised address; empty takes it from the interfaces.
    pub address: String,
    /// Advertised gRPC port; 0 means `server.grpc_listen_port`.
    pub port: u16,
    /// Name shown beside this ingester's own id; empty means the host name.
    pub id: String,
}

/// The ring of ingesters.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LifecyclerRingSettings {
    /// Where the members of the ring are kept.
    pub kvstore: KvStoreSettings,
    /// How long distributors and queriers take a silent ingester for healthy; 0 means for ever.
    pub heartbeat_timeout: Span,
    /// How many ingesters hold each row.
    pub replication_factor: u32,
    /// Puts the replicas of a stream into distinct availability zones.
    pub zone_awareness_enabled: bool,
    /// Zones whose ingesters are neither written nor read.
    pub excluded_zones: Vec<String>,
}

impl Default for LifecyclerSettings {
    fn default() -> Self {
        Self {
            ring: LifecyclerRingSettings::default(),
            num_tokens: 128,
            heartbeat_period: Span::from_secs(5),
            heartbeat_timeout: Span::from_mins(1),
            // Loki waits 15 s. Nothing here needs it, and it is what makes a start slow.
            min_ready_duration: Span::ZERO,
            interface_names: Vec::new(),
            enable_inet6: false,
            final_sleep: Span::ZERO,
            tokens_file_path: String::new(),
            availability_zone: String::new(),
            unregister_on_shutdown: true,
            readiness_check_ring_health: true,
            address: String::new(),
            port: 0,
            id: String::new(),
        }
    }
}

impl Default for LifecyclerRingSettings {
    fn default() -> Self {
        Self {
            kvstore: KvStoreSettings::default(),
            heartbeat_timeout: Span::from_mins(1),
            replication_factor: 3,
            zone_awareness_enabled: false,
            excluded_zones: Vec::new(),
        }
    }
}

impl LifecyclerSettings {
    pub(super) fn check_at(&self, at: &str) -> Result<(), InvalidSetting> {
        self.ring.kvstore.check_at(&format!("{at}ring.kvstore."))?;
        check_heartbeats(at, self.heartbeat_period, self.heartbeat_timeout)?;
        ensure(
            self.ring.heartbeat_timeout.is_zero() || self.ring.heartbeat_timeout > self.heartbeat_period,
            &format!("{at}ring.heartbeat_timeout"),
            "must be 0 or above heartbeat_period, or every member would look dead",
        )?;
        check_tokens(at, self.num_tokens)?;
        let factor = self.ring.replication_factor;
        ensure(factor > 0, &format!("{at}ring.replication_factor"), "must be above 0")?;
        for (key, span) in
            [("min_ready_duration", self.min_ready_duration), ("final_sleep", self.final_sleep)]
        {
            ensure(!span.is_negative(), &format!("{at}{key}"), "must not be negative")?;
        }
        Ok(())
    }
}
