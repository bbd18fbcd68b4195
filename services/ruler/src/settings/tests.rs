use expect_test::expect;
use larch_testkit::settings::{comes_back, defaults, files, refusal};

use super::*;

#[test]
fn ruler_defaults_are_those_of_loki() {
    expect![[r#"
        external_url: ""
        datasource_uid: ""
        external_labels: {}
        ruler_client.max_recv_msg_size: "100MB"
        ruler_client.max_send_msg_size: "100MB"
        ruler_client.grpc_compression: ""
        ruler_client.backoff_config.min_period: "100ms"
        ruler_client.backoff_config.max_period: "10s"
        ruler_client.backoff_config.max_retries: 10
        ruler_client.initial_stream_window_size: "65535B"
        ruler_client.initial_connection_window_size: "65535B"
        ruler_client.tls_enabled: false
        ruler_client.tls_cert_path: ""
        ruler_client.tls_key_path: ""
        ruler_client.tls_ca_path: ""
        ruler_client.tls_server_name: ""
        ruler_client.tls_insecure_skip_verify: false
        ruler_client.tls_min_version: ""
        ruler_client.connect_timeout: "5s"
        ruler_client.connect_backoff_base_delay: "1s"
        ruler_client.connect_backoff_max_delay: "5s"
        ruler_client.keepalive_time: "10s"
        ruler_client.keepalive_timeout: "5s"
        evaluation_interval: "1m"
        poll_interval: "1m"
        storage.type: ""
        storage.azure.environment: "AzureGlobal"
        storage.azure.account_name: ""
        storage.azure.account_key: ""
        storage.azure.connection_string: ""
        storage.azure.container_name: "loki"
        storage.azure.active_directory_endpoint: ""
        storage.azure.endpoint_suffix: ""
        storage.azure.use_managed_identity: false
        storage.azure.use_federated_token: false
        storage.azure.user_assigned_id: ""
        storage.azure.use_service_principal: false
        storage.azure.client_id: ""
        storage.azure.client_secret: ""
        storage.azure.tenant_id: ""
        storage.azure.request_timeout: "30s"
        storage.azure.max_retries: 5
        storage.azure.min_retry_delay: "10ms"
        storage.azure.max_retry_delay: "500ms"
        storage.gcs.bucket_name: ""
        storage.gcs.endpoint: ""
        storage.gcs.service_account: ""
        storage.gcs.request_timeout: "0s"
        storage.gcs.enable_retries: true
        storage.s3.s3: ""
        storage.s3.s3forcepathstyle: false
        storage.s3.bucketnames: ""
        storage.s3.endpoint: ""
        storage.s3.region: ""
        storage.s3.access_key_id: ""
        storage.s3.secret_access_key: ""
        storage.s3.session_token: ""
        storage.s3.insecure: false
        storage.s3.signature_version: "v4"
        storage.s3.sse.type: ""
        storage.s3.sse.kms_key_id: ""
        storage.s3.sse.kms_encryption_context: ""
        storage.s3.http_config.timeout: "0s"
        storage.s3.http_config.idle_conn_timeout: "1m30s"
        storage.s3.http_config.response_header_timeout: "0s"
        storage.s3.http_config.insecure_skip_verify: false
        storage.s3.http_config.ca_file: ""
        storage.s3.backoff_config.min_period: "100ms"
        storage.s3.backoff_config.max_period: "3s"
        storage.s3.backoff_config.max_retries: 5
        storage.s3.storage_class: "STANDARD"
        storage.local.directory: ""
        rule_path: "/rules"
        alertmanager_url: []
        enable_alertmanager_discovery: false
        alertmanager_refresh_interval: "1m"
        enable_alertmanager_v2: true
        alert_relabel_configs: []
        notification_queue_capacity: 10000
        notification_timeout: "10s"
        alertmanager_client.tls_cert_path: ""
        alertmanager_client.tls_key_path: ""
        alertmanager_client.tls_ca_path: ""
        alertmanager_client.tls_server_name: ""
        alertmanager_client.tls_insecure_skip_verify: false
        alertmanager_client.basic_auth_username: ""
        alertmanager_client.basic_auth_password: ""
        alertmanager_client.type: "Bearer"
        alertmanager_client.credentials: ""
        alertmanager_client.credentials_file: ""
        for_outage_tolerance: "1h"
        for_grace_period: "10m"
        resend_delay: "1m"
        enable_sharding: false
        sharding_strategy: "default"
        sharding_algo: "by-group"
        ring.kvstore.store: "memberlist"
        ring.heartbeat_period: "5s"
        ring.heartbeat_timeout: "1m"
        ring.instance_interface_names: []
        ring.num_tokens: 128
        enable_api: true
        enabled_tenants: []
        disabled_tenants: []
        query_stats_enabled: false
        disable_rule_group_label: false
        wal.dir: "ruler-wal"
        wal.truncate_frequency: "1h"
        wal.min_age: "5m"
        wal.max_age: "4h"
        wal_cleaner.min_age: "12h"
        wal_cleaner.period: "0s"
        remote_write.clients: {}
        remote_write.enabled: false
        remote_write.config_refresh_period: "10s"
        remote_write.add_org_id_header: true
        evaluation.mode: "local"
        evaluation.max_jitter: "0s"
        evaluation.query_frontend.address: ""
        evaluation.query_frontend.max_recv_msg_size: "100MB"
        evaluation.query_frontend.max_send_msg_size: "100MB"
        evaluation.query_frontend.grpc_compression: ""
        evaluation.query_frontend.backoff_config.min_period: "100ms"
        evaluation.query_frontend.backoff_config.max_period: "10s"
        evaluation.query_frontend.backoff_config.max_retries: 10
        evaluation.query_frontend.initial_stream_window_size: "65535B"
        evaluation.query_frontend.initial_connection_window_size: "65535B"
        evaluation.query_frontend.tls_enabled: false
        evaluation.query_frontend.tls_cert_path: ""
        evaluation.query_frontend.tls_key_path: ""
        evaluation.query_frontend.tls_ca_path: ""
        evaluation.query_frontend.tls_server_name: ""
        evaluation.query_frontend.tls_insecure_skip_verify: false
        evaluation.query_frontend.tls_min_version: ""
        evaluation.query_frontend.connect_timeout: "5s"
        evaluation.query_frontend.connect_backoff_base_delay: "1s"
        evaluation.query_frontend.connect_backoff_max_delay: "5s"
        evaluation.query_frontend.keepalive_time: "10s"
        evaluation.query_frontend.keepalive_timeout: "5s"
    "#]]
    .assert_eq(&defaults::<RulerSettings>());
}

#[test]
fn ruler_storage_defaults_are_those_of_loki() {
    expect![[r#"
        backend: "filesystem"
        local.directory: ""
        filesystem.dir: ""
        s3.endpoint: ""
        s3.region: ""
        s3.bucket_name: ""
        s3.secret_access_key: ""
        s3.access_key_id: ""
        s3.session_token: ""
        s3.insecure: false
        s3.bucket_lookup_type: "auto"
        s3.storage_class: ""
        s3.part_size: "0B"
        s3.sts_endpoint: ""
        s3.max_retries: 10
        s3.sse.type: ""
        s3.sse.kms_key_id: ""
        s3.sse.kms_encryption_context: ""
        s3.http.idle_conn_timeout: "1m30s"
        s3.http.response_header_timeout: "2m"
        s3.http.insecure_skip_verify: false
        s3.http.tls_handshake_timeout: "10s"
        s3.http.max_idle_connections_per_host: 100
        s3.http.tls_ca_path: ""
        s3.http.tls_cert_path: ""
        s3.http.tls_key_path: ""
        gcs.bucket_name: ""
        gcs.service_account: ""
        gcs.max_retries: 10
        azure.account_name: ""
        azure.account_key: ""
        azure.connection_string: ""
        azure.container_name: ""
        azure.endpoint_suffix: ""
        azure.max_retries: 20
        azure.user_assigned_id: ""
        storage_prefix: ""
    "#]]
    .assert_eq(&defaults::<RulerStorageSettings>());
}

#[test]
fn values_come_back() {
    let ruler: RulerSettings = comes_back(
        r#"{"external_url": "http://grafana:3000", "datasource_uid": "loki",
            "external_labels": {"cluster": "a"}, "storage": {"type": "local",
                "local": {"directory": "/etc/loki/rules"}},
            "rule_path": "/loki/rules-temp", "alertmanager_url": ["http://alertmanager:9093"],
            "alert_relabel_configs": [{"source_labels": ["a", "b"], "separator": ";", "target_label": "c",
                "regex": "(.*)", "modulus": 0, "replacement": "$1", "action": "labelmap"}],
            "alertmanager_client": {"basic_auth_username": "u", "basic_auth_password": "p"},
            "resend_delay": "5m", "enable_sharding": true, "sharding_strategy": "shuffle-sharding",
            "sharding_algo": "by-rule", "ring": {"kvstore": {"store": "inmemory"}, "num_tokens": 64},
            "enable_api": false, "disabled_tenants": ["a", "b"], "wal": {"dir": "/data/ruler-wal"},
            "wal_cleaner": {"period": "1h"}, "remote_write": {"enabled": true, "add_org_id_header": false},
            "evaluation": {"mode": "remote", "max_jitter": "1s",
                "query_frontend": {"address": "dns:///frontend:9095", "tls_enabled": true}}}"#,
    );
    assert_eq!(ruler.check(), Ok(()));
    assert!(ruler.evaluation.query_frontend.grpc_client().tls_enabled);
    let storage: RulerStorageSettings = comes_back(
        r#"{"backend": "s3", "s3": {"bucket_name": "rules", "access_key_id": "k",
            "secret_access_key": "s"}, "storage_prefix": "rules"}"#,
    );
    assert_eq!(storage.check(), Ok(()));
}

#[test]
fn a_client_beside_an_address_is_the_client() {
    let frontend = QueryFrontendSettings::default();
    assert_eq!(frontend.grpc_client(), GrpcClientSettings::default());
    let keys = |value: serde_json::Value| -> Vec<String> {
        value.as_object().expect("a block").keys().cloned().collect()
    };
    let mut with_address = keys(serde_json::to_value(&frontend).unwrap());
    assert_eq!(with_address.remove(0), "address");
    assert_eq!(with_address, keys(serde_json::to_value(GrpcClientSettings::default()).unwrap()));
}

#[test]
fn files_are_those_that_are_set() {
    let given = r#"{"ruler_client": {"tls_ca_path": "1"}, "storage": {"s3": {"http_config": {"ca_file": "2"}}},
        "alertmanager_client": {"tls_cert_path": "3", "tls_key_path": "4", "credentials_file": "5"},
        "remote_write": {"clients": {"mimir": {"url": "http://mimir", "basic_auth": {"password_file": "6"}}}},
        "evaluation": {"query_frontend": {"tls_ca_path": "7"}}}"#;
    assert_eq!(
        files::<RulerSettings>(given),
        [
            "ruler_client.tls_ca_path=1",
            "storage.s3.http_config.ca_file=2",
            "alertmanager_client.tls_cert_path=3",
            "alertmanager_client.tls_key_path=4",
            "alertmanager_client.credentials_file=5",
            "remote_write.clients.mimir.basic_auth.password_file=6",
            "evaluation.query_frontend.tls_ca_path=7"
        ]
    );
    assert_eq!(
        files::<RulerStorageSettings>(r#"{"s3": {"http": {"tls_ca_path": "a"}}}"#),
        ["s3.http.tls_ca_path=a"]
    );
}

#[test]
fn ruler_refuses_what_cannot_be_meant() {
    for (given, text) in [
        (r#"{"external_url": "grafana"}"#, "external_url: must be a URL with http:// or https://"),
        (
            r#"{"alertmanager_url": ["http://a", "b"]}"#,
            "alertmanager_url: must be a URL with http:// or https://",
        ),
        (
            r#"{"enable_alertmanager_v2": false}"#,
            "enable_alertmanager_v2: Alertmanager's first API is gone; set it to true",
        ),
        (r#"{"notification_queue_capacity": 0}"#, "notification_queue_capacity: must be above 0"),
        (
            r#"{"alertmanager_client": {"credentials": "c", "basic_auth_username": "u"}}"#,
            "alertmanager_client.basic_auth_username: credentials are set too, and there can be one of them only",
        ),
        (r#"{"evaluation_interval": "0s"}"#, "evaluation_interval: must be above 0"),
        (r#"{"for_grace_period": "-1s"}"#, "for_grace_period: must not be negative"),
        (r#"{"storage": {"type": "local"}}"#, "storage.local.directory: is missing"),
        (
            r#"{"storage": {"type": "configdb"}}"#,
            "unknown variant `configdb`, expected one of ``, `local`, `s3`, `gcs`, `azure`",
        ),
        (r#"{"ring": {"num_tokens": 0}}"#, "ring.num_tokens: must be between 1 and 4096"),
        (r#"{"wal": {"max_age": "1m"}}"#, "wal.max_age: must be above min_age"),
        (r#"{"wal_cleaner": {"period": "-1s"}}"#, "wal_cleaner.period: must not be negative"),
        (
            r#"{"remote_write": {"enabled": true, "clients": {"a": {}}}}"#,
            "remote_write.clients.a.url: is missing",
        ),
        (
            r#"{"remote_write": {"clients": {"a": {"basic_auth": {"username": "u"},
                                                  "authorization": {"credentials": "c"}}}}}"#,
            "remote_write.clients.a.basic_auth: authorization is set too, and there can be one of them only",
        ),
        (r#"{"evaluation": {"max_jitter": "-1s"}}"#, "evaluation.max_jitter: must not be negative"),
    ] {
        assert_eq!(refusal::<RulerSettings>(given), text, "{given}");
    }
    assert_eq!(refusal::<RulerStorageSettings>(r#"{"backend": "local"}"#), "local.directory: is missing");
}
