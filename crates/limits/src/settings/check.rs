//! What a limit may be. The same check holds for `limits_config` and for each tenant's overrides.

use larch_logql::LabelMatcher;
use larch_types::{InvalidSetting, MatchOp, Matcher, Span, ensure};

use super::{AttributeAction, AttributesSettings, LimitsSettings, SseType};

pub(super) fn check(limits: &LimitsSettings) -> Result<(), InvalidSetting> {
    check_numbers(limits)?;
    check_spans(limits)?;
    check_otlp(limits)?;
    limits.label_rules.check()?;
    ensure(limits.usage_labels.len() <= MAX_USAGE_LABELS, "usage_labels", "must be at most 10 labels")?;
    check_selectors(limits)?;
    check_ruler(limits)?;
    check_encryption(limits)
}

/// Each of them makes as many series as it has values.
const MAX_USAGE_LABELS: usize = 10;

fn check_numbers(limits: &LimitsSettings) -> Result<(), InvalidSetting> {
    for (key, number) in [
        ("ingestion_rate_mb", limits.ingestion_rate_mb),
        ("ingestion_burst_size_mb", limits.ingestion_burst_size_mb),
        ("pattern_rate_threshold", limits.pattern_rate_threshold),
    ] {
        ensure(number.is_finite() && number >= 0.0, key, "must be 0 or more")?;
    }
    // A burst below the rate is odd but works, and whoever raises the rate alone gets it; a burst of 0
    // lets nothing pass at any rate.
    ensure(
        limits.ingestion_rate_mb == 0.0 || limits.ingestion_burst_size_mb > 0.0,
        "ingestion_burst_size_mb",
        "must be above 0, or nothing could be pushed at any rate",
    )?;
    ensure(
        limits.per_stream_rate_limit.as_u64() == 0 || limits.per_stream_rate_limit_burst.as_u64() > 0,
        "per_stream_rate_limit_burst",
        "must be above 0, or nothing could be pushed at any rate",
    )?;
    for (key, share) in [
        ("max_query_capacity", limits.max_query_capacity),
        ("index_gateway_max_capacity", limits.index_gateway_max_capacity),
    ] {
        ensure((0.0..=1.0).contains(&share), key, "must be between 0 and 1")?;
    }
    ensure(
        (200..=599).contains(&limits.block_ingestion_status_code),
        "block_ingestion_status_code",
        "must be an HTTP status between 200 and 599",
    )?;
    ensure(limits.tsdb_max_bytes_per_shard.as_u64() > 0, "tsdb_max_bytes_per_shard", "must be above 0")?;
    let sharding = &limits.shard_streams;
    ensure(
        !sharding.enabled || sharding.desired_rate.as_u64() > 0,
        "shard_streams.desired_rate",
        "must be above 0",
    )
}

fn check_spans(limits: &LimitsSettings) -> Result<(), InvalidSetting> {
    ensure(limits.query_timeout > Span::ZERO, "query_timeout", "must be above 0")?;
    for (key, span) in [
        ("reject_old_samples_max_age", limits.reject_old_samples_max_age),
        ("creation_grace_period", limits.creation_grace_period),
        ("shard_streams.time_sharding_ignore_recent", limits.shard_streams.time_sharding_ignore_recent),
        ("simulated_push_latency", limits.simulated_push_latency),
        ("max_query_length", limits.max_query_length),
        ("max_query_lookback", limits.max_query_lookback),
        ("max_query_range", limits.max_query_range),
        ("split_queries_by_interval", limits.split_queries_by_interval),
        ("split_metadata_queries_by_interval", limits.split_metadata_queries_by_interval),
        ("split_recent_metadata_queries_by_interval", limits.split_recent_metadata_queries_by_interval),
        ("recent_metadata_query_window", limits.recent_metadata_query_window),
        ("split_instant_metric_queries_by_interval", limits.split_instant_metric_queries_by_interval),
        ("split_ingester_queries_by_interval", limits.split_ingester_queries_by_interval),
        ("min_sharding_lookback", limits.min_sharding_lookback),
        ("max_cache_freshness_per_query", limits.max_cache_freshness_per_query),
        ("max_metadata_cache_freshness", limits.max_metadata_cache_freshness),
        ("max_stats_cache_freshness", limits.max_stats_cache_freshness),
        ("engine_results_cache_time_bucket_interval", limits.engine_results_cache_time_bucket_interval),
        ("retention_period", limits.retention_period),
        ("ruler_remote_evaluation_timeout", limits.ruler_remote_evaluation_timeout),
        ("pattern_persistence_granularity", limits.pattern_persistence_granularity),
    ] {
        ensure(!span.is_negative(), key, "must not be negative")?;
    }
    Ok(())
}

