//! The body of a push, whole and bounded.

use std::error::Error;

use axum::body::Body;
use bytes::{Bytes, BytesMut};
use http::HeaderMap;
use http::header::CONTENT_LENGTH;
use http_body_util::BodyExt;
use larch_runtime::BodyError;

use crate::error::PushError;
use crate::inflight::HeldBytes;

/// Memory that a length in the head is believed for, before anything came.
const MAX_TRUSTED_BYTES: u64 = 1 << 20;

/// Reads to the end. How long that may take is the server's to say.
///
/// # Cancel safety
/// What was read is lost.
pub(crate) async fn read_body(
    headers: &HeaderMap,
    mut body: Body,
    max: u64,
    held: &mut HeldBytes,
) -> Result<Bytes, PushError> {
    let announced = headers.get(CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse::<u64>().ok());
    let announced = announced.unwrap_or(0);
    if announced > max {
        return Err(PushError::BodyTooLarge { size: announced, max });
    }
    let mut first: Option<Bytes> = None;
    let mut joined = BytesMut::new();
    let mut size = 0;
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| body_error(&error, max))?;
        let Ok(data) = frame.into_data() else { continue };
        size += data.len() as u64;
        if size > max {
            return Err(PushError::BodyTooLarge { size, max });
        }
        held.grow(data.len())?;
        match first.take() {
            // A body in one piece is not copied.
            None if joined.is_empty() => first = Some(data),
            None => joined.extend_from_slice(&data),
            Some(begun) => {
                joined.reserve(announced.min(MAX_TRUSTED_BYTES).max(size) as usize);
                joined.extend_from_slice(&begun);
                joined.extend_from_slice(&data);
            }
        }
    }
    Ok(first.unwrap_or_else(|| joined.freeze()))
}

fn body_error(error: &axum::Error, max: u64) -> PushError {
    let mut cause: Option<&(dyn Error + 'static)> = Some(error);
    while let Some(error) = cause {
        match error.downcast_ref::<BodyError>() {
            Some(BodyError::TooLarge) => return PushError::BodyTooLarge { size: max.saturating_add(1), max },
            Some(BodyError::Late) => return PushError::BodyLate,
            Some(BodyError::Broken) => return PushError::BodyBroken,
            Some(BodyError::Malformed) => return PushError::Undecodable(BodyError::Malformed.to_string()),
            None => cause = error.source(),
        }
    }
    PushError::BodyBroken
}
