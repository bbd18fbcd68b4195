//! The life of the one-process binary, as whoever runs it sees it.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on says so by panicking")]

use std::path::Path;
use std::process::{Command, Output};

use larch_testkit::process::{Running, configured};

fn binary() -> Command {
    Command::new(env!("CARGO_BIN_EXE_larch"))
}

fn run(folder: &Path, arguments: &[&str]) -> Output {
    binary().current_dir(folder).env_clear().args(arguments).output().unwrap()
}

fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

#[test]
fn without_arguments_it_serves_on_loopback_below_one_directory() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("config.yaml"), "no: configuration").unwrap();
    let mut command = binary();
    // A free port, so that tests do not meet; everything else is as without arguments.
    command.current_dir(folder.path()).env_clear().arg("-server.http-listen-port=0");
    let larch = Running::start(command);
    assert!(larch.address().ip().is_loopback());
    assert_eq!(larch.get_until("/ready", |answer| answer.status == 200).body, "ready\n");
    let services = larch.get("/services").body;
    for role in
        ["distributor", "ingester", "querier", "query-frontend", "index-gateway", "compactor", "ruler"]
    {
        assert!(services.contains(&format!("{role} => Running\n")), "{services}");
    }
    assert!(!services.contains("grpc"), "no gRPC port is opened unasked: {services}");
    let limits = larch.get("/config/tenant/v1/limits");
    assert!(limits.status == 200 && limits.body.contains("max_query_series: 500\n"), "{limits:?}");
    let (status, log) = larch.stop();
    assert!(status.success(), "{log:#?}");
    assert!(log.iter().any(|line| line.contains("told to stop")));
    assert!(log.last().unwrap().contains("stopped"), "{log:#?}");
    let mut names: Vec<_> =
        std::fs::read_dir(folder.path()).unwrap().map(|e| e.unwrap().file_name()).collect();
    names.sort();
    assert_eq!(names, ["config.yaml", "larch-data"]);
}

#[test]
fn the_configuration_is_shown_without_secrets() {
    let folder = tempfile::tempdir().unwrap();
    let configuration = "
common: {path_prefix: ./data}
storage_config: {aws: {bucketnames: logs, endpoint: 'http://127.0.0.1:1', access_key_id: me, secret_access_key: hunter2}}
ruler: {alertmanager_url: 'http://me:hunter2@alertmanager:9093'}
querier: {max_concurrent: 9}
";
    let larch = Running::start(configured(binary(), folder.path(), configuration));
    let all = larch.get("/config");
    assert_eq!(all.header("content-type"), Some("text/plain; charset=utf-8"));
    assert!(all.body.contains("max_concurrent: 9\n") && all.body.contains("********"));
    let differing = larch.get("/config?mode=diff").body;
    assert!(differing.contains("querier:\n  max_concurrent: 9\n"), "{differing}");
    assert!(!differing.contains("query_timeout"), "{differing}");
    let defaults = larch.get("/config?mode=defaults").body;
    assert!(defaults.contains("  max_concurrent: 4\n"), "{defaults}");
    for text in [&all.body, &differing, &defaults] {
        assert!(!text.contains("hunter2"));
    }
    larch.stop();
}

