//! What is wrong with single streams and rows, and how it is told.

use std::collections::HashMap;
use std::fmt;

use larch_types::{ByteSize, Timestamp};

use crate::metrics::Reason;
use crate::pushed::PushedTime;

/// Why a stream or a row is left out, while the rest of the push goes on. `stream` is its labels as text.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Problem<'s> {
    #[error("error at least one label pair is required per stream")]
    NoLabels,
    #[error("entry for stream '{stream}' has {count} label names; limit {limit}")]
    LabelNames { stream: &'s str, count: usize, limit: u32 },
    #[error("stream '{stream}' has label name too long: '{name}'")]
    LabelName { stream: &'s str, name: &'s str },
    #[error("stream '{stream}' has label value too long: '{value}'")]
    LabelValue { stream: &'s str, value: &'s str },
    #[error("stream '{stream}' has duplicate label name: '{name}'")]
    Duplicate { stream: &'s str, name: &'s str },
    #[error("stream '{stream}' has the label '{name}', which is denied by limits_config.label_rules")]
    DeniedLabel { stream: &'s str, name: &'s str },
    #[error("error parsing labels '{text}' with error: {error}")]
    InvalidLabels { text: &'s str, error: &'s str },
    #[error(
        "missing required labels '{labels}' for user '{tenant}' for stream '{stream}' (policy: '{policy}')"
    )]
    EnforcedLabels { labels: String, tenant: &'s str, stream: &'s str, policy: &'s str },
    #[error(
        "entry for stream '{stream}' has timestamp too old: {time}, oldest acceptable timestamp is: {oldest}"
    )]
    TooOld { stream: &'s str, time: PushedTime, oldest: PushedTime },
    #[error("entry for stream '{stream}' has timestamp too new: {time}")]
    TooNew { stream: &'s str, time: PushedTime },
    #[error(
        "max entry size '{}' bytes exceeded for stream '{stream}' while adding an entry with length '{length}' bytes",
        .limit.as_u64()
    )]
    LineTooLong { stream: &'s str, length: usize, limit: ByteSize },
    #[error(
        "stream '{stream}' includes structured metadata, but this feature is disallowed. Please see \
         `limits_config.allow_structured_metadata` or contact your Loki administrator to enable it"
    )]
    MetadataDisallowed { stream: &'s str },
    #[error(
        "stream '{stream}' has structured metadata too large: '{size}' bytes, limit: '{}' bytes. Please see \
         `limits_config.max_structured_metadata_size` or contact your Loki administrator to increase it",
        .limit.as_u64()
    )]
    MetadataTooLarge { stream: &'s str, size: u64, limit: ByteSize },
    #[error(
        "stream '{stream}' has too many structured metadata labels: '{count}', limit: '{limit}'. Please see \
         `limits_config.max_structured_metadata_entries_count` or contact your Loki administrator to \
         increase it"
    )]
    MetadataTooMany { stream: &'s str, count: usize, limit: u32 },
}

impl Problem<'_> {
    pub(crate) fn reason(&self) -> Reason {
        match self {
            Self::NoLabels => Reason::MissingLabels,
            Self::LabelNames { .. } => Reason::LabelNames,
            Self::LabelName { .. } => Reason::LabelName,
            Self::LabelValue { .. } => Reason::LabelValue,
            Self::Duplicate { .. } => Reason::DuplicateLabel,
            Self::DeniedLabel { .. } => Reason::DeniedLabel,
            Self::InvalidLabels { .. } => Reason::InvalidLabels,
            Self::EnforcedLabels { .. } => Reason::EnforcedLabels,
            Self::TooOld { .. } => Reason::TooOld,
            Self::TooNew { .. } => Reason::TooNew,
            Self::LineTooLong { .. } => Reason::LineTooLong,
            Self::MetadataDisallowed { .. } => Reason::MetadataDisallowed,
            Self::MetadataTooLarge { .. } => Reason::MetadataTooLarge,
            Self::MetadataTooMany { .. } => Reason::MetadataTooMany,
        }
    }
}

