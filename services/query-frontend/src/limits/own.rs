//! Limits that a request brings with it: the header `X-Loki-Query-Limits`. They can only be tighter.

use http::{HeaderMap, HeaderName};
use larch_types::{ByteSize, Span};
use serde::Deserialize;
use tracing::warn;

use super::ReadLimits;

const HEADER: HeaderName = HeaderName::from_static("x-loki-query-limits");

/// What a request may set; unknown fields mean nothing.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct OwnLimits {
    max_query_length: Span,
    max_query_interval: Span,
    max_query_lookback: Span,
    max_entries_limit_per_query: u32,
    max_query_time: Span,
    required_labels: Vec<String>,
    minimum_labels_number: u32,
    max_query_bytes_read: ByteSize,
}

impl OwnLimits {
    /// A header that cannot be read is left out of account, as by Loki.
    pub(crate) fn read(headers: &HeaderMap) -> Option<Self> {
        let text = headers.get(HEADER)?;
        match serde_json::from_slice(text.as_bytes()) {
            Ok(limits) => Some(limits),
            Err(error) => {
                warn!(%error, "limits of a request cannot be read");
                None
            }
        }
    }
}

impl ReadLimits {
    pub(crate) fn tighten(&mut self, own: &OwnLimits) {
        self.length = tighter(self.length, own.max_query_length);
        self.range = tighter(self.range, own.max_query_interval);
        self.lookback = tighter(self.lookback, own.max_query_lookback);
        self.entries = tighter(self.entries, own.max_entries_limit_per_query);
        self.timeout = tighter(self.timeout, own.max_query_time);
        self.query_bytes = tighter(self.query_bytes, own.max_query_bytes_read.as_u64());
        self.minimum_labels = self.minimum_labels.max(own.minimum_labels_number);
        for label in &own.required_labels {
            if !self.required_labels.contains(label) {
                self.required_labels.push(label.clone());
            }
        }
    }
}

/// The smaller of those above zero.
fn tighter<T: Copy + Ord + Default>(known: T, own: T) -> T {
    if own <= T::default() || (known > T::default() && known <= own) { known } else { own }
}

#[cfg(test)]
mod tests {
    use larch_launch::TenantLimits;
    use larch_limits::{LimitsSettings, OperationalSettings};

    use super::*;

    fn read(text: &str) -> Option<OwnLimits> {
        let mut headers = HeaderMap::new();
        headers.insert(HEADER, text.parse().expect("a header"));
        OwnLimits::read(&headers)
    }

    #[test]
    fn only_what_is_tighter_counts() {
        let settings = LimitsSettings {
            required_labels: vec!["app".to_owned()],
            minimum_labels_number: 3,
            ..LimitsSettings::default()
        };
        let limits = TenantLimits::new(settings, OperationalSettings::default());
        let mut limits = ReadLimits::of(&limits, &"a".parse().expect("a tenant"));
        let own = r#"{"maxQueryLength": "2d", "maxQueryInterval": "1h", "maxQueryLookback": "30d",
            "maxEntriesLimitPerQuery": 7000, "maxQueryTime": "10s", "requiredLabels": ["app", "env"],
            "minimumLabelsNumber": 2, "maxQueryBytesRead": "1GB", "tsdbShardingStrategy": "bounded"}"#;
        limits.tighten(&read(&own.replace('\n', " ")).expect("limits"));
        assert_eq!((limits.length, limits.range), (Span::from_hours(48), Span::from_hours(1)));
        assert_eq!((limits.lookback, limits.timeout), (Span::from_days(30), Span::from_secs(10)));
        assert_eq!((limits.entries, limits.minimum_labels), (5000, 3));
        assert_eq!(limits.query_bytes, 1 << 30);
        assert_eq!(limits.required_labels, ["app", "env"]);
    }

    #[test]
    fn what_cannot_be_read_changes_nothing() {
        for text in ["", "x", "7", r#"{"maxQueryLength": "long"}"#] {
            assert_eq!(read(text), None, "{text}");
        }
        assert_eq!(read("{}"), Some(OwnLimits::default()));
        assert_eq!(OwnLimits::read(&HeaderMap::new()), None);
    }
}
