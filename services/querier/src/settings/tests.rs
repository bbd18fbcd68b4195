use expect_test::expect;
use larch_testkit::settings::{comes_back, defaults, files, refusal};

use super::*;

#[test]
fn querier_defaults_are_those_of_loki() {
    expect![[r#"
        tail_max_duration: "1h"
        extra_query_delay: "0s"
        engine.max_count_min_sketch_heap_size: 10000
        engine.max_memory: "512MB"
        max_concurrent: 4
        query_store_only: false
        query_ingester_only: false
        multi_tenant_queries_enabled: false
        per_request_limits_enabled: false
    "#]]
    .assert_eq(&defaults::<QuerierSettings>());
}

#[test]
fn frontend_worker_defaults_are_those_of_loki() {
    expect![[r#"
        frontend_address: ""
        scheduler_address: ""
        dns_lookup_duration: "3s"
        id: ""
        grpc_client_config.max_recv_msg_size: "100MB"
        grpc_client_config.max_send_msg_size: "100MB"
        grpc_client_config.grpc_compression: ""
        grpc_client_config.backoff_config.min_period: "100ms"
        grpc_client_config.backoff_config.max_period: "10s"
        grpc_client_config.backoff_config.max_retries: 10
        grpc_client_config.initial_stream_window_size: "65535B"
        grpc_client_config.initial_connection_window_size: "65535B"
        grpc_client_config.tls_enabled: false
        grpc_client_config.tls_cert_path: ""
        grpc_client_config.tls_key_path: ""
        grpc_client_config.tls_ca_path: ""
        grpc_client_config.tls_server_name: ""
        grpc_client_config.tls_insecure_skip_verify: false
        grpc_client_config.tls_min_version: ""
        grpc_client_config.connect_timeout: "5s"
        grpc_client_config.connect_backoff_base_delay: "1s"
        grpc_client_config.connect_backoff_max_delay: "5s"
        grpc_client_config.keepalive_time: "10s"
        grpc_client_config.keepalive_timeout: "5s"
    "#]]
    .assert_eq(&defaults::<FrontendWorkerSettings>());
}

#[test]
fn values_come_back() {
    let querier: QuerierSettings = comes_back(
        r#"{"tail_max_duration": "5m", "extra_query_delay": "500ms", "max_concurrent": 16,
            "engine": {"max_count_min_sketch_heap_size": 100, "max_memory": "1GB"}, "query_store_only": true,
            "multi_tenant_queries_enabled": true, "per_request_limits_enabled": true}"#,
    );
    assert_eq!(querier.check(), Ok(()));
    let worker: FrontendWorkerSettings = comes_back(
        r#"{"frontend_address": "loki-query-frontend:9095", "dns_lookup_duration": "10s", "id": "q-0",
            "grpc_client_config": {"tls_enabled": true, "tls_ca_path": "ca.pem"}}"#,
    );
    assert_eq!(worker.check(), Ok(()));
    assert_eq!(
        files::<FrontendWorkerSettings>(r#"{"grpc_client_config": {"tls_ca_path": "ca.pem"}}"#),
        ["grpc_client_config.tls_ca_path=ca.pem"]
    );
}

#[test]
fn refuses_what_cannot_be_meant() {
    for (given, text) in [
        (r#"{"tail_max_duration": "0s"}"#, "tail_max_duration: must be above 0"),
        (r#"{"extra_query_delay": "-1s"}"#, "extra_query_delay: must not be negative"),
        (
            r#"{"engine": {"max_count_min_sketch_heap_size": 0}}"#,
            "engine.max_count_min_sketch_heap_size: must be above 0",
        ),
        (r#"{"engine": {"max_memory": "0"}}"#, "engine.max_memory: must be above 0"),
        (r#"{"max_concurrent": 0}"#, "max_concurrent: must be above 0"),
        (
            r#"{"query_store_only": true, "query_ingester_only": true}"#,
            "query_ingester_only: query_store_only is true too, and nothing would be left to read",
        ),
    ] {
        assert_eq!(refusal::<QuerierSettings>(given), text, "{given}");
    }
    for (given, text) in [
        (
            r#"{"frontend_address": "a:1", "scheduler_address": "b:1"}"#,
            "scheduler_address: frontend_address is set too, and there can be one of them only",
        ),
        (r#"{"dns_lookup_duration": "0s"}"#, "dns_lookup_duration: must be above 0"),
        (
            r#"{"grpc_client_config": {"keepalive_time": "0s"}}"#,
            "grpc_client_config.keepalive_time: must be above 0",
        ),
    ] {
        assert_eq!(refusal::<FrontendWorkerSettings>(given), text, "{given}");
    }
}

#[test]
fn settings_without_effect_are_there() {
    let querier = serde_json::to_value(QuerierSettings::default()).unwrap();
    let worker = serde_json::to_value(FrontendWorkerSettings::default()).unwrap();
    for (settings, idle) in [(querier, &IDLE[..]), (worker, &IDLE_OF_WORKER)] {
        for (key, _) in idle {
            assert!(settings.pointer(&format!("/{}", key.replace('.', "/"))).is_some(), "{key}");
        }
    }
}
