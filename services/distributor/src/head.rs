//! What the head of a push says of its body.

use http::header::{CONTENT_ENCODING, CONTENT_TYPE, USER_AGENT};
use http::{HeaderMap, HeaderName};

use crate::decode::Dialect;
use crate::error::{MAX_SHARD_BYTES, PushError};
use crate::media_type::media_type;
use crate::metrics::Protocol;

/// How a push is to be read, and what its sender asks for beside.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Head {
    pub(crate) protocol: Protocol,
    pub(crate) form: Form,
    pub(crate) wrapping: Wrapping,
    /// The policy of all streams, whatever their labels.
    pub(crate) policy: Option<String>,
    /// Marks all streams as backfill, and lets them be of any age.
    pub(crate) backfill: Option<String>,
    pub(crate) user_agent: String,
}

/// Where a push came in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Endpoint {
    Loki(Dialect),
    Otlp,
    /// Over gRPC.
    Pusher,
}

impl Endpoint {
    pub(crate) fn protocol(self) -> Protocol {
        match self {
            Self::Loki(_) | Self::Pusher => Protocol::Loki,
            Self::Otlp => Protocol::Otlp,
        }
    }
}

/// What the body is once it is unwrapped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    Json(Dialect),
    /// In a snappy block.
    Protobuf,
    /// The same message, as gRPC carries it.
    Message,
    OtlpJson,
    OtlpProtobuf,
}

/// What `Content-Encoding` says, besides `snappy`, which protobuf has anyway and JSON never.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wrapping {
    None,
    Gzip,
    Deflate,
    Zstd,
    Lz4,
}

const POLICY: HeaderName = HeaderName::from_static("x-loki-ingestion-policy");
const BACKFILL_SHARD: HeaderName = HeaderName::from_static("x-loki-backfill-shard");

impl Head {
    pub(crate) fn read(headers: &HeaderMap, endpoint: Endpoint) -> Result<Self, PushError> {
        // Of two mistakes clients know the one about the encoding.
        let (wrapping, form) = match endpoint {
            Endpoint::Loki(dialect) => (loki_wrapping(headers)?, loki_form(headers, dialect)?),
            Endpoint::Pusher => (Wrapping::None, Form::Message),
            Endpoint::Otlp => (otlp_wrapping(headers)?, otlp_form(headers)?),
        };
        Ok(Self {
            protocol: endpoint.protocol(),
            form,
            wrapping,
            policy: text(headers, &POLICY),
            backfill: backfill(headers)?,
            user_agent: text(headers, &USER_AGENT).unwrap_or_default(),
        })
    }
}

fn bytes(headers: &HeaderMap, name: HeaderName) -> &[u8] {
    headers.get(name).map(|value| value.as_bytes()).unwrap_or_default()
}

fn loki_form(headers: &HeaderMap, dialect: Dialect) -> Result<Form, PushError> {
    match media_type(bytes(headers, CONTENT_TYPE))?.as_str() {
        "application/json" => Ok(Form::Json(dialect)),
        _ => Ok(Form::Protobuf),
    }
}

fn loki_wrapping(headers: &HeaderMap) -> Result<Wrapping, PushError> {
    match bytes(headers, CONTENT_ENCODING) {
        b"" | b"snappy" => Ok(Wrapping::None),
        b"gzip" => Ok(Wrapping::Gzip),
        b"deflate" => Ok(Wrapping::Deflate),
        other => Err(PushError::ContentEncoding(String::from_utf8_lossy(other).into_owned())),
    }
}

pub(crate) fn otlp_form(headers: &HeaderMap) -> Result<Form, PushError> {
    let content_type = bytes(headers, CONTENT_TYPE);
    match media_type(content_type).as_deref() {
        Ok("application/json") => Ok(Form::OtlpJson),
        Ok("application/x-protobuf") => Ok(Form::OtlpProtobuf),
        _ => Err(PushError::OtlpContentType(String::from_utf8_lossy(content_type).into_owned())),
    }
}

fn otlp_wrapping(headers: &HeaderMap) -> Result<Wrapping, PushError> {
    match bytes(headers, CONTENT_ENCODING) {
        b"" => Ok(Wrapping::None),
        b"gzip" => Ok(Wrapping::Gzip),
        b"zstd" => Ok(Wrapping::Zstd),
        b"lz4" => Ok(Wrapping::Lz4),
        other => Err(PushError::OtlpContentEncoding(String::from_utf8_lossy(other).into_owned())),
    }
}

/// `None` if it is empty.
fn text(headers: &HeaderMap, name: &HeaderName) -> Option<String> {
    let value = String::from_utf8_lossy(headers.get(name)?.as_bytes()).into_owned();
    (!value.is_empty()).then_some(value)
}

