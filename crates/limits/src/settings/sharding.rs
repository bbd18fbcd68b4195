//! Spreading fast streams over several ingesters.

use larch_types::{ByteSize, Span};
use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ShardStreamsSettings {
    /// Spreads streams that are pushed faster than `desired_rate`.
    pub enabled: bool,
    /// Keeps old rows of a stream apart from new ones; rows of any order are taken without it.
    pub time_sharding_enabled: bool,
    /// Age up to which rows count as new.
    pub time_sharding_ignore_recent: Span,
    /// Logs each spread.
    pub logging_enabled: bool,
    /// Bytes a second that one shard of a stream should carry.
    pub desired_rate: ByteSize,
}

impl Default for ShardStreamsSettings {
    fn default() -> Self {
        Self {
            enabled: true,
            time_sharding_enabled: false,
            time_sharding_ignore_recent: Span::from_mins(40),
            logging_enabled: false,
            desired_rate: ByteSize::kib(1536),
        }
    }
}
