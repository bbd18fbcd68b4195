//! One process at a time. In a binary of its own: while it starts a process, that one holds for a moment all
//! locks that other tests believe to have released.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on says so by panicking")]

use std::io::{BufRead, BufReader, Read, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;

use larch_runtime::Env;
use larch_telemetry::Registry;
use larch_wal::{Dir, LogMetrics, LogSettings, OpenError, OsDir, Recovery};

fn recover(dir: OsDir) -> Result<Recovery, OpenError> {
    let env = Env::system();
    let dir: Arc<dyn Dir> = Arc::new(dir);
    Recovery::open(dir, LogSettings::default(), &env, &LogMetrics::new(&Registry::default(), &env))
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
        recover(dir)
    };
    let mut child = child(folder.path());
    let refused = open().unwrap_err();
    let OpenError::Lock(reason) = refused else { panic!("{refused}") };
    let named = format!("in use by another process; its lock file names \"process {}\"", child.id());
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
    command.args(["--exact", "a_killed_process_leaves_no_lock", "--nocapture"]);
    command.current_dir(folder).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    assert!(lines.any(|line| line.unwrap().contains(HELD)), "the child has ended");
    child
}

fn hold_until_killed() {
    let dir = OsDir::open("wal").unwrap();
    let _held = recover(dir).unwrap();
    let mut out = std::io::stdout();
    out.write_all(HELD.as_bytes()).and_then(|()| out.write_all(b"\n")).and_then(|()| out.flush()).unwrap();
    // Ends without a kill only if the parent is gone.
    drop(std::io::stdin().read(&mut [0]));
}
