//! How a push as a whole is refused, in the words that clients know.

use http::StatusCode;
use larch_api::TenantError;
use larch_logql::InvalidName;
use larch_rpc::CallError;
use larch_types::{ErrorKind, quoted};

use crate::decode::DecodeError;
use crate::decompress::DecompressError;
use crate::inflight::Full;
use crate::labels::InvalidLabelText;
use crate::media_type::InvalidMediaType;
use crate::rate::RateExceeded;

/// Nothing of the push is stored, or not so that it could be promised.
#[derive(Debug, thiserror::Error)]
pub(crate) enum PushError {
    #[error("The server cannot accept more requests at this time.")]
    Busy,
    #[error(transparent)]
    Tenant(#[from] TenantError),
    #[error(transparent)]
    ContentType(#[from] InvalidMediaType),
    #[error("Content-Encoding {} not supported", quoted(.0))]
    ContentEncoding(String),
    #[error("content type: {0} is not supported")]
    OtlpContentType(String),
    #[error("unsupported content encoding {0}: only gzip, lz4 and zstd are supported")]
    OtlpContentEncoding(String),
    #[error("invalid X-Loki-Backfill-Shard header: value length {0} exceeds limit of {MAX_SHARD_BYTES}")]
    LongShard(usize),
    #[error("invalid X-Loki-Backfill-Shard header: value is not a valid label value")]
    InvalidShard,
    #[error(
        "streams must not contain the reserved labels __backfill__ or __backfill_shard__; set the \
         X-Loki-Backfill-Shard header to mark a push as backfill data"
    )]
    ReservedLabels,
    #[error("request body too large: message size too large than max ({size} vs {max})")]
    BodyTooLarge { size: u64, max: u64 },
    #[error("request body too large: {0}")]
    Decompressed(DecompressError),
    #[error("request body too large: stream labels size {} exceeds limit of {}", rounded(*.size), rounded(*.max))]
    LabelsTooLarge { size: usize, max: usize },
    #[error("request body too large: {0}")]
    TooManyElements(DecodeError),
    #[error("the request's body did not arrive in time")]
    BodyLate,
    #[error("the client went away while it sent its body")]
    BodyBroken,
    #[error("{0}")]
    Undecodable(String),
    #[error(transparent)]
    Labels(#[from] InvalidLabelText),
    #[error("error at least one valid stream is required for ingestion")]
    NoStreams,
    #[error(transparent)]
    MetadataName(#[from] InvalidName),
    #[error(transparent)]
    Rate(#[from] RateExceeded),
    #[error("at least {needed} live replicas required, could only find {found}")]
    TooFewIngesters { needed: usize, found: usize },
    /// What the ingesters say, of the last stream that they refused.
    #[error("{0}")]
    Ingester(CallError),
}

/// Longest value of the header that marks a push as backfill.
pub(crate) const MAX_SHARD_BYTES: usize = 128;

/// Longer waits are of no use: rates and their users change.
const MAX_RETRY_SECONDS: u64 = 60;

impl PushError {
    pub(crate) fn kind(&self) -> ErrorKind {
        match self {
            Self::Busy => ErrorKind::Unavailable,
            Self::Tenant(error) => error.kind(),
            Self::BodyTooLarge { .. }
            | Self::Decompressed(_)
            | Self::LabelsTooLarge { .. }
            | Self::TooManyElements(_) => ErrorKind::TooLarge,
            Self::BodyLate => ErrorKind::Timeout,
            Self::BodyBroken => ErrorKind::Cancelled,
            Self::NoStreams => ErrorKind::Unprocessable,
            Self::MetadataName(error) => error.kind(),
            Self::Rate(_) => ErrorKind::TooMany,
            Self::TooFewIngesters { .. } => ErrorKind::Internal,
            Self::Ingester(error) => error.kind(),
            Self::ContentType(_)
            | Self::ContentEncoding(_)
            | Self::OtlpContentType(_)
            | Self::OtlpContentEncoding(_)
            | Self::LongShard(_)
            | Self::InvalidShard
            | Self::ReservedLabels
            | Self::Undecodable(_)
            | Self::Labels(_) => ErrorKind::Invalid,
        }
    }

    /// After how many seconds a client that was turned away may try again.
    pub(crate) fn retry_seconds(&self) -> u64 {
        match self {
            // What never fits is tried again anyway, by clients who know nothing else to do.
            Self::Rate(error) => error.wait.map_or(MAX_RETRY_SECONDS, |wait| {
                wait.as_nanos().div_ceil(1_000_000_000).clamp(1, MAX_RETRY_SECONDS.into()) as u64
            }),
            _ => 1,
        }
    }

    pub(crate) fn status(&self) -> StatusCode {
        StatusCode::from_u16(self.kind().http()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
    }
}

impl From<Full> for PushError {
    fn from(_: Full) -> Self {
        Self::Busy
    }
}

impl From<DecompressError> for PushError {
    fn from(error: DecompressError) -> Self {
        match error {
            DecompressError::Full => Self::Busy,
            DecompressError::TooLarge { .. } => Self::Decompressed(error),
            DecompressError::Snappy | DecompressError::Stream(_) => Self::Undecodable(error.to_string()),
        }
    }
}

impl From<DecodeError> for PushError {
    fn from(error: DecodeError) -> Self {
        match error {
            DecodeError::Invalid(text) => Self::Undecodable(text),
            DecodeError::TooMany | DecodeError::TooLong => Self::TooManyElements(error),
        }
    }
}

/// A size as Loki rounds it for people: thousands, with one digit behind the point below ten.
fn rounded(bytes: usize) -> String {
    let units = ["B", "kB", "MB", "GB", "TB", "PB", "EB"];
    if bytes < 10 {
        return format!("{bytes} B");
    }
    let (mut size, mut unit) = (bytes as f64, 0);
    while size >= 1000.0 && unit + 1 < units.len() {
        size /= 1000.0;
        unit += 1;
    }
    let tenths = (size * 10.0 + 0.5).floor() / 10.0;
    if tenths < 10.0 {
        format!("{tenths:.1} {}", units[unit])
    } else {
        format!("{tenths:.0} {}", units[unit])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_for_people() {
        for (bytes, text) in [
            (9, "9 B"),
            (999, "999 B"),
            (1000, "1.0 kB"),
            (1 << 24, "17 MB"),
            ((1 << 24) + (1 << 22), "21 MB"),
        ] {
            assert_eq!(rounded(bytes), text);
        }
    }
}
