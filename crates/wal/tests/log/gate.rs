//! A real directory whose syncs can be held up.

use std::io;
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

use larch_wal::{Dir, DirFile, DirLock, FileName, LockError, OsDir, Space};

/// Only ends a test that would hang.
const DEADLINE: Duration = Duration::from_secs(60);

#[derive(Debug, Clone)]
pub(crate) struct Gated(Arc<Gate>);

#[derive(Debug)]
struct Gate {
    dir: OsDir,
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    closed: bool,
    held: bool,
}

impl Gated {
    pub(crate) fn new(dir: OsDir) -> Self {
        Self(Arc::new(Gate { dir, state: Mutex::default(), changed: Condvar::new() }))
    }

    /// Holds up syncs until the guard is dropped, however the test ends: a runtime waits for calls that
    /// block.
    pub(crate) fn close(&self) -> Closed {
        self.0.state.lock().unwrap().closed = true;
        Closed(self.clone())
    }

    pub(crate) fn wait_for_a_sync(&self) {
        let state = self.0.state.lock().unwrap();
        let late = self.0.changed.wait_timeout_while(state, DEADLINE, |state| !state.held).unwrap().1;
        assert!(!late.timed_out(), "nothing is synced");
    }

    fn pass(&self) {
        let mut state = self.0.state.lock().unwrap();
        state.held = state.closed;
        self.0.changed.notify_all();
        drop(self.0.changed.wait_while(state, |state| state.closed).unwrap());
    }

    fn open(&self) {
        *self.0.state.lock().unwrap() = State::default();
        self.0.changed.notify_all();
    }

    fn gated(&self, file: Box<dyn DirFile>) -> Box<dyn DirFile> {
        Box::new(GatedFile { file, gate: self.clone() })
    }
}

pub(crate) struct Closed(Gated);

impl Drop for Closed {
    fn drop(&mut self) {
        self.0.open();
    }
}

impl Dir for Gated {
    fn blocks(&self) -> bool {
        true
    }

    fn lock(&self) -> Result<Box<dyn DirLock>, LockError> {
        self.0.dir.lock()
    }

    fn list(&self) -> io::Result<Vec<FileName>> {
        self.0.dir.list()
    }

    fn create(&self, name: &FileName) -> io::Result<Box<dyn DirFile>> {
        Ok(self.gated(self.0.dir.create(name)?))
    }

    fn open(&self, name: &FileName) -> io::Result<Box<dyn DirFile>> {
        Ok(self.gated(self.0.dir.open(name)?))
    }

    fn rename(&self, from: &FileName, to: &FileName) -> io::Result<()> {
        self.0.dir.rename(from, to)
    }

    fn remove(&self, name: &FileName) -> io::Result<()> {
        self.0.dir.remove(name)
    }

    fn sync(&self) -> io::Result<()> {
        self.0.dir.sync()
    }

    fn space(&self) -> io::Result<Space> {
        self.0.dir.space()
    }
}

#[derive(Debug)]
struct GatedFile {
    file: Box<dyn DirFile>,
    gate: Gated,
}

impl DirFile for GatedFile {
    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.file.append(bytes)
    }

    fn sync(&mut self) -> io::Result<()> {
        self.gate.pass();
        self.file.sync()
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        self.file.read_at(offset, buffer)
    }

    fn size(&self) -> io::Result<u64> {
        self.file.size()
    }
}
