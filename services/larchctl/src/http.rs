//! One request to a server, and its answer.

use std::time::Duration;

use bytes::Bytes;
use futures_util::future::{Either, select};
use http::Request;
use http::header::HOST;
use http_body_util::{BodyExt, Empty, Limited};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use url::Url;

use crate::Failure;

/// Longer than a server lets a query run.
const DEADLINE: Duration = Duration::from_secs(600);

/// An answer has no more bytes: it is kept in memory.
const MAX_ANSWER_BYTES: usize = 512 << 20;

/// Who is asked, and for whom.
pub(crate) struct Server<'a> {
    /// A URL, or a host and a port.
    pub(crate) address: &'a str,
    pub(crate) tenant: Option<&'a str>,
}

/// The body of a good answer.
pub(crate) fn get(server: &Server<'_>, path: &str, parameters: &[(&str, &str)]) -> Result<String, Failure> {
    let url = url(server.address, path, parameters).map_err(Failure::Command)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| Failure::Command(format!("start: {error}")))?;
    let answer = runtime.block_on(async {
        match tokio::time::timeout(DEADLINE, ask(&url, server.tenant)).await {
            Ok(answer) => answer,
            Err(_) => Err(format!("no answer within {DEADLINE:?}")),
        }
    });
    let (status, body) = answer.map_err(|error| Failure::Command(format!("{}: {error}", server.address)))?;
    let text = String::from_utf8_lossy(&body).into_owned();
    if status.is_success() {
        Ok(text)
    } else {
        Err(Failure::Command(format!("the server answers {status}: {}", text.trim_end())))
    }
}

fn url(address: &str, path: &str, parameters: &[(&str, &str)]) -> Result<Url, String> {
    let full = if address.contains("://") { address.to_owned() } else { format!("http://{address}") };
    let mut url = Url::parse(&full).map_err(|error| format!("{address}: {error}"))?;
    if url.scheme() != "http" {
        return Err(format!("{address}: only http is spoken; a proxy may speak TLS"));
    }
    // What stands in front of the API's own paths stays.
    let prefix = url.path().trim_end_matches('/').to_owned();
    url.set_path(&format!("{prefix}{path}"));
    if !parameters.is_empty() {
        url.query_pairs_mut().extend_pairs(parameters);
    }
    Ok(url)
}

async fn ask(url: &Url, tenant: Option<&str>) -> Result<(http::StatusCode, Bytes), String> {
    let host = url.host_str().ok_or("no host")?;
    let port = url.port_or_known_default().ok_or("no port")?;
    // Brackets are the URL's.
    let name = host.trim_start_matches('[').trim_end_matches(']');
    let connection = TcpStream::connect((name, port)).await.map_err(|error| error.to_string())?;
    let (mut sender, connection) =
        http1::handshake(TokioIo::new(connection)).await.map_err(|error| error.to_string())?;
    let target = match url.query() {
        Some(query) => format!("{}?{query}", url.path()),
        None => url.path().to_owned(),
    };
    let mut request = Request::get(target).header(HOST, format!("{host}:{port}"));
    if let Some(tenant) = tenant {
        request = request.header("X-Scope-OrgID", tenant);
    }
    let request = request.body(Empty::<Bytes>::new()).map_err(|error| error.to_string())?;
    let answering = Box::pin(async move {
        let answer = sender.send_request(request).await.map_err(|error| error.to_string())?;
        let status = answer.status();
        let body = Limited::new(answer.into_body(), MAX_ANSWER_BYTES).collect().await;
        Ok((status, body.map_err(|error| error.to_string())?.to_bytes()))
    });
    match select(answering, Box::pin(connection)).await {
        Either::Left((answer, _)) => answer,
        // The connection may be at its end before its last bytes were taken.
        Either::Right((_, answering)) => answering.await,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses() {
        for (address, want) in [
            ("localhost:3100", "http://localhost:3100/ready?a=b+%26"),
            ("http://10.0.0.1", "http://10.0.0.1/ready?a=b+%26"),
            ("http://host:1/loki/", "http://host:1/loki/ready?a=b+%26"),
        ] {
            assert_eq!(url(address, "/ready", &[("a", "b &")]).unwrap().as_str(), want);
        }
        for address in ["https://host", "http://", "a b"] {
            assert!(url(address, "/ready", &[]).is_err(), "{address}");
        }
    }
}