#[test]
fn tenants_read_their_limits_and_overrides_are_read_again() {
    let folder = tempfile::tempdir().unwrap();
    let overrides = folder.path().join("overrides.yaml");
    // In one step, or half a file could be read.
    let write = |text: &str| {
        let half = folder.path().join("overrides.new");
        std::fs::write(&half, text).unwrap();
        std::fs::rename(&half, &overrides).unwrap();
    };
    write("overrides: {acme: {max_query_series: 7}}");
    let configuration = "
common: {path_prefix: ./data}
runtime_config: {file: overrides.yaml, period: 20ms}
";
    let larch = Running::start(configured(binary(), folder.path(), configuration));
    larch.get_until("/ready", |answer| answer.status == 200);
    let limits =
        |tenant: &str| larch.ask("GET", "/config/tenant/v1/limits", &[("X-Scope-OrgID", tenant)], "");
    assert!(limits("acme").body.contains("max_query_series: 7\n"));
    assert!(limits("other").body.contains("max_query_series: 500\n"));
    let anonymous = larch.get("/config/tenant/v1/limits");
    assert_eq!((anonymous.status, anonymous.body.as_str()), (401, "no org id\n"));
    let several = limits("a|b");
    assert_eq!((several.status, several.body.as_str()), (400, "multiple org IDs present\n"));

    let metric = |value: u32| format!("loki_runtime_config_last_reload_successful {value}\n");
    write("overrides: {acme: {max_query_series: x}}");
    larch.get_until("/metrics", |answer| answer.body.contains(&metric(0)));
    assert!(limits("acme").body.contains("max_query_series: 7\n"), "the old overrides stay");
    write("overrides: {acme: {max_query_series: 8}}");
    larch.get_until("/metrics", |answer| answer.body.contains(&metric(1)));
    assert!(limits("acme").body.contains("max_query_series: 8\n"));
    let (_, log) = larch.stop();
    let place = "overrides.yaml:1: overrides.acme.max_query_series: expected a whole number";
    assert!(log.iter().any(|line| line.contains("level=warn") && line.contains(place)), "{log:#?}");
}

#[test]
fn settings_without_effect_are_told_of_tenants_and_of_roles() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("overrides.yaml"), "overrides: {acme: {cardinality_limit: 7}}")
        .unwrap();
    let configuration = "
common: {path_prefix: ./data}
runtime_config: {file: overrides.yaml}
limits_config: {index_gateway_shard_size: 3}
querier: {extra_query_delay: 1s}
frontend_worker: {frontend_address: 'frontend:9095'}
frontend: {downstream_url: 'http://elsewhere'}
compactor: {retention_enabled: true}
index_gateway: {mode: ring}
ingester: {autoforget_unhealthy: true}
storage_config: {tsdb_shipper: {cache_location: ./tsdb-cache}}
chunk_store_config: {chunk_cache_config: {memcached_client: {host: memcached}}}
";
    let larch = Running::start(configured(binary(), folder.path(), configuration));
    larch.get_until("/ready", |answer| answer.status == 200);
    let (_, log) = larch.stop();
    let told: Vec<&String> = log.iter().filter(|line| line.contains("has no effect: ")).collect();
    for wanted in [
        "overrides.yaml:1: overrides.acme.cardinality_limit",
        "larch.yaml:4: limits_config.index_gateway_shard_size",
        "querier.extra_query_delay",
        "frontend_worker.frontend_address",
        "frontend.downstream_url",
        "compactor.retention_enabled",
        "index_gateway.mode",
        "ingester.autoforget_unhealthy",
        "larch.yaml:11: storage_config.tsdb_shipper.cache_location",
        "larch.yaml:12: chunk_store_config.chunk_cache_config.memcached_client",
    ] {
        let lines = told.iter().filter(|line| line.contains(wanted) && line.contains("level=warn")).count();
        assert_eq!(lines, 1, "{wanted}: {told:#?}");
    }
    assert_eq!(told.len(), 10, "{told:#?}");
}

#[test]
fn a_stopping_process_says_so_and_a_second_signal_ends_it() {
    use rustix::process::Signal;

    let folder = tempfile::tempdir().unwrap();
    let configuration = "{common: {path_prefix: ./data}, shutdown_delay: 1h}";
    let mut larch = Running::start(configured(binary(), folder.path(), configuration));
    larch.wait_for_line("msg=started");
    larch.signal(Signal::INT);
    larch.wait_for_line("load balancers look elsewhere");
    let ready = larch.get("/ready");
    assert_eq!((ready.status, ready.body.as_str()), (503, "Application is stopping\n"));
    assert_eq!(larch.get("/services").status, 200, "it still serves");
    larch.signal(Signal::INT);
    let (status, log) = larch.wait();
    assert!(status.success(), "{log:#?}");
}

