//! Connections: TCP, and TLS over it where the URL says so.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use futures_util::future::BoxFuture;
use http::Uri;
use http::uri::Scheme;
use hyper::rt::{Read, ReadBufCursor, Write};
use hyper_util::client::legacy::connect::{Connected, Connection, HttpConnector};
use hyper_util::rt::TokioIo;
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio_rustls::TlsConnector;
use tower::Service;

use super::HttpOptions;

/// Finds dead connections between requests; the pool's idle time is the shorter bound.
const KEEPALIVE: Duration = Duration::from_secs(30);

/// Why there is no connection.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ConnectError {
    #[error("reach {host}")]
    Tcp {
        host: String,
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    #[error("speak TLS with {host}")]
    Tls {
        host: String,
        #[source]
        source: io::Error,
    },
    #[error("no TLS with {host} within {limit:?}")]
    Late { host: String, limit: Duration },
    #[error("not the name of a host: {0}")]
    Name(String),
    #[error("{0} is asked for over TLS, and the settings name a store without")]
    NoTls(String),
}

#[derive(Debug, Clone)]
pub(super) struct Connect {
    tcp: HttpConnector,
    tls: Option<Arc<ClientConfig>>,
    handshake_timeout: Duration,
}

impl Connect {
    pub(super) fn new(options: &HttpOptions) -> Self {
        let mut tcp = HttpConnector::new();
        tcp.enforce_http(false);
        tcp.set_nodelay(true);
        tcp.set_keepalive(Some(KEEPALIVE));
        tcp.set_connect_timeout(Some(options.connect_timeout));
        Self { tcp, tls: options.tls.clone(), handshake_timeout: options.handshake_timeout }
    }
}

impl Service<Uri> for Connect {
    type Response = Wire;
    type Error = ConnectError;
    type Future = BoxFuture<'static, Result<Wire, ConnectError>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), ConnectError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        let Self { mut tcp, tls, handshake_timeout } = self.clone();
        Box::pin(async move {
            let host = uri.authority().map(ToString::to_string).unwrap_or_default();
            let secure = uri.scheme() == Some(&Scheme::HTTPS);
            let name = uri.host().unwrap_or_default().trim_matches(['[', ']']).to_owned();
            let stream = tcp
                .call(uri)
                .await
                .map_err(|error| ConnectError::Tcp { host: host.clone(), source: error.into() })?;
            if !secure {
                return Ok(Wire(Box::new(stream)));
            }
            let tls = tls.ok_or_else(|| ConnectError::NoTls(host.clone()))?;
            let name = ServerName::try_from(name).map_err(|_| ConnectError::Name(host.clone()))?;
            let handshake = TlsConnector::from(tls).connect(name, stream.into_inner());
            match tokio::time::timeout(handshake_timeout, handshake).await {
                Ok(Ok(stream)) => Ok(Wire(Box::new(TokioIo::new(stream)))),
                Ok(Err(source)) => Err(ConnectError::Tls { host, source }),
                Err(_) => Err(ConnectError::Late { host, limit: handshake_timeout }),
            }
        })
    }
}

trait Io: Read + Write + Send + Unpin {}

impl<T: Read + Write + Send + Unpin> Io for T {}

/// One connection, with TLS or without.
pub(super) struct Wire(Box<dyn Io>);

impl Connection for Wire {
    fn connected(&self) -> Connected {
        Connected::new()
    }
}

impl Read for Wire {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_read(context, buffer)
    }
}

impl Write for Wire {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        data: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(context, data)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(context)
    }

    fn is_write_vectored(&self) -> bool {
        self.0.is_write_vectored()
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        data: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write_vectored(context, data)
    }
}
