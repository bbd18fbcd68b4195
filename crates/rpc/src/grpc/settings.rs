//! Plain numbers for connections, as the settings of the services give them.

use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::Duration;

use rustls::ClientConfig;

/// Larger messages are refused as `TooLarge`, by whoever sees them first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MessageLimits {
    pub max_send_bytes: usize,
    pub max_receive_bytes: usize,
}

/// How peers are called.
#[derive(Debug, Clone)]
pub struct GrpcSettings {
    pub limits: MessageLimits,
    pub connect_timeout: Duration,
    /// How often an idle connection is tried. A peer that vanished without a word is noticed after this
    /// and the next.
    pub keepalive_time: Duration,
    pub keepalive_timeout: Duration,
    /// Connections to one service of one peer.
    pub connections_per_service: NonZeroUsize,
    /// Services of peers whose connections are kept. Those unused for longest are let go.
    pub max_services: NonZeroUsize,
    pub tls: Option<GrpcTls>,
}

/// How peers prove who they are, and how this process does.
#[derive(Debug, Clone)]
pub struct GrpcTls {
    pub config: Arc<ClientConfig>,
    /// What certificates must name; otherwise, the address's host.
    pub server_name: Option<String>,
}
