//! Every role as a process of its own, all on one configuration file, as a cluster is deployed.

use std::collections::BTreeMap;

use larch_testkit::process::{Running, built, configured};

const ROLES: [&str; 7] =
    ["distributor", "ingester", "querier", "query-frontend", "index-gateway", "compactor", "ruler"];

const SHARED: &str = "
target: all
common: {path_prefix: ./data, replication_factor: 1, ring: {kvstore: {store: memberlist}}}
limits_config: {max_query_series: 7}
ingester: {wal: {dir: ./data/wal}}
querier: {max_concurrent: 2}
frontend: {compress_responses: true}
compactor: {retention_enabled: true}
ruler: {alertmanager_url: 'http://127.0.0.1:9'}
";

#[test]
fn seven_processes_share_a_configuration() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut running = BTreeMap::new();
    for role in ROLES {
        let mut command = configured(built(&format!("larch-{role}")), folder.path(), SHARED);
        command.arg(format!("-target={role}"));
        running.insert(role, Running::start(command));
    }
    for (role, larch) in &running {
        larch.get_until("/ready", |answer| answer.status == 200);
        let services = larch.get("/services").body;
        for other in ROLES {
            let is_listed = services.contains(&format!("{other} => Running\n"));
            assert_eq!(is_listed, other == *role, "{role}: {services}");
        }
        assert!(services.contains("grpc-server => Running\n"), "{role}: {services}");
        let limits = larch.ask("GET", "/config/tenant/v1/limits", &[("X-Scope-OrgID", "acme")], "");
        assert!(limits.body.contains("max_query_series: 7\n"), "{role}: {limits:?}");
    }
    for (role, larch) in running {
        let (status, log) = larch.stop();
        assert!(status.success(), "{role}: {log:#?}");
    }
}

#[test]
fn one_process_runs_the_roles_of_a_group() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut command = configured(built("larch"), folder.path(), SHARED);
    command.arg("-target=write,query-scheduler");
    let larch = Running::start(command);
    larch.get_until("/ready", |answer| answer.status == 200);
    let services = larch.get("/services").body;
    for role in ROLES {
        let wanted = ["distributor", "ingester", "query-frontend"].contains(&role);
        assert_eq!(services.contains(&format!("{role} => Running\n")), wanted, "{services}");
    }
    let (_, log) = larch.stop();
    let warning = "target query-scheduler is part of query-frontend, which is run in its place";
    assert_eq!(log.iter().filter(|line| line.contains(warning)).count(), 1, "{log:#?}");
}
