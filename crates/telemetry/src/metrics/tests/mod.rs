//! The registry as a scraper sees it, read back by a parser that refuses what the formats refuse.

mod parse;

use std::time::Duration;

use expect_test::expect;
use proptest::prelude::*;

use self::parse::{ScrapedSample, parse};
use super::*;

const BOTH: [Format; 2] = [Format::Prometheus, Format::OpenMetrics];

fn spec<const N: usize>(name: &'static str, labels: [&'static str; N]) -> Spec<N> {
    Spec { name, help: "Something that is counted.", labels }
}

fn one_of_each(registry: &Registry) {
    registry.counter(spec("loki_discarded_samples_total", ["reason"])).with(["rate \"limited\"\n\\"]).add(3);
    registry.counter(spec("loki_blocked_queries", ["user"])).with(["a"]).inc();
    registry.float_counter(spec("loki_query_seconds_total", [])).with([]).add(0.5);
    registry.gauge(spec("loki_inflight_requests", [])).with([]).set(-2);
    registry.float_gauge(spec("loki_ratio", [])).with([]).set(0.25);
    registry.gauge(spec("loki_never_set", ["tenant"]));
    registry.gauge_fn(spec("go_threads", []), || vec![([], 42.0)]);
    let histogram = registry.histogram(spec("loki_wait_seconds", ["op"]), &[0.5, 1.0]);
    histogram.with(["x"]).observe(0.75);
    histogram.with(["x"]).observe_duration(Duration::from_millis(1500));
    histogram.with(["x"]).observe(f64::NAN);
    let summary = registry.summary(spec("loki_lasted_seconds", []), &[0.5, 0.99], 8);
    summary.observe(0.5);
    summary.observe(2.0);
}