#[test]
fn log_lines_are_json_on_demand_and_the_level_changes_while_it_runs() {
    let folder = tempfile::tempdir().unwrap();
    let mut larch = Running::start(configured(binary(), folder.path(), "common: {path_prefix: ./data}"));
    let set = larch.ask("POST", "/log_level?log_level=debug", &[], "");
    assert_eq!(set.body, r#"{"status":"success","message":"Log level set to debug"}"#);
    larch.ask("GET", "/ready", &[("X-Request-ID", "find-me")], "");
    let line = larch.wait_for_line("request_id=find-me");
    assert!(
        line.contains("level=debug") && line.contains("path=/ready") && line.contains("trace_id="),
        "{line}"
    );
    larch.stop();

    let output =
        run(folder.path(), &["-config.file=larch.yaml", "-server.log_format=json", "-target=nobody"]);
    assert!(!output.status.success());
    let mut command = configured(binary(), folder.path(), "common: {path_prefix: /dev/null/x}");
    let output = command.arg("-server.log-format=json").output().unwrap();
    assert!(!output.status.success());
    let text = stderr(&output);
    let failure =
        text.lines().find(|line| line.contains("\"level\":\"error\"")).unwrap_or_else(|| panic!("{text}"));
    assert!(
        failure.starts_with('{') && failure.ends_with('}') && failure.contains("/dev/null/x"),
        "{failure}"
    );
}

#[test]
fn spans_leave_for_the_collector_and_its_certificates_are_read_at_the_start() {
    let folder = tempfile::tempdir().unwrap();
    // Where nobody listens any more, so that sending fails at once and is told.
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let collector = listener.local_addr().unwrap();
    drop(listener);
    let configuration =
        |tracing: &str| format!("{{common: {{path_prefix: ./data}}, tracing: {{{tracing}}}}}");
    let plain = configuration(&format!("otlp_endpoint: 'http://{collector}'"));
    let larch = Running::start(configured(binary(), folder.path(), &plain));
    larch.get("/ready");
    let (_, log) = larch.stop();
    assert!(log.iter().any(|line| line.contains("spans are not exported")), "{log:#?}");

    let tls = format!("otlp_endpoint: 'https://{collector}', otlp_ca_file: larch.yaml");
    let output = configured(binary(), folder.path(), &configuration(&tls)).output().unwrap();
    assert!(!output.status.success());
    let text = stderr(&output);
    assert!(text.contains("tracing.otlp_ca_file holds no certificate in PEM form"), "{text}");
}

#[test]
fn a_port_in_use_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port();
    let output = run(folder.path(), &[&format!("-server.http-listen-port={port}")]);
    assert!(!output.status.success());
    assert!(stderr(&output).contains(&format!("listen on 127.0.0.1:{port}")), "{}", stderr(&output));
}

#[test]
fn a_cache_directory_is_one_process_s_and_must_be_usable() {
    let folder = tempfile::tempdir().unwrap();
    let configuration = |directory: &str| {
        format!(
            "{{common: {{path_prefix: ./data}}, chunk_store_config: {{disk_cache: {{directory: {directory}}}}}}}"
        )
    };
    let larch = Running::start(configured(binary(), folder.path(), &configuration("deep/cache")));
    larch.get_until("/ready", |answer| answer.status == 200);
    assert!(larch.get("/services").body.contains("segment-cache => Running\n"));
    assert!(larch.get("/metrics").body.contains("larch_segment_disk_cache_entries 0\n"));
    let second = tempfile::tempdir().unwrap();
    let taken = folder.path().join("deep/cache");
    let refused = |command: &mut Command| {
        let output = command.output().unwrap();
        assert!(!output.status.success());
        stderr(&output)
    };
    let text = refused(&mut configured(binary(), second.path(), &configuration(taken.to_str().unwrap())));
    let words = ["chunk_store_config.disk_cache.directory", "deep/cache", "take the directory", "in use by"];
    assert!(words.iter().all(|words| text.contains(words)), "{text}");
    // Who reads no segments needs no directory.
    let mut command = configured(binary(), second.path(), &configuration(taken.to_str().unwrap()));
    command.arg("-target=distributor");
    let distributor = Running::start(command);
    assert!(!distributor.get("/services").body.contains("segment-cache"));
    distributor.stop();
    let (_, log) = larch.stop();
    assert!(!log.iter().any(|line| line.contains("level=error")), "{log:#?}");

    std::fs::write(second.path().join("file"), "").unwrap();
    let text = refused(&mut configured(binary(), second.path(), &configuration("file/cache")));
    assert!(text.contains("open chunk_store_config.disk_cache.directory"), "{text}");
}