fn check_otlp(limits: &LimitsSettings) -> Result<(), InvalidSetting> {
    let otlp = &limits.otlp_config;
    let resource = &otlp.resource_attributes.attributes_config;
    check_attributes("otlp_config.resource_attributes.attributes_config", resource, true)?;
    check_attributes("otlp_config.scope_attributes", &otlp.scope_attributes, false)?;
    check_attributes("otlp_config.log_attributes", &otlp.log_attributes, true)
}

fn check_attributes(
    at: &str,
    rules: &[AttributesSettings],
    labels_allowed: bool,
) -> Result<(), InvalidSetting> {
    for (index, rule) in rules.iter().enumerate() {
        ensure(
            labels_allowed || rule.action != AttributeAction::IndexLabel,
            &format!("{at}.{index}.action"),
            "attributes of the scope cannot become labels",
        )?;
        ensure(
            rule.attributes.is_empty() != rule.regex.is_empty(),
            &format!("{at}.{index}.attributes"),
            "either attributes or regex must be set",
        )?;
        let matcher = Matcher { name: "attribute".to_owned(), op: MatchOp::Regex, value: rule.regex.clone() };
        let readable = LabelMatcher::new(&matcher);
        let problem = readable.err().map(|error| error.to_string());
        ensure(problem.is_none(), &format!("{at}.{index}.regex"), problem.as_deref().unwrap_or_default())?;
    }
    Ok(())
}

/// The shortest retention of a stream: days are dropped as a whole.
const SHORTEST_RETENTION: Span = Span::from_hours(24);

fn check_selectors(limits: &LimitsSettings) -> Result<(), InvalidSetting> {
    for (index, stream) in limits.retention_stream.iter().enumerate() {
        let at = format!("retention_stream.{index}");
        check_selector(&format!("{at}.selector"), &stream.selector)?;
        ensure(stream.period >= SHORTEST_RETENTION, &format!("{at}.period"), "must be at least 24h")?;
    }
    for (policy, streams) in &limits.policy_stream_mapping {
        for (index, stream) in streams.iter().enumerate() {
            check_selector(&format!("policy_stream_mapping.{policy}.{index}.selector"), &stream.selector)?;
        }
    }
    Ok(())
}

/// Only the outer form: the language has its own parser, and whoever uses the selector asks it.
fn check_selector(key: &str, selector: &str) -> Result<(), InvalidSetting> {
    let inside = selector.trim().strip_prefix('{').and_then(|rest| rest.strip_suffix('}'));
    ensure(
        inside.is_some_and(|matchers| !matchers.trim().is_empty()),
        key,
        r#"must be a stream selector such as {app="x"}"#,
    )
}

fn check_ruler(limits: &LimitsSettings) -> Result<(), InvalidSetting> {
    let alertmanager = &limits.ruler_alertmanager_config;
    ensure(
        alertmanager.enable_alertmanager_v2,
        "ruler_alertmanager_config.enable_alertmanager_v2",
        "Alertmanager's first API is gone; set it to true",
    )?;
    for (key, span) in [
        ("alertmanager_refresh_interval", alertmanager.alertmanager_refresh_interval),
        ("notification_timeout", alertmanager.notification_timeout),
    ] {
        ensure(span > Span::ZERO, &format!("ruler_alertmanager_config.{key}"), "must be above 0")?;
    }
    ensure(
        alertmanager.notification_queue_capacity > 0,
        "ruler_alertmanager_config.notification_queue_capacity",
        "must be above 0",
    )?;
    alertmanager.alertmanager_client.check_at("ruler_alertmanager_config.alertmanager_client.")?;
    for (name, client) in &limits.ruler_remote_write_config {
        client.check_at(&format!("ruler_remote_write_config.{name}."))?;
    }
    Ok(())
}

fn check_encryption(limits: &LimitsSettings) -> Result<(), InvalidSetting> {
    let context = &limits.s3_sse_kms_encryption_context;
    let is_object = serde_json::from_str::<serde_json::Map<String, serde_json::Value>>(context).is_ok();
    ensure(context.is_empty() || is_object, "s3_sse_kms_encryption_context", "must be a JSON object")?;
    let kms = limits.s3_sse_type == SseType::Kms;
    for (key, text) in
        [("s3_sse_kms_key_id", &limits.s3_sse_kms_key_id), ("s3_sse_kms_encryption_context", context)]
    {
        ensure(kms || text.is_empty(), key, "means something with s3_sse_type SSE-KMS only")?;
    }
    Ok(())
}
