//! The built binary starts on a shared configuration, is ready, and stops.

use std::process::Command;

use larch_testkit::process::{Running, configured};

#[test]
fn starts_and_stops() {
    let folder = tempfile::tempdir().expect("a folder");
    let binary = Command::new(env!("CARGO_BIN_EXE_larch-querier"));
    // A file for all roles names blocks of others, and may name another target.
    let shared = "target: all\ncommon: {path_prefix: ./data}\ningester: {}\nruler: {}\nfrontend: {}\n";
    let mut command = configured(binary, folder.path(), shared);
    command.arg("-target=querier");
    let larch = Running::start(command);
    let ready = larch.get_until("/ready", |answer| answer.status == 200);
    assert_eq!(ready.body, "ready\n");
    let services = larch.get("/services").body;
    assert!(services.lines().any(|line| line == "querier => Running"), "{services}");
    let (status, log) = larch.stop();
    assert!(status.success(), "{log:#?}");
}