#[test]
fn prometheus_text() {
    let registry = Registry::default();
    one_of_each(&registry);
    expect![[r##"
        # HELP go_threads Something that is counted.
        # TYPE go_threads gauge
        go_threads 42
        # HELP loki_blocked_queries Something that is counted.
        # TYPE loki_blocked_queries counter
        loki_blocked_queries{user="a"} 1
        # HELP loki_discarded_samples_total Something that is counted.
        # TYPE loki_discarded_samples_total counter
        loki_discarded_samples_total{reason="rate \"limited\"\n\\"} 3
        # HELP loki_inflight_requests Something that is counted.
        # TYPE loki_inflight_requests gauge
        loki_inflight_requests -2
        # HELP loki_lasted_seconds Something that is counted.
        # TYPE loki_lasted_seconds summary
        loki_lasted_seconds_sum 2.5
        loki_lasted_seconds_count 2
        loki_lasted_seconds{quantile="0.5"} 0.5
        loki_lasted_seconds{quantile="0.99"} 2
        # HELP loki_query_seconds_total Something that is counted.
        # TYPE loki_query_seconds_total counter
        loki_query_seconds_total 0.5
        # HELP loki_ratio Something that is counted.
        # TYPE loki_ratio gauge
        loki_ratio 0.25
        # HELP loki_wait_seconds Something that is counted.
        # TYPE loki_wait_seconds histogram
        loki_wait_seconds_sum{op="x"} 2.25
        loki_wait_seconds_count{op="x"} 2
        loki_wait_seconds_bucket{le="0.5",op="x"} 0
        loki_wait_seconds_bucket{le="1",op="x"} 1
        loki_wait_seconds_bucket{le="+Inf",op="x"} 2
    "##]]
    .assert_eq(&registry.encode(Format::Prometheus));
}

#[test]
fn open_metrics_text() {
    let registry = Registry::new("larch".parse().unwrap());
    one_of_each(&registry);
    expect![[r##"
        # HELP go_threads Something that is counted.
        # TYPE go_threads gauge
        go_threads 42
        # HELP larch_blocked_queries Something that is counted.
        # TYPE larch_blocked_queries unknown
        larch_blocked_queries{user="a"} 1
        # HELP larch_discarded_samples Something that is counted.
        # TYPE larch_discarded_samples counter
        larch_discarded_samples_total{reason="rate \"limited\"\n\\"} 3
        # HELP larch_inflight_requests Something that is counted.
        # TYPE larch_inflight_requests gauge
        larch_inflight_requests -2
        # HELP larch_lasted_seconds Something that is counted.
        # TYPE larch_lasted_seconds summary
        larch_lasted_seconds_sum 2.5
        larch_lasted_seconds_count 2
        larch_lasted_seconds{quantile="0.5"} 0.5
        larch_lasted_seconds{quantile="0.99"} 2
        # HELP larch_query_seconds Something that is counted.
        # TYPE larch_query_seconds counter
        larch_query_seconds_total 0.5
        # HELP larch_ratio Something that is counted.
        # TYPE larch_ratio gauge
        larch_ratio 0.25
        # HELP larch_wait_seconds Something that is counted.
        # TYPE larch_wait_seconds histogram
        larch_wait_seconds_sum{op="x"} 2.25
        larch_wait_seconds_count{op="x"} 2
        larch_wait_seconds_bucket{le="0.5",op="x"} 0
        larch_wait_seconds_bucket{le="1.0",op="x"} 1
        larch_wait_seconds_bucket{le="+Inf",op="x"} 2
        # EOF
    "##]]
    .assert_eq(&registry.encode(Format::OpenMetrics));
}

#[test]
fn both_formats_are_read_back() {
    let registry = Registry::default();
    one_of_each(&registry);
    register_process_metrics(&registry);
    register_go_aliases(&registry, || 7, || 1 << 40);
    register_build_info(
        &registry,
        BuildInfo { version: "0.1.0", revision: "abc", branch: "main", compiler: "rustc" },
    );
    panics(&registry).inc();
    internal_log_messages(&registry).with(["info"]).inc();
    for format in BOTH {
        let families = parse(&registry.encode(format), format);
        assert_eq!(families["go_memstats_heap_inuse_bytes"].samples[0].value, (1_u64 << 40) as f64);
        assert_eq!(families["loki_build_info"].samples[0].value, 1.0);
        let suffix = if format == Format::Prometheus { "_total" } else { "" };
        for (name, least) in [("loki_panic", 1.0), ("loki_internal_log_messages", 1.0)] {
            let family = &families[&format!("{name}{suffix}")];
            assert_eq!(family.kind, "counter");
            assert!(family.samples[0].value >= least, "{name}");
        }
    }
}

#[test]
#[cfg(target_os = "linux")]
fn the_process_knows_itself() {
    let registry = Registry::default();
    register_process_metrics(&registry);
    let families = parse(&registry.encode(Format::Prometheus), Format::Prometheus);
    let value = |name: &str| families[name].samples[0].value;
    assert!(value("process_resident_memory_bytes") > 1e5);
    assert!(value("process_virtual_memory_bytes") >= value("process_resident_memory_bytes"));
    assert!(value("process_open_fds") >= 3.0);
    assert!(value("process_max_fds") >= value("process_open_fds"));
    // 2020-01-01: no machine that runs this started before it.
    assert!(value("process_start_time_seconds") > 1_577_836_800.0);
    assert!(families.contains_key("process_cpu_seconds_total"));
}

#[test]
fn two_owners_share_one_metric() {
    let registry = Registry::default();
    let labels = ["reason"];
    registry.counter(spec("loki_process_failures_total", labels)).with(["flush"]).inc();
    registry.counter(spec("loki_process_failures_total", labels)).with(["flush"]).inc();
    for owner in ["ingester", "compactor", "ingester"] {
        registry.gauge_fn(spec("loki_ring_members", ["name"]), move || vec![([owner.to_owned()], 3.0)]);
    }
    let families = parse(&registry.encode(Format::Prometheus), Format::Prometheus);
    assert_eq!(families["loki_process_failures_total"].samples[0].value, 2.0);
    assert_eq!(families["loki_ring_members"].samples.len(), 2);
    assert_eq!(registry.inventory().len(), 2);
    assert!(Registry::default().inventory().is_empty(), "registries share nothing");
}

#[test]
fn contradictions_are_found() {
    let refused = |declare: fn(&Registry)| {
        let registry = Registry::default();
        registry.counter(spec("loki_a_total", ["x"]));
        let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| declare(&registry)));
        let payload = outcome.expect_err("a contradiction");
        payload.downcast_ref::<String>().cloned().unwrap_or_default()
    };
    for (declare, reason) in [
        ((|r| drop(r.gauge(spec("loki_a_total", ["x"])))) as fn(&Registry), "declared differently"),
        (|r| drop(r.counter(spec("loki_a_total", ["y"]))), "declared differently"),
        (|r| drop(r.float_counter(spec("loki_a_total", ["x"]))), "not both"),
        (|r| drop(r.gauge(spec("loki_a", []))), "one family in OpenMetrics"),
        (|r| drop(r.gauge(spec("loki-b", []))), "not a metric name"),
        (|r| drop(r.gauge(spec("loki_b", ["le"]))), "not a label name"),
        (|r| drop(r.gauge(spec("loki_b", ["x", "x"]))), "comes twice"),
        (|r| drop(r.histogram(spec("loki_b", []), &[1.0, 1.0])), "loki_b: [1.0, 1.0]"),
        (|r| drop(r.summary(spec("loki_b", []), &[1.5], 9)), "loki_b: [1.5]"),
    ] {
        let message = refused(declare);
        assert!(message.contains(reason), "{message}");
    }
}

#[test]
fn the_inventory_is_sorted_and_carries_the_namespace() {
    let registry = Registry::new("larch".parse().unwrap());
    one_of_each(&registry);
    let inventory = registry.inventory();
    let names: Vec<&str> = inventory.iter().map(|info| info.name.as_str()).collect();
    assert!(names.is_sorted());
    assert!(names.contains(&"larch_blocked_queries") && names.contains(&"go_threads"));
    assert_eq!(
        inventory[names.iter().position(|name| *name == "larch_wait_seconds").unwrap()].labels,
        ["op"]
    );
}

#[test]
fn a_callback_may_declare_and_a_removed_series_is_gone() {
    let registry = Registry::default();
    let inner = registry.clone();
    registry.gauge_fn(spec("loki_late", []), move || {
        inner.gauge(spec("loki_later", [])).with([]).set(1);
        vec![([], 1.0)]
    });
    let tenants = registry.gauge(spec("loki_ingester_memory_streams", ["tenant"]));
    tenants.with(["a"]).set(1);
    tenants.remove(["a"]);
    registry.encode(Format::Prometheus);
    let families = parse(&registry.encode(Format::Prometheus), Format::Prometheus);
    assert!(families.contains_key("loki_later"));
    assert!(!families.contains_key("loki_ingester_memory_streams"));
}

proptest! {
    #[test]
    fn any_label_value_and_number_is_read_back(
        values in prop::collection::btree_map("(?s).{0,20}", any::<f64>(), 1..8),
    ) {
        let registry = Registry::default();
        let gauges = registry.float_gauge(spec("loki_x", ["a"]));
        let histograms = registry.histogram(spec("loki_y", ["a"]), &DURATION_BUCKETS);
        for (value, number) in &values {
            gauges.with([value]).set(*number);
            histograms.with([value]).observe(*number);
        }
        for format in BOTH {
            let families = parse(&registry.encode(format), format);
            let want: Vec<ScrapedSample> = values.iter().map(|(value, number)| ScrapedSample {
                name: "loki_x".to_owned(),
                labels: vec![("a".to_owned(), value.clone())],
                // Zero has one sign here.
                value: *number + 0.0,
            }).collect();
            // Compared as text, because NaN equals nothing.
            prop_assert_eq!(format!("{:?}", families["loki_x"].samples), format!("{want:?}"));
        }
    }
}
