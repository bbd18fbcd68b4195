use expect_test::expect;
use larch_testkit::settings::{comes_back, defaults, refusal};

use super::*;

#[test]
fn defaults_are_those_of_loki() {
    expect![[r#"
        working_directory: "/var/loki/compactor"
        compaction_interval: "10m"
        apply_retention_interval: "0s"
        retention_enabled: false
        retention_delete_worker_count: 150
        retention_table_timeout: "0s"
        retention_backoff_config.min_period: "100ms"
        retention_backoff_config.max_period: "10s"
        retention_backoff_config.max_retries: 10
        delete_batch_size: 70
        delete_request_cancel_period: "1d"
        delete_max_interval: "1d"
        max_compaction_parallelism: 1
        upload_parallelism: 10
        compactor_ring.kvstore.store: "memberlist"
        compactor_ring.heartbeat_period: "15s"
        compactor_ring.heartbeat_timeout: "1m"
        compactor_ring.tokens_file_path: ""
        compactor_ring.zone_awareness_enabled: false
        compactor_ring.num_tokens: 128
        compactor_ring.instance_id: ""
        compactor_ring.instance_interface_names: []
        compactor_ring.instance_port: 0
        compactor_ring.instance_addr: ""
        compactor_ring.instance_availability_zone: ""
        compactor_ring.instance_enable_ipv6: false
        tables_to_compact: 0
        skip_latest_n_tables: 0
        sweep_interval: "1h"
    "#]]
    .assert_eq(&defaults::<CompactorSettings>());
}

#[test]
fn values_come_back() {
    let settings: CompactorSettings = comes_back(
        r#"{"working_directory": "/loki/compactor", "compaction_interval": "5m",
            "apply_retention_interval": "1h", "retention_enabled": true,
            "retention_delete_worker_count": 10, "retention_backoff_config": {"max_retries": 2},
            "delete_request_cancel_period": "0s", "max_compaction_parallelism": 4,
            "compactor_ring": {"kvstore": {"store": "inmemory"}, "num_tokens": 1},
            "tables_to_compact": 7, "skip_latest_n_tables": 1}"#,
    );
    assert_eq!(settings.check(), Ok(()));
}

#[test]
fn refuses_what_cannot_be_meant() {
    for (given, text) in [
        (r#"{"working_directory": ""}"#, "working_directory: is missing"),
        (r#"{"compaction_interval": "0s"}"#, "compaction_interval: must be above 0"),
        (r#"{"delete_request_cancel_period": "-1h"}"#, "delete_request_cancel_period: must not be negative"),
        (
            r#"{"apply_retention_interval": "15m"}"#,
            "apply_retention_interval: must be 0 or a multiple of compaction_interval",
        ),
        (r#"{"upload_parallelism": 0}"#, "upload_parallelism: must be above 0"),
        (
            r#"{"retention_backoff_config": {"min_period": "0s"}}"#,
            "retention_backoff_config.min_period: must be above 0",
        ),
        (r#"{"compactor_ring": {"num_tokens": 0}}"#, "compactor_ring.num_tokens: must be between 1 and 4096"),
    ] {
        assert_eq!(refusal::<CompactorSettings>(given), text, "{given}");
    }
}

#[test]
fn settings_without_effect_are_there() {
    let all = defaults::<CompactorSettings>();
    for (key, _) in IDLE {
        assert!(all.lines().any(|line| line.starts_with(key)), "{key}");
    }
}
