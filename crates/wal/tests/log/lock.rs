//! One process at a time.

use std::io::{BufRead, BufReader, Read, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;

use larch_runtime::Env;
use larch_testkit::sim::run;
use larch_wal::{LogSettings, OpenError, OsDir};

use crate::support::{recover, start};

#[test]
fn a_second_process_is_refused() {
    run(1, async |world| {
        let dir = world.wal_dir.clone();
        let again = || recover(Arc::new(dir.clone()), LogSettings::default(), &world.env).map(drop);
        let log = start(dir.clone(), LogSettings::default(), &world.env);
        assert!(matches!(again(), Err(OpenError::Lock(_))));
        log.close().await;
        again().unwrap();

        let log = start(dir.clone(), LogSettings::default(), &world.env);
        log.scope.cancel();
        log.log.close().await;
        again().unwrap();
    });
}

/// In its own working directory it finds what makes it the child.
const CHILD: &str = "be-the-child";
const HELD: &str = "the child holds the lock";

#[test]
fn a_killed_process_leaves_no_lock() {
    if Path::new(CHILD).try_exists().unwrap() {
        return hold_until_killed();
    }
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join(CHILD), "").unwrap();
    let open = || {
        let dir = OsDir::open(folder.path().join("wal")).unwrap();
        recover(Arc::new(dir), LogSettings::default(), &Env::system())
    };
    let mut child = child(folder.path());
    let refused = open().unwrap_err();
    let OpenError::Lock(reason) = refused else { panic!("{refused}") };
    let named = format!("in use by another user; its lock file names \"process {}\"", child.id());
    assert_eq!(reason.to_string(), named);
    child.kill().unwrap();
    child.wait().unwrap();
    let first = open().unwrap();
    assert!(matches!(open(), Err(OpenError::Lock(_))), "also within a process");
    drop(first);
    open().unwrap();
}

fn child(folder: &Path) -> Child {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", "lock::a_killed_process_leaves_no_lock", "--nocapture"]);
    command.current_dir(folder).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    assert!(lines.any(|line| line.unwrap().contains(HELD)), "the child has ended");
    child
}

fn hold_until_killed() {
    let dir = OsDir::open("wal").unwrap();
    let _held = recover(Arc::new(dir), LogSettings::default(), &Env::system()).unwrap();
    let mut out = std::io::stdout();
    out.write_all(HELD.as_bytes()).and_then(|()| out.write_all(b"\n")).and_then(|()| out.flush()).unwrap();
    // Ends without a kill only if the parent is gone.
    drop(std::io::stdin().read(&mut [0]));
}
