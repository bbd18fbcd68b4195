use expect_test::expect;
use serde_json::json;

use super::*;
use crate::OperationalSettings;

fn names(list: &[&str]) -> Vec<String> {
    list.iter().map(|name| (*name).to_owned()).collect()
}

#[test]
fn clients_see_the_listed_limits_as_text() {
    let limits = LimitsSettings {
        discover_service_name: names(&["service", "app"]),
        log_level_fields: names(&["level"]),
        ..Default::default()
    };
    let published = limits.published(&names(&PUBLISHED_LIMITS));
    assert_eq!(
        serde_json::to_string(&published).unwrap(),
        concat!(
            r#"{"discover_log_levels":true,"discover_service_name":["service","app"],"#,
            r#""log_level_fields":["level"],"max_entries_limit_per_query":5000,"#,
            r#""max_line_size_truncate":false,"max_query_bytes_read":"0B","max_query_length":"30d1h","#,
            r#""max_query_lookback":"0s","max_query_range":"0s","max_query_series":500,"#,
            r#""metric_aggregation_enabled":false,"otlp_config":{},"pattern_persistence_enabled":false,"#,
            r#""query_timeout":"1m","retention_period":"0s","retention_stream":[],"volume_enabled":true,"#,
            r#""volume_max_series":1000}"#
        )
    );
}

#[test]
fn an_empty_list_means_all_and_unknown_names_nothing() {
    let limits = LimitsSettings::default();
    let all = limits.published(&[]);
    assert_eq!(all.len(), tree(&limits).len());
    assert!(all.keys().is_sorted());
    assert_eq!(limits.published(&names(&["nothing"])), Map::new());
    for name in PUBLISHED_LIMITS {
        assert!(all.contains_key(name), "{name}");
    }
}

#[test]
fn what_is_set_of_a_block_is_shown() {
    let given = json!({"otlp_config": {"severity_text_as_label": true, "log_attributes":
        [{"action": "drop", "attributes": ["a"], "regex": ""}]}});
    let limits: LimitsSettings = serde_json::from_value(given).unwrap();
    let published = limits.published(&names(&["otlp_config"]));
    assert_eq!(
        Json::Object(published),
        json!({"otlp_config": {"severity_text_as_label": true, "log_attributes":
            [{"action": "drop", "attributes": ["a"], "regex": ""}]}})
    );
}

#[test]
fn every_scalar_is_a_number_or_known_as_text() {
    let limits = LimitsSettings::default();
    let numbers = limits.numbers();
    for (name, value) in tree(&limits) {
        let scalar = !value.is_array() && !value.is_object();
        let is_number = numbers.iter().any(|(number, _)| *number == name);
        let is_text = TEXTS.contains(&name.as_str());
        assert_eq!(scalar, is_number || is_text, "{name}");
        assert!(!(is_number && is_text), "{name}");
    }
}

#[test]
fn numbers_are_nanoseconds_bytes_and_switches() {
    let lines: Vec<String> = LimitsSettings::default()
        .numbers()
        .into_iter()
        .map(|(name, number)| format!("{name} {number}\n"))
        .collect();
    expect![[r#"
        ingestion_rate_mb 4
        ingestion_burst_size_mb 6
        max_label_name_length 1024
        max_label_value_length 2048
        max_label_names_per_series 15
        reject_old_samples 1
        reject_old_samples_max_age 604800000000000
        creation_grace_period 600000000000
        max_line_size 262144
        max_line_size_truncate 0
        increment_duplicate_timestamp 0
        allow_structured_metadata 1
        max_structured_metadata_size 65536
        max_structured_metadata_entries_count 128
        discover_log_levels 1
        log_level_from_json_max_depth 2
        block_ingestion_status_code 260
        simulated_push_latency 0
        max_streams_per_user 0
        max_global_streams_per_user 5000
        per_stream_rate_limit 3145728
        per_stream_rate_limit_burst 15728640
        max_query_length 2595600000000000
        max_query_lookback 0
        max_query_range 0
        max_query_parallelism 32
        tsdb_max_query_parallelism 128
        tsdb_max_bytes_per_shard 629145600
        split_queries_by_interval 3600000000000
        split_metadata_queries_by_interval 86400000000000
        split_recent_metadata_queries_by_interval 3600000000000
        recent_metadata_query_window 0
        split_instant_metric_queries_by_interval 3600000000000
        split_ingester_queries_by_interval 0
        min_sharding_lookback 0
        max_query_bytes_read 0
        max_querier_bytes_read 161061273600
        max_query_series 500
        max_entries_limit_per_query 5000
        max_streams_matchers_per_query 1000
        max_chunks_per_query 2000000
        cardinality_limit 100000
        max_concurrent_tail_requests 10
        query_timeout 60000000000
        max_queriers_per_tenant 0
        max_query_capacity 0
        max_cache_freshness_per_query 600000000000
        max_metadata_cache_freshness 86400000000000
        max_stats_cache_freshness 600000000000
        engine_results_cache_time_bucket_interval 86400000000000
        minimum_labels_number 0
        query_ready_index_num_days 0
        index_gateway_shard_size 0
        index_gateway_max_capacity 1
        volume_enabled 1
        volume_max_series 1000
        retention_period 0
        ruler_max_rules_per_rule_group 0
        ruler_max_rule_groups_per_tenant 0
        ruler_tenant_shard_size 0
        ruler_remote_write_disabled 0
        ruler_remote_evaluation_timeout 0
        ruler_remote_evaluation_max_response_size 0
        metric_aggregation_enabled 0
        pattern_persistence_enabled 0
        pattern_persistence_granularity 0
        pattern_rate_threshold 1
    "#]]
    .assert_eq(&lines.concat());
}

#[test]
fn only_numbers_that_differ_are_told_of_tenants() {
    let all = LimitsSettings { max_query_series: 7, ..Default::default() };
    let mut overrides = Overrides::none(all.clone(), OperationalSettings::default());
    overrides.set_limits("same".parse().unwrap(), all.clone());
    let own = LimitsSettings {
        max_query_series: 8,
        query_timeout: larch_types::Span::from_mins(5),
        volume_enabled: false,
        ..all
    };
    overrides.set_limits("a".parse().unwrap(), own);
    let differing = overrides.differing_numbers();
    assert_eq!(differing.len(), 1);
    let (tenant, numbers) = &differing[0];
    assert_eq!(tenant.as_str(), "a");
    let want = [("max_query_series", 8.0), ("query_timeout", 3e11), ("volume_enabled", 0.0)];
    assert_eq!(*numbers, want.map(|(name, number)| (name.to_owned(), number)));
}