/// Nothing may be pushed now, by the tenant or to one of its policies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Blocked {
    pub(crate) tenant: String,
    /// `None`: nothing at all.
    pub(crate) policy: Option<String>,
    pub(crate) until: Timestamp,
    pub(crate) status: u16,
}

impl fmt::Display for Blocked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { tenant, policy, until, status } = self;
        write!(f, "ingestion blocked for user '{tenant}'")?;
        if let Some(policy) = policy {
            write!(f, " (policy: '{policy}')")?;
        }
        write!(f, " until '{}' with status code '{status}'", PushedTime::from(*until))
    }
}

/// The problems of one push, those of the same words together, in the order in which they were found.
#[derive(Debug, Default)]
pub(crate) struct Problems {
    messages: Vec<(String, u64)>,
    places: HashMap<String, usize>,
    text_bytes: usize,
    /// Problems that found no room.
    more: u64,
}

/// Each row may have words of its own; a client that reads its answer reads the first of them.
const MAX_TEXT_BYTES: usize = 256 << 10;
/// The labels of a stream within Loki's limits fit: fifteen names of 1 KiB and values of 2 KiB.
const MAX_MESSAGE_BYTES: usize = 64 << 10;

impl Problems {
    pub(crate) fn add(&mut self, problem: &Problem<'_>) {
        if self.text_bytes >= MAX_TEXT_BYTES {
            self.more += 1;
            return;
        }
        let mut message = problem.to_string();
        if message.len() > MAX_MESSAGE_BYTES {
            message.truncate(message.floor_char_boundary(MAX_MESSAGE_BYTES));
            message.push_str("...");
        }
        if let Some(place) = self.places.get(&message) {
            self.messages[*place].1 += 1;
            return;
        }
        self.text_bytes += message.len();
        self.places.insert(message.clone(), self.messages.len());
        self.messages.push((message, 1));
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.messages.is_empty()
    }
}

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let ([(message, 1)], 0) = (self.messages.as_slice(), self.more) {
            return f.write_str(message);
        }
        for (index, (message, count)) in self.messages.iter().enumerate() {
            let separator = if index > 0 { "; " } else { "" };
            write!(f, "{separator}{count} errors like: {message}")?;
        }
        if self.more > 0 {
            write!(f, "; {} more errors", self.more)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn alone_together_and_too_many() {
        let mut problems = Problems::default();
        assert!(problems.is_empty());
        let old = Problem::TooOld {
            stream: "{}",
            time: PushedTime::from_nanos(0),
            oldest: PushedTime::from_nanos(1_999_999_999),
        };
        problems.add(&old);
        let text = "entry for stream '{}' has timestamp too old: 1970-01-01T00:00:00Z, oldest acceptable \
                    timestamp is: 1970-01-01T00:00:01Z";
        assert_eq!(problems.to_string(), text);
        problems.add(&Problem::NoLabels);
        problems.add(&old);
        let labels = "1 errors like: error at least one label pair is required per stream";
        assert_eq!(problems.to_string(), format!("2 errors like: {text}; {labels}"));
        let long = "x".repeat(MAX_MESSAGE_BYTES);
        for count in 0..10 {
            problems.add(&Problem::LabelNames { stream: &long, count, limit: 0 });
        }
        let text = problems.to_string();
        assert!(text.len() < MAX_TEXT_BYTES + 2 * MAX_MESSAGE_BYTES);
        assert!(text.contains("10 errors like: entry for stream 'xxx"), "cut, they are the same");
        for second in 0..10_000 {
            let time = PushedTime::from_nanos(second * 1_000_000_000);
            problems.add(&Problem::TooNew { stream: "{}", time });
        }
        let text = problems.to_string();
        assert!(text.len() < 2 * MAX_TEXT_BYTES, "{}", text.len());
        assert!(text.ends_with(" more errors"));
    }
}
