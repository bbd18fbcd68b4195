//! Plain numbers for connections, and how they follow from the configuration.

use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::Duration;

use larch_runtime::{ClientTls, TlsError};
use larch_types::Span;
use rustls::ClientConfig;

use crate::GrpcClientSettings;
use crate::context::MAX_WAIT;

/// Servers bound the calls of a connection, ours at 100 unless they are told otherwise. So many connections
/// carry the tails and pulls of a busy process, which last for hours, and leave room for short calls.
const CONNECTIONS_PER_SERVICE: NonZeroUsize = NonZeroUsize::new(4).unwrap();

/// All four services of 256 peers.
const MAX_SERVICES: NonZeroUsize = NonZeroUsize::new(1024).unwrap();

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

impl GrpcSettings {
    /// Reads the files of TLS, so it is called when a process starts.
    pub fn from_client(client: &GrpcClientSettings) -> Result<Self, TlsError> {
        let GrpcClientSettings {
            max_recv_msg_size,
            max_send_msg_size,
            // Whoever repeats calls waits in between; a transport repeats none.
            backoff_config: _,
            connect_backoff_base_delay: _,
            connect_backoff_max_delay: _,
            // Windows are as large as the calls need them, and nothing is compressed.
            initial_stream_window_size: _,
            initial_connection_window_size: _,
            grpc_compression: _,
            tls_enabled,
            tls_cert_path,
            tls_key_path,
            tls_ca_path,
            tls_server_name,
            tls_insecure_skip_verify,
            tls_min_version,
            connect_timeout,
            keepalive_time,
            keepalive_timeout,
        } = client;
        let tls = ClientTls {
            cert_path: tls_cert_path,
            key_path: tls_key_path,
            ca_path: tls_ca_path,
            insecure_skip_verify: *tls_insecure_skip_verify,
            min_version: *tls_min_version,
        };
        let server_name = (!tls_server_name.is_empty()).then(|| tls_server_name.clone());
        let tls =
            if *tls_enabled { Some(GrpcTls { config: Arc::new(tls.config()?), server_name }) } else { None };
        Ok(Self {
            limits: MessageLimits {
                max_send_bytes: max_send_msg_size.as_usize(),
                max_receive_bytes: max_recv_msg_size.as_usize(),
            },
            connect_timeout: if connect_timeout.is_zero() { MAX_WAIT } else { bounded(*connect_timeout) },
            keepalive_time: bounded(*keepalive_time),
            keepalive_timeout: bounded(*keepalive_timeout),
            connections_per_service: CONNECTIONS_PER_SERVICE,
            max_services: MAX_SERVICES,
            tls,
        })
    }
}

/// Timers cannot be set to any time that the configuration can name.
fn bounded(span: Span) -> Duration {
    span.to_std().min(MAX_WAIT)
}

#[cfg(test)]
mod tests {
    use larch_types::{ByteSize, Section};

    use super::*;

    #[test]
    fn what_is_configured_is_what_runs() {
        let client = GrpcClientSettings {
            max_recv_msg_size: ByteSize::mib(64),
            max_send_msg_size: ByteSize::mib(32),
            connect_timeout: Span::from_secs(7),
            keepalive_time: Span::from_secs(8),
            keepalive_timeout: Span::from_secs(9),
            // Without TLS no file is read.
            tls_ca_path: "/nowhere".to_owned(),
            ..GrpcClientSettings::default()
        };
        let settings = GrpcSettings::from_client(&client).unwrap();
        let limits = MessageLimits { max_send_bytes: 32 << 20, max_receive_bytes: 64 << 20 };
        assert_eq!(settings.limits, limits);
        assert_eq!(settings.connect_timeout, Duration::from_secs(7));
        assert_eq!(settings.keepalive_time, Duration::from_secs(8));
        assert_eq!(settings.keepalive_timeout, Duration::from_secs(9));
        assert!(settings.tls.is_none());
    }

    #[test]
    fn timers_are_bounded() {
        for (connect_timeout, wait) in
            [(Span::ZERO, MAX_WAIT), (Span::from_nanos(1), Duration::from_nanos(1)), (Span::MAX, MAX_WAIT)]
        {
            let client = GrpcClientSettings {
                connect_timeout,
                keepalive_time: Span::MAX,
                keepalive_timeout: Span::MAX,
                ..GrpcClientSettings::default()
            };
            assert_eq!(client.check(), Ok(()));
            let settings = GrpcSettings::from_client(&client).unwrap();
            assert_eq!(settings.connect_timeout, wait);
            assert_eq!((settings.keepalive_time, settings.keepalive_timeout), (MAX_WAIT, MAX_WAIT));
        }
    }

    #[test]
    fn files_are_read_and_errors_name_them() {
        let made = tempfile::tempdir().unwrap();
        let folder = made.path().display();
        let key = rcgen::KeyPair::generate().unwrap();
        let names = vec!["larch.test".to_owned()];
        let certificate = rcgen::CertificateParams::new(names).unwrap().self_signed(&key).unwrap().pem();
        for name in ["server.pem", "authority.pem"] {
            std::fs::write(made.path().join(name), &certificate).unwrap();
        }
        std::fs::write(made.path().join("server.key"), key.serialize_pem()).unwrap();
        for ([cert, key, ca], refusal) in [
            (["server.pem", "server.key", "authority.pem"], String::new()),
            (["1.pem", "server.key", "authority.pem"], format!("read {folder}/1.pem")),
            (["server.pem", "2.key", "authority.pem"], format!("read {folder}/2.key")),
            (["server.pem", "server.key", "3.pem"], format!("read {folder}/3.pem")),
        ] {
            let client = GrpcClientSettings {
                tls_enabled: true,
                tls_cert_path: format!("{folder}/{cert}"),
                tls_key_path: format!("{folder}/{key}"),
                tls_ca_path: format!("{folder}/{ca}"),
                ..GrpcClientSettings::default()
            };
            let refused = GrpcSettings::from_client(&client).err().map(|error| error.to_string());
            assert_eq!(refused.unwrap_or_default(), refusal);
        }
    }
}
