//! A push as its decoder leaves it: nothing in it is checked but that it could be read.

use std::fmt;

use bytes::Bytes;
use jiff::civil;
use larch_types::Timestamp;

/// One stream of a push.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct PushedStream {
    pub(crate) labels: PushedLabels,
    pub(crate) entries: Vec<PushedEntry>,
}

/// Labels in the form in which they came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum PushedLabels {
    /// In the grammar of Prometheus' metrics. Need not be UTF-8.
    Text(Bytes),
    /// Each name once.
    Pairs(Vec<(String, String)>),
}

/// One row. Its bytes are slices of the body wherever the form allows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct PushedEntry {
    pub(crate) time: PushedTime,
    pub(crate) line: Bytes,
    pub(crate) metadata: Vec<PushedPair>,
}

/// Structured metadata. Neither part need be UTF-8.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct PushedPair {
    pub(crate) name: Bytes,
    pub(crate) value: Bytes,
}

impl PushedEntry {
    /// Names and values as they were pushed.
    pub(crate) fn metadata_bytes(&self) -> u64 {
        self.metadata.iter().map(|pair| (pair.name.len() + pair.value.len()) as u64).sum()
    }
}

/// A time of the years 1 to 9999, which is what clients can say and more than [`Timestamp`] holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct PushedTime {
    seconds: i64,
    nanos: u32,
}

const NANOS_PER_SECOND: i64 = 1_000_000_000;
/// 0001-01-01T00:00:00Z and 10000-01-01T00:00:00Z, the bounds of protobuf's timestamps.
const FIRST_SECOND: i64 = -62_135_596_800;
const END_SECOND: i64 = 253_402_300_800;

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum InvalidTime {
    #[error("timestamp: seconds:{seconds} nanos:{nanos}: nanos not in range [0, 1e9)")]
    Nanos { seconds: i64, nanos: i32 },
    #[error("timestamp: seconds:{seconds} nanos:{nanos}: not in the years 1 to 9999")]
    Seconds { seconds: i64, nanos: i32 },
}

impl PushedTime {
    /// What a row without a time has: Go's zero time, which no tenant's age limit lets in.
    pub(crate) const MISSING: Self = Self { seconds: FIRST_SECOND, nanos: 0 };

    pub(crate) fn new(seconds: i64, nanos: i32) -> Result<Self, InvalidTime> {
        let Some(valid) = u32::try_from(nanos).ok().filter(|nanos| i64::from(*nanos) < NANOS_PER_SECOND)
        else {
            return Err(InvalidTime::Nanos { seconds, nanos });
        };
        if !(FIRST_SECOND..END_SECOND).contains(&seconds) {
            return Err(InvalidTime::Seconds { seconds, nanos });
        }
        Ok(Self { seconds, nanos: valid })
    }

    pub(crate) fn from_nanos(nanos: i64) -> Self {
        let below_second = nanos.rem_euclid(NANOS_PER_SECOND);
        Self { seconds: nanos.div_euclid(NANOS_PER_SECOND), nanos: below_second as u32 }
    }

    pub(crate) fn from_unsigned_nanos(nanos: u64) -> Self {
        let second = NANOS_PER_SECOND as u64;
        Self { seconds: (nanos / second) as i64, nanos: (nanos % second) as u32 }
    }

    /// `None` before 1677 and after 2262.
    pub(crate) fn timestamp(self) -> Option<Timestamp> {
        let nanos = i128::from(self.seconds) * i128::from(NANOS_PER_SECOND) + i128::from(self.nanos);
        i64::try_from(nanos).ok().map(Timestamp::from_nanos)
    }
}

impl From<Timestamp> for PushedTime {
    fn from(time: Timestamp) -> Self {
        Self::from_nanos(time.nanos())
    }
}

impl fmt::Display for PushedTime {
    /// RFC 3339 in UTC, to the second: as messages to clients have times.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Dates without a zone, because those with one end hours before the year 9999 does.
        let since_epoch = jiff::SignedDuration::from_secs(self.seconds);
        let time = civil::date(1970, 1, 1).at(0, 0, 0, 0).saturating_add(since_epoch);
        write!(f, "{time}Z")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bounds_and_texts() {
        assert_eq!(PushedTime::MISSING.to_string(), "0001-01-01T00:00:00Z");
        assert_eq!(PushedTime::MISSING.timestamp(), None);
        assert_eq!(PushedTime::new(END_SECOND - 1, 999_999_999).unwrap().to_string(), "9999-12-31T23:59:59Z");
        for (seconds, nanos, text) in [
            (1, -1, "timestamp: seconds:1 nanos:-1: nanos not in range [0, 1e9)"),
            (1, 1_000_000_000, "timestamp: seconds:1 nanos:1000000000: nanos not in range [0, 1e9)"),
            (i64::MIN, 0, "timestamp: seconds:-9223372036854775808 nanos:0: not in the years 1 to 9999"),
            (END_SECOND, 0, "timestamp: seconds:253402300800 nanos:0: not in the years 1 to 9999"),
        ] {
            assert_eq!(PushedTime::new(seconds, nanos).unwrap_err().to_string(), text);
        }
    }

    #[test]
    fn nanoseconds_come_back() {
        for nanos in [i64::MIN, -1, 0, 1, 1_790_812_822_494_853_000, i64::MAX] {
            let time = PushedTime::from_nanos(nanos);
            assert_eq!(time.timestamp(), Some(Timestamp::from_nanos(nanos)));
        }
        assert_eq!(PushedTime::from_unsigned_nanos(1_000_000_001), PushedTime::from_nanos(1_000_000_001));
        assert_eq!(PushedTime::from_unsigned_nanos(u64::MAX).to_string(), "2554-07-21T23:34:33Z");
        assert_eq!(PushedTime::from_unsigned_nanos(u64::MAX).timestamp(), None);
        assert_eq!(PushedTime::from_nanos(-1).to_string(), "1969-12-31T23:59:59Z");
        assert!(PushedTime::from_nanos(-1) < PushedTime::from_nanos(0));
    }
}
