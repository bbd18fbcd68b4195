//! One connection to a peer, made when it is first used and again after it broke.

use std::io;
use std::sync::Arc;

use hyper_util::rt::TokioIo;
use larch_types::Address;
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tonic::transport::{Channel, Endpoint, Uri};
use tower::service_fn;

use super::settings::{GrpcSettings, GrpcTls};

/// A stream may have this much on the way: 2 MiB fill a link of 10 Gbit/s at 1.6 ms.
const STREAM_WINDOW_BYTES: u32 = 2 << 20;

/// More than all streams of a connection together. A smaller one would let a few streams that nobody
/// reads at the moment stop all others, and two readers who wait for one another's would never go on.
const CONNECTION_WINDOW_BYTES: u32 = 1 << 30;

/// Fits an error's text when every byte of it is percent-encoded, with room for the rest.
const HEADER_LIST_BYTES: u32 = 4 * (crate::MAX_ERROR_TEXT_BYTES as u32);

/// Calls that wait for the connection. Each of them has a deadline.
const WAITING_CALLS: usize = 1024;

/// Connects to nothing yet. To be called inside a runtime, which drives the connection.
pub(super) fn open(address: &Address, settings: &GrpcSettings) -> Channel {
    let endpoint = Endpoint::from(uri("http", address))
        .connect_timeout(settings.connect_timeout)
        .http2_keep_alive_interval(settings.keepalive_time)
        .keep_alive_timeout(settings.keepalive_timeout)
        .keep_alive_while_idle(true)
        .tcp_nodelay(true)
        .initial_stream_window_size(STREAM_WINDOW_BYTES)
        .initial_connection_window_size(CONNECTION_WINDOW_BYTES)
        .http2_max_header_list_size(HEADER_LIST_BYTES)
        .buffer_size(WAITING_CALLS);
    let Some(tls) = &settings.tls else { return endpoint.connect_lazy() };
    let connector = TlsConnector::from(for_grpc(&tls.config));
    let (origin, address, tls) = (address.clone(), address.clone(), tls.clone());
    let connect = service_fn(move |_| connect_tls(address.clone(), tls.clone(), connector.clone()));
    // The endpoint's own scheme stays the plain one, or tonic asks for TLS of its own making; what
    // requests say is the origin's.
    endpoint.origin(uri("https", &origin)).connect_with_connector_lazy(connect)
}

#[expect(clippy::expect_used, reason = "a host with a port is the authority of a URI, see the test")]
fn uri(scheme: &str, address: &Address) -> Uri {
    format!("{scheme}://{address}").parse().expect("an address makes a URI")
}

/// gRPC is spoken over HTTP/2 only, and TLS agrees on that by ALPN.
fn for_grpc(config: &ClientConfig) -> Arc<ClientConfig> {
    let mut config = config.clone();
    config.alpn_protocols = vec![b"h2".to_vec()];
    Arc::new(config)
}

async fn connect_tls(
    address: Address,
    tls: GrpcTls,
    connector: TlsConnector,
) -> Result<TokioIo<TlsStream<TcpStream>>, io::Error> {
    let name = tls.server_name.unwrap_or_else(|| address.host().to_owned());
    let name = ServerName::try_from(name).map_err(io::Error::other)?;
    let stream = TcpStream::connect(address.as_str()).await?;
    stream.set_nodelay(true)?;
    Ok(TokioIo::new(connector.connect(name, stream).await?))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn every_address_makes_a_uri(
            host in "[A-Za-z0-9._-]{1,60}|\\[::(1|ffff:10\\.0\\.0\\.7|a:b)\\]",
            port in 1_u16..,
        ) {
            let address: Address = format!("{host}:{port}").parse().unwrap();
            prop_assert_eq!(uri("http", &address).port_u16(), Some(port));
        }
    }
}
