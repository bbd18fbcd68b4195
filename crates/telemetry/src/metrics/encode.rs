//! From series to the text of a scrape.
//!
//! The two formats disagree about counters. OpenMetrics names the family without `_total` and knows no
//! counter whose samples lack it; Prometheus' format has one name for everything. Some of Loki's counters
//! lack `_total`, and their names must not change with the format, so OpenMetrics is told that their type
//! is unknown.

use std::any::Any;
use std::fmt;
use std::sync::Arc;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{
    DescriptorEncoder, EncodeCounterValue, EncodeGaugeValue, MetricEncoder, NoLabelSet, text,
};
use prometheus_client::metrics::MetricType;
use prometheus_client::registry;

use super::accept::Format;
use super::spec::{MetricInfo, MetricKind};

/// Everything that can print the series of one metric.
pub(crate) trait Source: Any + Send + Sync {
    fn encode(&self, head: Head<'_, '_>, names: Names) -> fmt::Result;
}

/// One series of some kind.
pub(crate) trait Series: Clone + Send + Sync + 'static {
    fn encode(&self, encoder: MetricEncoder<'_>, names: Names) -> fmt::Result;
}

/// How the samples of a counter get their name from that of the family.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Names {
    Same,
    WithTotal,
}

/// One declared metric.
pub(crate) struct Entry {
    pub(crate) info: MetricInfo,
    pub(crate) source: Box<dyn Source>,
}

/// The lines above the samples, written only by a source that has samples.
pub(crate) struct Head<'a, 'b> {
    encoder: &'a mut DescriptorEncoder<'b>,
    name: &'a str,
    help: &'a str,
    metric_type: MetricType,
}

impl<'a> Head<'a, '_> {
    pub(crate) fn begin(self) -> Result<MetricEncoder<'a>, fmt::Error> {
        self.encoder.encode_descriptor(self.name, self.help, None, self.metric_type)
    }
}

/// The whole text of one scrape.
pub(crate) fn encode(entries: Vec<Arc<Entry>>, format: Format) -> String {
    let summaries = summaries(&entries);
    let mut registry = registry::Registry::default();
    registry.register_collector(Box::new(Scrape { entries, format }));
    let mut text = String::new();
    let written = match format {
        Format::Prometheus => text::encode_registry(&mut text, &registry),
        Format::OpenMetrics => text::encode(&mut text, &registry),
    };
    debug_assert!(written.is_ok(), "writing to a string does not fail");
    let text = as_summaries(text, &summaries);
    match format {
        Format::Prometheus => with_short_bounds(&text),
        Format::OpenMetrics => text,
    }
}

struct Scrape {
    entries: Vec<Arc<Entry>>,
    format: Format,
}

impl fmt::Debug for Scrape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Scrape").field("format", &self.format).finish_non_exhaustive()
    }
}

impl Collector for Scrape {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        for entry in &self.entries {
            let info = &entry.info;
            let name = match self.format {
                Format::Prometheus => &info.name,
                Format::OpenMetrics => info.open_metrics_family(),
            };
            let names = if name == info.name { Names::Same } else { Names::WithTotal };
            let metric_type = match (info.kind, self.format, names) {
                (MetricKind::Gauge, ..) => MetricType::Gauge,
                // The encoder knows no summaries; what they are called is put right in the end.
                (MetricKind::Histogram | MetricKind::Summary, ..) => MetricType::Histogram,
                (MetricKind::Counter, Format::OpenMetrics, Names::Same) => MetricType::Unknown,
                (MetricKind::Counter, ..) => MetricType::Counter,
            };
            let head = Head { encoder: &mut encoder, name, help: info.help, metric_type };
            entry.source.encode(head, names)?;
        }
        Ok(())
    }
}

pub(crate) fn label_pairs<'a, const N: usize>(
    names: [&'static str; N],
    values: &'a [impl AsRef<str>; N],
) -> Vec<(&'static str, &'a str)> {
    let mut pairs = Vec::with_capacity(N);
    for (name, value) in names.into_iter().zip(values) {
        pairs.push((name, value.as_ref()));
    }
    pairs
}

pub(crate) fn write_counter(
    mut encoder: MetricEncoder<'_>,
    names: Names,
    value: impl EncodeCounterValue + EncodeGaugeValue,
) -> fmt::Result {
    match names {
        Names::WithTotal => encoder.encode_counter::<NoLabelSet, _, f64>(&value, None),
        Names::Same => encoder.encode_gauge(&value),
    }
}

/// Whole numbers are written as such: `42`, not `42.0`, as other exporters do.
pub(crate) fn write_float_gauge(mut encoder: MetricEncoder<'_>, value: f64) -> fmt::Result {
    // Below 2^53 every whole number is exact in both types.
    const EXACT: f64 = 9_007_199_254_740_992.0;
    if value.fract() == 0.0 && value.abs() < EXACT {
        return encoder.encode_gauge(&(value as i64));
    }
    encoder.encode_gauge(&value)
}

fn summaries(entries: &[Arc<Entry>]) -> Vec<String> {
    let summaries = entries.iter().filter(|entry| entry.info.kind == MetricKind::Summary);
    summaries.map(|entry| entry.info.name.clone()).collect()
}

/// Names the type of summaries. A line that begins like this is no sample, whatever label values hold.
fn as_summaries(mut text: String, names: &[String]) -> String {
    for name in names {
        text =
            text.replacen(&format!("\n# TYPE {name} histogram\n"), &format!("\n# TYPE {name} summary\n"), 1);
    }
    text
}

/// Writes a bucket's bound `1.0` as `1`, the way Loki does in Prometheus' format and recording rules
/// expect. The bound is the first label of its line, so that no label value can be mistaken for it.
fn with_short_bounds(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for line in text.split_inclusive('\n') {
        match split_at_whole_bound(line) {
            Some((before, after)) => {
                out.push_str(before);
                out.push_str(after);
            }
            None => out.push_str(line),
        }
    }
    out
}

/// What stands before and after the `.0` of a whole bound.
fn split_at_whole_bound(line: &str) -> Option<(&str, &str)> {
    const OPENING: &str = "_bucket{le=\"";
    let brace = line.find('{')?;
    let bound = line.find(OPENING)? + OPENING.len();
    if line.starts_with('#') || bound != brace + "{le=\"".len() {
        return None;
    }
    let end = bound + line[bound..].find('"')?;
    let before = line[..end].strip_suffix(".0")?;
    Some((before, &line[end..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_whole_bounds_are_shortened() {
        for (line, want) in [
            ("a_bucket{le=\"1.0\",x=\"2.0\"} 5\n", "a_bucket{le=\"1\",x=\"2.0\"} 5\n"),
            ("a_bucket{le=\"10.0\"} 5\n", "a_bucket{le=\"10\"} 5\n"),
            ("a_bucket{le=\"0.05\"} 5\n", "a_bucket{le=\"0.05\"} 5\n"),
            ("a_bucket{le=\"+Inf\"} 5\n", "a_bucket{le=\"+Inf\"} 5\n"),
            ("a{x=\"_bucket{le=\\\"1.0\\\"}\"} 5\n", "a{x=\"_bucket{le=\\\"1.0\\\"}\"} 5\n"),
            ("# HELP a_bucket{le=\"1.0\"}\n", "# HELP a_bucket{le=\"1.0\"}\n"),
            ("a 5\n", "a 5\n"),
        ] {
            assert_eq!(with_short_bounds(line), want);
        }
    }
}