#[test]
fn questions_that_need_no_running_process() {
    let folder = tempfile::tempdir().unwrap();
    let version = run(folder.path(), &["-version"]);
    assert!(stdout(&version).starts_with(concat!("larch, version ", env!("CARGO_PKG_VERSION"))));
    let targets = stdout(&run(folder.path(), &["--list-targets"]));
    assert!(targets.starts_with("all\nread\nwrite\nbackend\n") && targets.contains("\ningester\n"));
    assert!(stdout(&run(folder.path(), &["-help"])).contains("-config.file"));
    let table = stdout(&run(folder.path(), &["metrics", "list"]));
    let json = stdout(&run(folder.path(), &["metrics", "list", "--json"]));
    for name in [
        "loki_request_duration_seconds",
        "loki_inflight_requests",
        "loki_request_message_bytes",
        "loki_response_message_bytes",
        "loki_tcp_connections",
        "loki_tcp_connections_limit",
        "loki_panic_total",
        "loki_build_info",
        "loki_internal_log_messages_total",
        "loki_runtime_config_last_reload_successful",
        "loki_runtime_config_hash",
        "loki_overrides",
        "loki_overrides_defaults",
        "go_goroutines",
        "go_memstats_heap_inuse_bytes",
        "process_cpu_seconds_total",
        "process_resident_memory_bytes",
    ] {
        assert!(table.lines().any(|line| line.split(' ').next() == Some(name)), "{name} is not in\n{table}");
        assert!(json.contains(&format!("\"{name}\"")), "{name} is not in\n{json}");
    }
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0, "nothing was written");
    for (arguments, text) in [
        (&["-no.such-flag=1"][..], "flag -no.such-flag: unknown flag"),
        (&["-server.http-listen-prot=1"], "the nearest valid one is server.http_listen_port"),
        (&["-config.file=missing.yaml"], "flag -config.file: no such file: missing.yaml"),
        (&["-config.file"], "flag needs a value: -config.file"),
        (&["serve"], "unexpected argument: serve"),
        (&["-target=ingster"], "unknown target \"ingster\""),
    ] {
        let output = run(folder.path(), arguments);
        assert!(!output.status.success());
        assert!(stderr(&output).contains(text), "{arguments:?}: {}", stderr(&output));
    }
}

#[test]
fn the_health_check_asks_a_running_process() {
    let folder = tempfile::tempdir().unwrap();
    let larch = Running::start(configured(binary(), folder.path(), "common: {path_prefix: ./data}"));
    larch.get_until("/ready", |answer| answer.status == 200);
    let ready = format!("-health.url=http://{}/ready", larch.address());
    assert!(run(folder.path(), &["-health", &ready]).status.success());
    let missing = format!("-health.url=http://{}/missing", larch.address());
    let output = run(folder.path(), &["-health", &missing]);
    assert!(!output.status.success());
    assert_eq!(stderr(&output), "not ready: 404 Not Found: 404 page not found\n");
    larch.stop();
    let output = run(folder.path(), &["-health", &ready]);
    assert!(!output.status.success() && stderr(&output).contains("connect to"), "{}", stderr(&output));
}
