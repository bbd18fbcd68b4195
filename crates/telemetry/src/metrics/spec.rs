//! What a metric is called: its declaration, the namespace, and what the inventory says of it.

use std::fmt;
use std::str::FromStr;

/// The first component of the names that dashboards of Loki know.
const DEFAULT_NAMESPACE: &str = "loki";

/// A metric as its owner declares it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Spec<const N: usize> {
    /// In full, as scrapers see it under the default namespace: `loki_panic_total`, not `panic`.
    pub name: &'static str,
    /// One sentence on one line.
    pub help: &'static str,
    pub labels: [&'static str; N],
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum MetricKind {
    Counter,
    Gauge,
    Histogram,
    Summary,
}

impl MetricKind {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Counter => "counter",
            Self::Gauge => "gauge",
            Self::Histogram => "histogram",
            Self::Summary => "summary",
        }
    }
}

/// One line of the inventory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MetricInfo {
    /// With the namespace in use.
    pub name: String,
    pub kind: MetricKind,
    pub labels: Vec<&'static str>,
    pub help: &'static str,
}

impl MetricInfo {
    /// Panics if the declaration could not be shown: it is a constant of the program, so this is found
    /// by the first test that builds its owner.
    pub(crate) fn new<const N: usize>(spec: Spec<N>, kind: MetricKind, namespace: &Namespace) -> Self {
        let Spec { name, help, labels } = spec;
        assert!(is_name(name), "not a metric name: {name:?}");
        assert!(!help.is_empty() && !help.contains(['\n', '\\', '"']), "{name}: help is not one plain line");
        for (index, label) in labels.iter().enumerate() {
            assert!(is_name(label) && *label != "le", "{name}: not a label name: {label:?}");
            assert!(!labels[..index].contains(label), "{name}: label {label} comes twice");
        }
        Self { name: namespace.apply(name), kind, labels: labels.to_vec(), help }
    }

    /// The name of the family in OpenMetrics, where counters leave `_total` to their samples.
    pub(crate) fn open_metrics_family(&self) -> &str {
        match self.kind {
            MetricKind::Counter => self.name.strip_suffix("_total").unwrap_or(&self.name),
            MetricKind::Gauge | MetricKind::Histogram | MetricKind::Summary => &self.name,
        }
    }
}

/// The setting `metrics_namespace`: takes the place of `loki` in names that begin with `loki_`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Namespace(Box<str>);

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not a metrics namespace: {}", larch_types::quoted(.0))]
pub struct InvalidNamespace(String);

impl Namespace {
    fn apply(&self, name: &str) -> String {
        match name.strip_prefix("loki_") {
            Some(rest) => format!("{}_{rest}", self.0),
            None => name.to_owned(),
        }
    }
}

impl Default for Namespace {
    fn default() -> Self {
        Self(DEFAULT_NAMESPACE.into())
    }
}

impl fmt::Display for Namespace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for Namespace {
    type Err = InvalidNamespace;

    fn from_str(text: &str) -> Result<Self, InvalidNamespace> {
        if !is_name(text) {
            return Err(InvalidNamespace(text.to_owned()));
        }
        Ok(Self(text.into()))
    }
}

/// A letter or underscore, then letters, digits and underscores. Colons are left to recording rules.
fn is_name(text: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    !text.is_empty() && !text.as_bytes()[0].is_ascii_digit() && text.bytes().all(allowed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_namespace_takes_the_place_of_loki_only() {
        let larch: Namespace = "larch".parse().unwrap();
        assert_eq!(larch.apply("loki_panic_total"), "larch_panic_total");
        assert_eq!(larch.apply("process_open_fds"), "process_open_fds");
        assert_eq!(larch.apply("lokix"), "lokix");
        assert_eq!(Namespace::default().apply("loki_panic_total"), "loki_panic_total");
    }

    #[test]
    fn refuses_what_would_break_names() {
        for text in ["", "9a", "a-b", "a b", "ä", "a:b", "a\n"] {
            let error = text.parse::<Namespace>().unwrap_err().to_string();
            assert!(error.starts_with("not a metrics namespace: \""), "{error}");
        }
    }
}
