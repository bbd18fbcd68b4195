//! Limits as others see them: names and texts for clients, numbers for metrics.

use larch_types::{ByteSize, Span, TenantId};
use serde_json::{Map, Value as Json};

use crate::{LimitsSettings, Overrides};

/// The limits that clients may read unless `tenant_limits_allow_publish` names others.
pub const PUBLISHED_LIMITS: [&str; 18] = [
    "discover_log_levels",
    "discover_service_name",
    "log_level_fields",
    "max_entries_limit_per_query",
    "max_line_size_truncate",
    "max_query_bytes_read",
    "max_query_length",
    "max_query_lookback",
    "max_query_range",
    "max_query_series",
    "metric_aggregation_enabled",
    "otlp_config",
    "pattern_persistence_enabled",
    "query_timeout",
    "retention_period",
    "retention_stream",
    "volume_enabled",
    "volume_max_series",
];

/// Limits that are text. Lengths of time and sizes are printed as text too, but are numbers.
const TEXTS: [&str; 8] = [
    "ingestion_rate_strategy",
    "max_line_size_truncate_identifier",
    "block_ingestion_until",
    "tsdb_sharding_strategy",
    "deletion_mode",
    "s3_sse_type",
    "s3_sse_kms_key_id",
    "s3_sse_kms_encryption_context",
];

impl LimitsSettings {
    /// The limits of these names in alphabetical order, lengths of time and sizes as text; all limits if
    /// there are no names. Secrets are masked.
    pub fn published(&self, names: &[String]) -> Map<String, Json> {
        let mut limits = tree(self);
        limits.retain(|name, _| names.is_empty() || names.contains(name));
        limits.sort_keys();
        if let Some(otlp) = limits.get_mut("otlp_config") {
            // Clients know this block without what is not set.
            drop_empty(otlp);
        }
        limits
    }

    /// Every limit that is a number, in the order of the fields: lengths of time in nanoseconds, sizes in
    /// bytes, switches as 0 and 1.
    pub fn numbers(&self) -> Vec<(String, f64)> {
        let mut numbers = Vec::new();
        for (name, value) in tree(self) {
            if let Some(number) = number(&name, &value) {
                numbers.push((name, number));
            }
        }
        numbers
    }
}

impl Overrides {
    /// The numbers in which tenants differ from a tenant without overrides.
    pub fn differing_numbers(&self) -> Vec<(&TenantId, Vec<(String, f64)>)> {
        let defaults = self.default_limits().numbers();
        let mut differing = Vec::new();
        for (tenant, limits) in self.tenants() {
            let mut own = limits.numbers();
            own.retain(|number| !defaults.contains(number));
            if !own.is_empty() {
                differing.push((tenant, own));
            }
        }
        differing
    }
}

fn tree(limits: &LimitsSettings) -> Map<String, Json> {
    match serde_json::to_value(limits) {
        Ok(Json::Object(limits)) => limits,
        // A struct whose keys are text is an object.
        _ => Map::new(),
    }
}

fn drop_empty(tree: &mut Json) {
    let Json::Object(fields) = tree else { return };
    for value in fields.values_mut() {
        drop_empty(value);
    }
    fields.retain(|_, value| match value {
        Json::Object(fields) => !fields.is_empty(),
        Json::Array(elements) => !elements.is_empty(),
        Json::Bool(truth) => *truth,
        _ => true,
    });
}

fn number(name: &str, value: &Json) -> Option<f64> {
    match value {
        Json::Bool(truth) => Some(f64::from(u8::from(*truth))),
        Json::Number(number) => number.as_f64(),
        Json::String(text) if !TEXTS.contains(&name) => {
            let nanos = text.parse::<Span>().map(|span| span.nanos() as f64);
            nanos.or_else(|_| text.parse::<ByteSize>().map(|size| size.as_u64() as f64)).ok()
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests;
