//! One GET over plain HTTP, for the health check and for overrides that are served by somebody.

use std::time::Duration;

use bytes::Bytes;
use http::{Request, StatusCode, Uri};
use http_body_util::{BodyExt, Empty, Limited};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FetchError {
    #[error("not an http:// URL with a host: {0}")]
    Url(String),
    #[error("connect to {address}")]
    Connect {
        address: String,
        #[source]
        source: std::io::Error,
    },
    #[error("talk to the server")]
    Http(#[source] hyper::Error),
    #[error("read the answer: {0}")]
    Body(String),
    #[error("no answer within {0:?}")]
    Late(Duration),
}

/// Asks once and reads an answer of at most so many bytes.
pub(crate) async fn get(
    url: &str,
    max_bytes: usize,
    timeout: Duration,
) -> Result<(StatusCode, Bytes), FetchError> {
    match tokio::time::timeout(timeout, get_unbounded(url, max_bytes)).await {
        Ok(answer) => answer,
        Err(_) => Err(FetchError::Late(timeout)),
    }
}

async fn get_unbounded(url: &str, max_bytes: usize) -> Result<(StatusCode, Bytes), FetchError> {
    let not_a_url = || FetchError::Url(url.to_owned());
    let uri: Uri = url.parse().map_err(|_| not_a_url())?;
    let host = uri.host().filter(|_| uri.scheme_str() == Some("http")).ok_or_else(not_a_url)?;
    let address = format!("{host}:{}", uri.port_u16().unwrap_or(80));
    let stream = TcpStream::connect(&address)
        .await
        .map_err(|source| FetchError::Connect { address: address.clone(), source })?;
    let (mut sender, connection) =
        hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.map_err(FetchError::Http)?;
    let path = uri.path_and_query().map_or("/", |path| path.as_str());
    let request = Request::get(path)
        .header(http::header::HOST, address)
        .body(Empty::<Bytes>::new())
        .map_err(|_| not_a_url())?;
    let exchange = async {
        let response = sender.send_request(request).await.map_err(FetchError::Http)?;
        let status = response.status();
        let body = Limited::new(response.into_body(), max_bytes).collect().await;
        let body = body.map_err(|error| FetchError::Body(error.to_string()))?;
        Ok((status, body.to_bytes()))
    };
    // The connection does the exchange's work; it ends when the exchange does or fails with it.
    let exchange = std::pin::pin!(exchange);
    let connection = std::pin::pin!(connection);
    match futures_util::future::select(exchange, connection).await {
        futures_util::future::Either::Left((answer, _)) => answer,
        futures_util::future::Either::Right((_, exchange)) => exchange.await,
    }
}
