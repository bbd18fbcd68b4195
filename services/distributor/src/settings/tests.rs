use expect_test::expect;
use larch_testkit::settings::{comes_back, defaults, refusal};

use super::*;

#[test]
fn defaults_are_those_of_loki() {
    expect![[r#"
        ring.kvstore.store: "memberlist"
        ring.heartbeat_period: "5s"
        ring.heartbeat_timeout: "1m"
        ring.instance_interface_names: []
        push_worker_count: 256
        max_recv_msg_size: "100MB"
        max_decompressed_size: "5000MB"
        max_inflight_bytes: "0B"
        max_inflight_pushes: 0
        rate_store.max_request_parallelism: 200
        rate_store.stream_rate_update_interval: "1s"
        rate_store.ingester_request_timeout: "500ms"
        write_failures_logging.rate: "1KB"
        write_failures_logging.add_insights_label: false
        otlp_config.default_resource_attributes_as_index_labels: ["service.name","service.namespace","service.instance.id","deployment.environment","deployment.environment.name","cloud.region","cloud.availability_zone","k8s.cluster.name","k8s.namespace.name","k8s.pod.name","k8s.container.name","container.name","k8s.replicaset.name","k8s.deployment.name","k8s.statefulset.name","k8s.daemonset.name","k8s.cronjob.name","k8s.job.name"]
        default_policy_stream_mappings: {}
    "#]].assert_eq(&defaults::<DistributorSettings>());
}

#[test]
fn values_come_back() {
    let settings: DistributorSettings = comes_back(
        r#"{"ring": {"kvstore": {"store": "inmemory"}, "heartbeat_period": "1s"}, "push_worker_count": 8,
            "max_recv_msg_size": "10MB", "max_decompressed_size": "100MB", "max_inflight_bytes": "1GB",
            "rate_store": {"ingester_request_timeout": "1s"},
            "write_failures_logging": {"rate": "0B", "add_insights_label": true},
            "otlp_config": {"default_resource_attributes_as_index_labels": ["service.name"]},
            "default_policy_stream_mappings": {"ops": [{"selector": "{a=\"b\"}", "priority": 1}]}}"#,
    );
    assert_eq!(settings.check(), Ok(()));
}

#[test]
fn refuses_what_cannot_be_meant() {
    for (given, text) in [
        (
            r#"{"ring": {"heartbeat_timeout": "1s"}}"#,
            "ring.heartbeat_timeout: must be 0 or above heartbeat_period, or every member would look dead",
        ),
        (r#"{"push_worker_count": 0}"#, "push_worker_count: must be above 0"),
        (r#"{"max_recv_msg_size": "0"}"#, "max_recv_msg_size: must be above 0"),
        (r#"{"max_decompressed_size": "1MB"}"#, "max_decompressed_size: must not be below max_recv_msg_size"),
        (
            r#"{"max_inflight_bytes": "1MB"}"#,
            "max_inflight_bytes: must be 0 or not below max_recv_msg_size, or the largest pushes would pass only alone",
        ),
        (
            r#"{"rate_store": {"stream_rate_update_interval": "0s"}}"#,
            "rate_store.stream_rate_update_interval: must be above 0",
        ),
    ] {
        assert_eq!(refusal::<DistributorSettings>(given), text, "{given}");
    }
}
