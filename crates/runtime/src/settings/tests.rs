use expect_test::expect;
use larch_testkit::settings::{comes_back, defaults, files, refusal};

use super::*;

#[test]
fn defaults_are_those_of_loki() {
    expect![[r#"
        http_listen_address: ""
        http_listen_port: 3100
        http_listen_conn_limit: 0
        grpc_listen_address: ""
        grpc_listen_port: 9095
        grpc_listen_conn_limit: 0
        proxy_protocol_enabled: false
        tls_min_version: ""
        http_tls_config.cert: ""
        http_tls_config.key: ""
        http_tls_config.client_ca: ""
        http_tls_config.cert_file: ""
        http_tls_config.key_file: ""
        http_tls_config.client_auth_type: ""
        http_tls_config.client_ca_file: ""
        grpc_tls_config.cert: ""
        grpc_tls_config.key: ""
        grpc_tls_config.client_ca: ""
        grpc_tls_config.cert_file: ""
        grpc_tls_config.key_file: ""
        grpc_tls_config.client_auth_type: ""
        grpc_tls_config.client_ca_file: ""
        register_instrumentation: true
        graceful_shutdown_timeout: "30s"
        http_server_read_timeout: "30s"
        http_server_read_header_timeout: "0s"
        http_server_write_timeout: "30s"
        http_server_idle_timeout: "2m"
        grpc_server_max_recv_msg_size: "4MB"
        grpc_server_max_send_msg_size: "4MB"
        grpc_server_max_concurrent_streams: 100
        grpc_server_max_connection_idle: "2562047h47m16.854775807s"
        grpc_server_max_connection_age: "2562047h47m16.854775807s"
        grpc_server_max_connection_age_grace: "2562047h47m16.854775807s"
        grpc_server_keepalive_time: "2h"
        grpc_server_keepalive_timeout: "20s"
        log_format: "logfmt"
        log_level: "info"
        log_source_ips_enabled: false
        log_source_ips_full: false
        log_source_ips_header: ""
        log_request_headers: false
        log_request_at_info_level_enabled: false
        log_request_exclude_headers_list: []
        http_path_prefix: ""
    "#]]
    .assert_eq(&defaults::<ServerSettings>());
}

#[test]
fn values_come_back() {
    let settings: ServerSettings = comes_back(
        r#"{"http_listen_address": "127.0.0.1", "http_listen_port": 0, "grpc_listen_port": 9096,
            "http_tls_config": {"cert_file": "/tls/c.pem", "key": "PEM", "client_ca_file": "/tls/ca.pem",
                "client_auth_type": "RequireAndVerifyClientCert"},
            "tls_min_version": "VersionTLS13", "register_instrumentation": false,
            "http_server_write_timeout": "10m", "grpc_server_max_recv_msg_size": "100MB",
            "grpc_server_max_concurrent_streams": 0, "grpc_server_max_connection_age": "5m",
            "log_format": "json", "log_level": "debug", "log_request_headers": true,
            "log_request_exclude_headers_list": ["Authorization"], "http_path_prefix": "/logs"}"#,
    );
    assert_eq!(settings.check(), Ok(()));
    assert!(settings.http_tls_config.is_enabled());
    assert!(!settings.grpc_tls_config.is_enabled());
}

#[test]
fn files_are_those_that_are_set() {
    assert_eq!(files::<ServerSettings>("{}"), [""; 0]);
    let given = r#"{"http_tls_config": {"cert_file": "c.pem", "key_file": "k.pem"},
                    "grpc_tls_config": {"client_ca_file": "ca.pem"}}"#;
    assert_eq!(
        files::<ServerSettings>(given),
        [
            "http_tls_config.cert_file=c.pem",
            "http_tls_config.key_file=k.pem",
            "grpc_tls_config.client_ca_file=ca.pem"
        ]
    );
}

#[test]
fn refuses_what_cannot_be_meant() {
    for (given, text) in [
        (r#"{"grpc_listen_port": 3100}"#, "grpc_listen_port: must differ from http_listen_port"),
        (r#"{"http_server_read_timeout": "-1s"}"#, "http_server_read_timeout: must not be negative"),
        (r#"{"grpc_server_keepalive_time": "0s"}"#, "grpc_server_keepalive_time: must be above 0"),
        (r#"{"grpc_server_max_send_msg_size": "0"}"#, "grpc_server_max_send_msg_size: must be above 0"),
        (
            r#"{"proxy_protocol_enabled": true}"#,
            "proxy_protocol_enabled: the PROXY protocol is not understood; set it to false, and let the proxy send X-Forwarded-For",
        ),
        (r#"{"http_path_prefix": "logs"}"#, "http_path_prefix: must begin with /"),
        (
            r#"{"http_tls_config": {"cert_file": "c"}}"#,
            "http_tls_config.key_file: is missing beside the certificate",
        ),
        (r#"{"grpc_tls_config": {"key": "k"}}"#, "grpc_tls_config.cert_file: is missing beside the key"),
        (
            r#"{"http_tls_config": {"cert": "a", "cert_file": "b"}}"#,
            "http_tls_config.cert_file: is given as text and as a file",
        ),
        (
            r#"{"http_tls_config": {"client_auth_type": "RequireClientCert"}}"#,
            "http_tls_config.client_auth_type: asks for certificates that nobody verifies; set VerifyClientCertIfGiven or RequireAndVerifyClientCert",
        ),
        (
            r#"{"http_tls_config": {"client_auth_type": "VerifyClientCertIfGiven"}}"#,
            "http_tls_config.client_auth_type: needs a certificate of the server",
        ),
        (
            r#"{"http_tls_config": {"cert_file": "c", "key_file": "k",
                                    "client_auth_type": "VerifyClientCertIfGiven"}}"#,
            "http_tls_config.client_ca_file: is missing",
        ),
        (
            r#"{"log_level": "trace"}"#,
            "unknown variant `trace`, expected one of `error`, `warn`, `info`, `debug`",
        ),
        (
            r#"{"tls_min_version": "1.3"}"#,
            "unknown variant `1.3`, expected one of ``, `VersionTLS10`, `VersionTLS11`, `VersionTLS12`, `VersionTLS13`",
        ),
    ] {
        assert_eq!(refusal::<ServerSettings>(given), text, "{given}");
    }
    let apart = r#"{"http_listen_address": "127.0.0.1", "grpc_listen_address": "127.0.0.2",
                    "grpc_listen_port": 3100}"#;
    let apart: ServerSettings = serde_json::from_str(apart).unwrap();
    assert_eq!(apart.check(), Ok(()));
}
