//! `-health`: asks a running process whether it is ready, for container health checks.

use std::time::Duration;

use crate::fetch;

/// Asked unless `-health.url` says otherwise.
pub(crate) const DEFAULT_URL: &str = "http://localhost:3100/ready";

/// A container's health check has a few seconds itself.
const TIMEOUT: Duration = Duration::from_secs(5);
/// The answer is a word or a sentence.
const MAX_ANSWER_BYTES: usize = 64 << 10;

/// Fails with the text to show.
pub(crate) fn check(url: &str) -> Result<(), String> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| format!("health check: {error}"))?;
    match runtime.block_on(fetch::get(url, MAX_ANSWER_BYTES, TIMEOUT)) {
        Ok((status, _)) if status.is_success() => Ok(()),
        Ok((status, body)) => {
            Err(format!("not ready: {status}: {}", String::from_utf8_lossy(&body).trim_end()))
        }
        Err(error) => Err(format!("health check: {}", chain(&error))),
    }
}

/// An error with its causes on one line.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(&format!(": {error}"));
        cause = error.source();
    }
    text
}
