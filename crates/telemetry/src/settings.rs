//! Settings of Larch's own traces.

use std::path::PathBuf;

use larch_types::{InvalidSetting, NamedFile, Section, ensure};
use serde::{Deserialize, Serialize};

/// The block `tracing`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TracingSettings {
    /// Continues the traces of callers, and sends own spans if there is an endpoint.
    pub enabled: bool,
    /// URL of an OTLP receiver (gRPC) for spans; empty sends none.
    pub otlp_endpoint: String,
    /// File with the certificates to trust, which an endpoint with `https` needs.
    pub otlp_ca_file: String,
    /// Share of the traces begun here that are kept, from 0 to 1.
    pub sample_ratio: f64,
}

impl Default for TracingSettings {
    fn default() -> Self {
        Self { enabled: true, otlp_endpoint: String::new(), otlp_ca_file: String::new(), sample_ratio: 1.0 }
    }
}

impl Section for TracingSettings {
    fn check(&self) -> Result<(), InvalidSetting> {
        let is_https = self.otlp_endpoint.starts_with("https://");
        ensure(
            self.otlp_endpoint.is_empty() || is_https || self.otlp_endpoint.starts_with("http://"),
            "otlp_endpoint",
            "must be a URL such as http://collector:4317",
        )?;
        ensure(
            !(is_https && self.otlp_ca_file.is_empty()),
            "otlp_ca_file",
            "must be set if otlp_endpoint is https",
        )?;
        ensure((0.0..=1.0).contains(&self.sample_ratio), "sample_ratio", "must be between 0 and 1")
    }

    fn files(&self) -> Vec<NamedFile> {
        if self.otlp_ca_file.is_empty() {
            return Vec::new();
        }
        vec![NamedFile { key: "otlp_ca_file".to_owned(), path: PathBuf::from(&self.otlp_ca_file) }]
    }
}

#[cfg(test)]
mod tests {
    use expect_test::expect;
    use larch_testkit::settings::{comes_back, defaults, files, refusal};

    use super::*;

    #[test]
    fn defaults_are_those_of_loki() {
        expect![[r#"
            enabled: true
            otlp_endpoint: ""
            otlp_ca_file: ""
            sample_ratio: 1.0
        "#]]
        .assert_eq(&defaults::<TracingSettings>());
    }

    #[test]
    fn values_come_back() {
        let settings: TracingSettings = comes_back(
            r#"{"enabled": false, "otlp_endpoint": "https://collector:4317", "otlp_ca_file": "ca.pem",
                "sample_ratio": 0.1}"#,
        );
        assert_eq!(settings.check(), Ok(()));
    }

    #[test]
    fn files_are_those_that_are_set() {
        assert_eq!(files::<TracingSettings>("{}"), [""; 0]);
        assert_eq!(files::<TracingSettings>(r#"{"otlp_ca_file": "ca.pem"}"#), ["otlp_ca_file=ca.pem"]);
    }

    #[test]
    fn refuses_what_cannot_be_meant() {
        for (given, text) in [
            (
                r#"{"otlp_endpoint": "collector:4317"}"#,
                "otlp_endpoint: must be a URL such as http://collector:4317",
            ),
            (
                r#"{"otlp_endpoint": "https://collector:4317"}"#,
                "otlp_ca_file: must be set if otlp_endpoint is https",
            ),
            (r#"{"sample_ratio": 2}"#, "sample_ratio: must be between 0 and 1"),
        ] {
            assert_eq!(refusal::<TracingSettings>(given), text, "{given}");
        }
    }
}
