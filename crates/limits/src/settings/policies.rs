//! Policies: sets of a tenant's streams that have limits of their own.

use std::fmt;
use std::str::FromStr;

use larch_types::{ByteSize, InvalidTimestamp, Timestamp};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::ShardStreamsSettings;

/// Streams of a policy. All matchers must fit; of several policies that with the highest priority wins.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PriorityStream {
    pub selector: String,
    pub priority: i64,
}

/// Limits for the streams of a policy. `0` leaves a limit as it is for the tenant.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PolicyLimits {
    pub ingestion_rate_mb: f64,
    pub ingestion_burst_size_mb: f64,
    pub max_streams_per_user: u32,
    pub max_global_streams_per_user: u32,
    pub per_stream_rate_limit: ByteSize,
    pub per_stream_rate_limit_burst: ByteSize,
    /// Only in an entry of a mapping can a block be left out as a whole.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub shard_streams: Option<ShardStreamsSettings>,
}

/// A time up to which something is blocked, as RFC 3339 text; `0` means that nothing is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct BlockedUntil(Option<Timestamp>);

impl BlockedUntil {
    pub const fn new(until: Timestamp) -> Self {
        Self(Some(until))
    }

    /// The end of the block, if there is one that has not passed.
    pub fn at(self, now: Timestamp) -> Option<Timestamp> {
        self.0.filter(|until| now < *until)
    }
}

impl FromStr for BlockedUntil {
    type Err = InvalidTimestamp;

    fn from_str(text: &str) -> Result<Self, InvalidTimestamp> {
        if text.is_empty() || text == "0" {
            return Ok(Self(None));
        }
        text.parse().map(Self::new)
    }
}

impl fmt::Display for BlockedUntil {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(until) => until.fmt(f),
            None => f.write_str("0"),
        }
    }
}

impl Serialize for BlockedUntil {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for BlockedUntil {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}
