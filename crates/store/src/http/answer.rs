//! What a store says when it does not do what it was asked for.

use std::fmt;

use bytes::Bytes;
use http::StatusCode;
use http_body_util::{BodyExt, Limited};
use hyper::body::Incoming;

/// Stores explain themselves in a few hundred bytes; the rest repeats the request.
const MAX_BODY_BYTES: usize = 16 << 10;
const MAX_TEXT_CHARS: usize = 300;

/// An answer that is no success.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    /// A short name such as `NoSuchKey`; empty if there is none.
    pub(crate) code: String,
    message: String,
}

impl fmt::Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the store answers {}", self.status)?;
        if !self.code.is_empty() {
            write!(f, " {}", self.code)?;
        }
        if !self.message.is_empty() {
            write!(f, ": {}", self.message)?;
        }
        Ok(())
    }
}

impl std::error::Error for Answer {}

impl Answer {
    /// Successes, and the statuses whose meaning the clients of `object_store` know.
    pub(super) fn is_handled_above(status: StatusCode) -> bool {
        let known = [StatusCode::CONFLICT, StatusCode::PRECONDITION_FAILED];
        !(status.is_client_error() || status.is_server_error()) || known.contains(&status)
    }

    /// Gives the bytes of the body back too.
    pub(super) async fn read(status: StatusCode, body: Incoming) -> (Self, Bytes) {
        let body = Limited::new(body, MAX_BODY_BYTES).collect().await;
        let body = body.map(|body| body.to_bytes()).unwrap_or_default();
        (Self::parse(status.as_u16(), &body), body)
    }

    pub(crate) fn parse(status: u16, body: &[u8]) -> Self {
        let body = String::from_utf8_lossy(body);
        let (code, message) = if body.trim_start().starts_with('{') {
            explained_in_json(&body)
        } else {
            (element(&body, "Code"), element(&body, "Message"))
        };
        Self { status, code: plain(&code), message: plain(&message) }
    }

    /// Whether it is the object that is missing, and not the bucket around it.
    pub(super) fn is_missing_object(&self) -> bool {
        self.status == 404 && !self.is_missing_bucket()
    }

    pub(crate) fn is_missing_bucket(&self) -> bool {
        let codes = ["NoSuchBucket", "ContainerNotFound", "ContainerBeingDeleted"];
        let bucket = self.code.is_empty() && self.message.contains("bucket does not exist");
        self.status == 404 && (codes.contains(&self.code.as_str()) || bucket)
    }
}

/// Any bytes are an answer of some kind.
pub fn fuzz_answer(bytes: &[u8]) {
    let answer = Answer::parse(400, bytes);
    assert!(answer.to_string().chars().count() <= 2 * MAX_TEXT_CHARS + 64, "a text without bound");
}

/// The text of the first element of that name. Stores write flat XML without attributes here.
fn element(xml: &str, name: &str) -> String {
    let (open, close) = (format!("<{name}>"), format!("</{name}>"));
    let inner = xml.split_once(&open).and_then(|(_, rest)| rest.split_once(&close));
    inner.map(|(text, _)| text.to_owned()).unwrap_or_default()
}

/// Google's forms: `{"error": {"message": …, "errors": [{"reason": …}]}}`, and of those who give out
/// tokens `{"error": …, "error_description": …}`.
fn explained_in_json(body: &str) -> (String, String) {
    let Ok(body) = serde_json::from_str::<serde_json::Value>(body) else { return Default::default() };
    let text = |path: &str| body.pointer(path).and_then(|value| value.as_str()).map(str::to_owned);
    let code = text("/error/errors/0/reason").or_else(|| text("/error/status")).or_else(|| text("/error"));
    let message = text("/error/message").or_else(|| text("/error_description")).or_else(|| text("/message"));
    (code.unwrap_or_default(), message.unwrap_or_default())
}

/// One line of bounded length.
fn plain(text: &str) -> String {
    let mut out = String::new();
    for character in text.trim().chars().take(MAX_TEXT_CHARS) {
        out.push(if character.is_control() { ' ' } else { character });
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::mutations;

    const XML: &str = "<?xml version=\"1.0\"?><Error><Code>NoSuchBucket</Code>\
        <Message>The specified\nbucket does not exist</Message></Error>";
    const JSON: &str =
        r#"{"error": {"code": 403, "message": "no access", "errors": [{"reason": "forbidden"}]}}"#;
    const TOKEN: &str = r#"{"error": "invalid_grant", "error_description": "expired"}"#;

    #[test]
    fn says_what_the_store_says() {
        for (status, body, text) in [
            (404, XML, "the store answers 404 NoSuchBucket: The specified bucket does not exist"),
            (403, JSON, "the store answers 403 forbidden: no access"),
            (400, TOKEN, "the store answers 400 invalid_grant: expired"),
            (503, "", "the store answers 503"),
            (502, "<html>gone</html>", "the store answers 502"),
            (500, "{", "the store answers 500"),
        ] {
            assert_eq!(Answer::parse(status, body.as_bytes()).to_string(), text);
        }
        assert!(Answer::parse(404, XML.as_bytes()).is_missing_bucket());
        assert!(Answer::parse(404, b"").is_missing_object());
        assert!(!Answer::parse(500, b"").is_missing_object());
    }

    #[test]
    fn no_answer_breaks_it() {
        mutations(&[XML.as_bytes(), JSON.as_bytes(), TOKEN.as_bytes(), b""], fuzz_answer);
    }
}
