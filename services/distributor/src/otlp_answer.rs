//! Answers to OTLP: what is wrong is told as a `google.rpc.Status`, with statuses on which collectors try
//! again what may yet succeed.

use axum::body::Body;
use axum::response::Response;
use http::header::{CONTENT_TYPE, HeaderValue, X_CONTENT_TYPE_OPTIONS};
use http::{HeaderMap, StatusCode};
use larch_runtime::plain;
use larch_types::ErrorKind;
use serde_json::json;

use crate::distributor::Taken;
use crate::error::PushError;
use crate::head::{Form, otlp_form};
use crate::http::{Told, taken, told, with_retry};

/// How a client that pushes so reads a status.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum StatusForm {
    Json,
    Protobuf,
}

impl StatusForm {
    pub(crate) fn asked_for(headers: &HeaderMap) -> Self {
        match otlp_form(headers) {
            Ok(Form::OtlpJson) => Self::Json,
            _ => Self::Protobuf,
        }
    }
}

pub(crate) fn otlp_answer(outcome: Result<Taken, PushError>, form: StatusForm) -> Response {
    // Who nobody is known to be is told in plain text, before anyone asks what is pushed.
    let is_stranger = matches!(&outcome, Err(error) if error.kind() == ErrorKind::Unauthenticated);
    let Some(Told { status, text, retry }) = told(outcome) else { return taken() };
    if is_stranger {
        return plain(status, format!("{text}\n"));
    }
    // Exporters give up at 500, and come again at 503.
    let status = match status {
        StatusCode::INTERNAL_SERVER_ERROR => StatusCode::SERVICE_UNAVAILABLE,
        other => other,
    };
    let (body, content_type) = match form {
        StatusForm::Json => (json!({ "message": text }).to_string().into_bytes(), "application/json"),
        StatusForm::Protobuf => (status_message(&text), "application/x-protobuf"),
    };
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    with_retry(response, retry)
}

/// The field `message` of a `google.rpc.Status`: a string of number 2. The code is left at 0, as Loki does.
fn status_message(text: &str) -> Vec<u8> {
    const MESSAGE: u8 = 2 << 3 | 2;
    let mut message = vec![MESSAGE];
    let mut length = text.len();
    while length >= 0x80 {
        message.push(length as u8 | 0x80);
        length >>= 7;
    }
    message.push(length as u8);
    message.extend_from_slice(text.as_bytes());
    message
}

#[cfg(test)]
mod tests {
    use prost::Message;

    use super::*;
    use crate::tests::wire::WireStatus;

    #[test]
    fn a_status_is_what_prost_reads() {
        for length in [0, 1, 127, 128, 300, 1 << 20] {
            let text = "x".repeat(length);
            let status = WireStatus::decode(status_message(&text).as_slice()).unwrap();
            assert_eq!(status, WireStatus { code: 0, message: text });
        }
    }
}
