use expect_test::expect;
use larch_testkit::settings::{comes_back, defaults, files, refusal};

use super::*;

#[test]
fn defaults_are_those_of_loki() {
    expect![[r#"
        pool_config.client_cleanup_period: "15s"
        pool_config.health_check_ingesters: true
        pool_config.remote_timeout: "1s"
        remote_timeout: "5s"
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
    .assert_eq(&defaults::<IngesterClientSettings>());
    // The shared block is shown by the first.
    assert!(
        defaults::<IngesterClientSettings>().contains(
            &defaults::<GrpcClientSettings>()
                .lines()
                .map(|line| format!("grpc_client_config.{line}\n"))
                .collect::<String>()
        )
    );
}

#[test]
fn values_come_back() {
    let settings: IngesterClientSettings = comes_back(
        r#"{"pool_config": {"client_cleanup_period": "1m", "health_check_ingesters": false},
            "remote_timeout": "10s", "grpc_client_config": {"max_recv_msg_size": "64MB",
                "grpc_compression": "snappy", "backoff_config": {"max_retries": 3}, "tls_enabled": true,
                "tls_cert_path": "c.pem", "tls_key_path": "k.pem", "tls_ca_path": "ca.pem",
                "tls_server_name": "ingester", "tls_min_version": "VersionTLS13",
                "connect_timeout": "0s", "keepalive_time": "1m"}}"#,
    );
    assert_eq!(settings.check(), Ok(()));
}

#[test]
fn files_are_those_that_are_set() {
    let given = r#"{"grpc_client_config": {"tls_cert_path": "c", "tls_key_path": "k", "tls_ca_path": "a"}}"#;
    assert_eq!(
        files::<IngesterClientSettings>(given),
        [
            "grpc_client_config.tls_cert_path=c",
            "grpc_client_config.tls_key_path=k",
            "grpc_client_config.tls_ca_path=a"
        ]
    );
}

#[test]
fn refuses_what_cannot_be_meant() {
    for (given, text) in [
        (r#"{"remote_timeout": "0s"}"#, "remote_timeout: must be above 0"),
        (
            r#"{"pool_config": {"client_cleanup_period": "-1s"}}"#,
            "pool_config.client_cleanup_period: must be above 0",
        ),
        (
            r#"{"grpc_client_config": {"max_send_msg_size": "0"}}"#,
            "grpc_client_config.max_send_msg_size: must be above 0",
        ),
        (
            r#"{"grpc_client_config": {"tls_enabled": true, "tls_cert_path": "c"}}"#,
            "grpc_client_config.tls_key_path: must be set exactly if tls_cert_path is",
        ),
        (
            r#"{"grpc_client_config": {"backoff_config": {"max_period": "1ms"}}}"#,
            "grpc_client_config.backoff_config.max_period: must not be below min_period",
        ),
        (
            r#"{"grpc_client_config": {"connect_backoff_max_delay": "1ms"}}"#,
            "grpc_client_config.connect_backoff_max_delay: must not be below connect_backoff_base_delay",
        ),
        (
            r#"{"grpc_client_config": {"grpc_compression": "zstd"}}"#,
            "unknown variant `zstd`, expected one of ``, `gzip`, `snappy`",
        ),
    ] {
        assert_eq!(refusal::<IngesterClientSettings>(given), text, "{given}");
    }
}
