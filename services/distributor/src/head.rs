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

/// What the body is once it is unwrapped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    Json(Dialect),
    /// In a snappy block.
    Protobuf,
}

/// What `Content-Encoding` says, besides `snappy`, which protobuf has anyway and JSON never.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wrapping {
    None,
    Gzip,
    Deflate,
}

const POLICY: HeaderName = HeaderName::from_static("x-loki-ingestion-policy");
const BACKFILL_SHARD: HeaderName = HeaderName::from_static("x-loki-backfill-shard");

impl Head {
    pub(crate) fn read(headers: &HeaderMap, dialect: Dialect) -> Result<Self, PushError> {
        let content_type = headers.get(CONTENT_TYPE).map(|value| value.as_bytes()).unwrap_or_default();
        let form = match media_type(content_type)?.as_str() {
            "application/json" => Form::Json(dialect),
            _ => Form::Protobuf,
        };
        let encoding = headers.get(CONTENT_ENCODING).map(|value| value.as_bytes()).unwrap_or_default();
        let wrapping = match encoding {
            b"" | b"snappy" => Wrapping::None,
            b"gzip" => Wrapping::Gzip,
            b"deflate" => Wrapping::Deflate,
            other => return Err(PushError::ContentEncoding(String::from_utf8_lossy(other).into_owned())),
        };
        Ok(Self {
            protocol: Protocol::Loki,
            form,
            wrapping,
            policy: text(headers, &POLICY),
            backfill: backfill(headers)?,
            user_agent: text(headers, &USER_AGENT).unwrap_or_default(),
        })
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
            let head = Head::read(&headers, Dialect::V1).unwrap();
            assert_eq!((head.form, head.wrapping), (form, wrapping), "{content_type} {encoding}");
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
            let error = Head::read(&headers, Dialect::V1).unwrap_err();
            assert_eq!((error.to_string().as_str(), error.status().as_u16()), (text, 400));
        }
    }
}
