//! Settings that stand at the top of the file, outside any block.

use larch_limits::PUBLISHED_LIMITS;
use larch_telemetry::Namespace;
use larch_types::{InvalidSetting, OldKey, Section, Span, TenantId, ensure};
use serde::{Deserialize, Serialize};

/// The keys without a block.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TopSettings {
    /// The roles that run in this process, separated by commas.
    pub target: String,
    /// Whether requests name their tenant in the header `X-Scope-OrgID`.
    pub auth_enabled: bool,
    /// The tenant of all requests when `auth_enabled` is false.
    pub no_auth_tenant: String,
    /// How long `/ready` says no before anything stops, so that load balancers look elsewhere.
    pub shutdown_delay: Span,
    /// First part of the names of metrics that Loki has too.
    pub metrics_namespace: String,
    /// Which limits tenants may read of themselves; empty means all.
    pub tenant_limits_allow_publish: Vec<String>,
}

impl Default for TopSettings {
    fn default() -> Self {
        Self {
            target: "all".to_owned(),
            auth_enabled: true,
            no_auth_tenant: "fake".to_owned(),
            shutdown_delay: Span::ZERO,
            metrics_namespace: "loki".to_owned(),
            tenant_limits_allow_publish: PUBLISHED_LIMITS.map(str::to_owned).into(),
        }
    }
}

const BLOOMS: &str = "filters are part of the segments";
const KAFKA: &str = "pushes are replicated between ingesters, never through Kafka";
const GO: &str = "there is no garbage collector to tune";

impl Section for TopSettings {
    const OLD_KEYS: &'static [OldKey] = &[
        OldKey::moved("http_prefix", "server.http_path_prefix"),
        OldKey::moved("tenant_federation.enabled", "querier.multi_tenant_queries_enabled"),
        OldKey::meaningless("tenant_federation", "only its key enabled has a counterpart"),
        OldKey::meaningless("ballast_bytes", GO),
        OldKey::meaningless("lbac", "label policies are not read"),
        OldKey::meaningless("analytics", "nothing is ever reported"),
        OldKey::meaningless("bloom_build", BLOOMS),
        OldKey::meaningless("bloom_compactor", BLOOMS),
        OldKey::meaningless("bloom_gateway", BLOOMS),
        OldKey::meaningless("bloom_shipper", BLOOMS),
        OldKey::meaningless("kafka_config", KAFKA),
        OldKey::meaningless("block_builder", KAFKA),
        OldKey::meaningless("block_scheduler", KAFKA),
        OldKey::meaningless("dataobj", KAFKA),
        OldKey::meaningless("dataobj_explorer", KAFKA),
        OldKey::meaningless("ingest_limits", KAFKA),
        OldKey::meaningless("ingest_limits_frontend", KAFKA),
        OldKey::meaningless("ingest_limits_frontend_client", KAFKA),
        OldKey::meaningless("table_manager", "there are no tables to manage"),
        OldKey::meaningless("internal_server", "operational pages are served by the HTTP port"),
        OldKey::meaningless("ui", "there is no such user interface"),
        OldKey::meaningless("profiling", GO),
        OldKey::meaningless("shutdown_marker_path", "see ingester.shutdown_marker_path"),
    ];

    fn check(&self) -> Result<(), InvalidSetting> {
        if let Err(invalid) = self.no_auth_tenant.parse::<TenantId>() {
            return ensure(false, "no_auth_tenant", invalid.to_string());
        }
        if let Err(invalid) = self.metrics_namespace.parse::<Namespace>() {
            return ensure(false, "metrics_namespace", invalid.to_string());
        }
        ensure(!self.shutdown_delay.is_negative(), "shutdown_delay", "must not be negative")
    }
}

#[cfg(test)]
mod tests {
    use expect_test::expect;
    use larch_testkit::settings::{comes_back, defaults, refusal};

    use super::*;

    #[test]
    fn defaults_are_those_of_loki() {
        expect![[r#"
            target: "all"
            auth_enabled: true
            no_auth_tenant: "fake"
            shutdown_delay: "0s"
            metrics_namespace: "loki"
            tenant_limits_allow_publish: ["discover_log_levels","discover_service_name","log_level_fields","max_entries_limit_per_query","max_line_size_truncate","max_query_bytes_read","max_query_length","max_query_lookback","max_query_range","max_query_series","metric_aggregation_enabled","otlp_config","pattern_persistence_enabled","query_timeout","retention_period","retention_stream","volume_enabled","volume_max_series"]
        "#]]
        .assert_eq(&defaults::<TopSettings>());
    }

    #[test]
    fn values_come_back() {
        let top: TopSettings = comes_back(
            r#"{"target": "read,write", "auth_enabled": false, "no_auth_tenant": "me", "shutdown_delay": "5s",
                "metrics_namespace": "larch", "tenant_limits_allow_publish": ["max_query_series"]}"#,
        );
        assert_eq!(top.check(), Ok(()));
    }

    #[test]
    fn refuses_what_cannot_be_meant() {
        for (given, text) in [
            (r#"{"no_auth_tenant": ""}"#, "no_auth_tenant: no org id"),
            (r#"{"metrics_namespace": "a-b"}"#, "metrics_namespace: not a metrics namespace: \"a-b\""),
            (r#"{"shutdown_delay": "-1s"}"#, "shutdown_delay: must not be negative"),
        ] {
            assert_eq!(refusal::<TopSettings>(given), text, "{given}");
        }
    }
}