fn backfill(headers: &HeaderMap) -> Result<Option<String>, PushError> {
    let value = headers.get(&BACKFILL_SHARD).map(|value| value.as_bytes()).unwrap_or_default();
    if value.is_empty() {
        return Ok(None);
    }
    if value.len() > MAX_SHARD_BYTES {
        return Err(PushError::LongShard(value.len()));
    }
    match std::str::from_utf8(value) {
        Ok(shard) => Ok(Some(shard.to_owned())),
        Err(_) => Err(PushError::InvalidShard),
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    const V1: Endpoint = Endpoint::Loki(Dialect::V1);

    fn headers(pairs: &[(&'static str, &[u8])]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            headers.insert(*name, HeaderValue::from_bytes(value).unwrap());
        }
        headers
    }

    #[test]
    fn forms_and_wrappings() {
        for (content_type, encoding, form, wrapping) in [
            ("application/json", "", Form::Json(Dialect::V1), Wrapping::None),
            ("Application/JSON; charset=utf-8", "snappy", Form::Json(Dialect::V1), Wrapping::None),
            ("application/json", "gzip", Form::Json(Dialect::V1), Wrapping::Gzip),
            ("application/x-protobuf", "", Form::Protobuf, Wrapping::None),
            ("application/x-protobuf", "snappy", Form::Protobuf, Wrapping::None),
            ("text/plain", "deflate", Form::Protobuf, Wrapping::Deflate),
        ] {
            let headers = headers(&[
                ("content-type", content_type.as_bytes()),
                ("content-encoding", encoding.as_bytes()),
            ]);
            let head = Head::read(&headers, V1).unwrap();
            assert_eq!((head.form, head.wrapping), (form, wrapping), "{content_type} {encoding}");
            assert_eq!(head.protocol, Protocol::Loki);
        }
    }

    #[test]
    fn forms_and_wrappings_of_otlp() {
        for (content_type, encoding, form, wrapping) in [
            ("application/json", "", Form::OtlpJson, Wrapping::None),
            ("application/json; charset=utf-8", "gzip", Form::OtlpJson, Wrapping::Gzip),
            ("application/x-protobuf", "zstd", Form::OtlpProtobuf, Wrapping::Zstd),
            ("application/x-protobuf", "lz4", Form::OtlpProtobuf, Wrapping::Lz4),
        ] {
            let headers = headers(&[
                ("content-type", content_type.as_bytes()),
                ("content-encoding", encoding.as_bytes()),
            ]);
            let head = Head::read(&headers, Endpoint::Otlp).unwrap();
            assert_eq!((head.form, head.wrapping), (form, wrapping), "{content_type} {encoding}");
            assert_eq!(head.protocol, Protocol::Otlp);
        }
        for (content_type, encoding, text) in [
            ("", "", "content type:  is not supported"),
            ("text/plain", "", "content type: text/plain is not supported"),
            ("application/json;;", "", "content type: application/json;; is not supported"),
            (
                "application/json",
                "snappy",
                "unsupported content encoding snappy: only gzip, lz4 and zstd are supported",
            ),
        ] {
            let headers = headers(&[
                ("content-type", content_type.as_bytes()),
                ("content-encoding", encoding.as_bytes()),
            ]);
            let error = Head::read(&headers, Endpoint::Otlp).unwrap_err();
            assert_eq!((error.to_string().as_str(), error.status().as_u16()), (text, 400));
        }
    }

    #[test]
    fn the_encoding_is_complained_of_first() {
        let headers = headers(&[("content-type", b"a/b; c"), ("content-encoding", b"br")]);
        for (endpoint, text) in [
            (V1, "Content-Encoding \"br\" not supported"),
            (Endpoint::Otlp, "unsupported content encoding br: only gzip, lz4 and zstd are supported"),
        ] {
            assert_eq!(Head::read(&headers, endpoint).unwrap_err().to_string(), text);
        }
    }

    #[test]
    fn refusals() {
        let long = [b'x'; 129];
        for (name, value, text) in [
            ("content-type", &b""[..], "mime: no media type"),
            ("content-type", b"a/b; c", "mime: invalid media parameter"),
            ("content-encoding", b"br", "Content-Encoding \"br\" not supported"),
            (
                "x-loki-backfill-shard",
                &long[..],
                "invalid X-Loki-Backfill-Shard header: value length 129 exceeds limit of 128",
            ),
            (
                "x-loki-backfill-shard",
                b"\xff",
                "invalid X-Loki-Backfill-Shard header: value is not a valid label value",
            ),
        ] {
            let mut headers = headers(&[("content-type", b"application/json")]);
            headers.insert(name, HeaderValue::from_bytes(value).unwrap());
            let error = Head::read(&headers, V1).unwrap_err();
            assert_eq!((error.to_string().as_str(), error.status().as_u16()), (text, 400));
        }
    }
}
