//! The built binary starts on a shared configuration, is ready, and stops.

use std::process::Command;

use larch_testkit::process::{Running, configured};

#[test]
fn starts_and_stops() {
    let folder = tempfile::tempdir().expect("a folder");
    let binary = Command::new(env!("CARGO_BIN_EXE_larch-distributor"));
    // A file for all roles names blocks of others, and may name another target.
    let shared = "target: all\ncommon: {path_prefix: ./data}\ningester: {}\nruler: {}\nfrontend: {}\n";
    let mut command = configured(binary, folder.path(), shared);
    command.arg("-target=distributor");
    let larch = Running::start(command);
    let ready = larch.get_until("/ready", |answer| answer.status == 200);
    assert_eq!(ready.body, "ready\n");
    let services = larch.get("/services").body;
    assert!(services.lines().any(|line| line == "distributor => Running"), "{services}");
    let json = [("Content-Type", "application/json"), ("X-Scope-OrgID", "acme")];
    let pushed = larch.ask("POST", "/loki/api/v1/push", &json, "{}");
    let text = "error at least one valid stream is required for ingestion\n";
    assert_eq!((pushed.status, pushed.body.as_str()), (422, text));
    let pushed = larch.ask("POST", "/api/prom/push", &json[..1], "{}");
    assert_eq!((pushed.status, pushed.body.as_str()), (401, "no org id\n"));
    assert_eq!(larch.ask("GET", "/loki/api/v1/push", &json, "").status, 405);
    let (status, log) = larch.stop();
    assert!(status.success(), "{log:#?}");
}
