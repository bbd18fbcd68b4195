//! A directory that loses everything that a power cut may lose.

use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use larch_runtime::Random;
use larch_wal::{Dir, DirFile, DirLock, FileName, LockError, Space};

use super::fuse::Fuse;

/// In memory, with faults on demand. Clones are the same directory.
#[derive(Debug, Clone)]
pub struct SimDir {
    disk: Arc<Disk>,
    fuse: Fuse,
}

#[derive(Debug)]
struct Disk {
    random: Random,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    /// What programs see.
    names: BTreeMap<FileName, usize>,
    /// What is there after a power cut.
    durable_names: BTreeMap<FileName, usize>,
    files: Vec<Content>,
    /// Bytes of all files that have a name.
    used: u64,
    capacity: u64,
    read_only: bool,
    failing_syncs: u32,
    /// Files whose names end so cannot be made.
    refused_names: Option<String>,
    /// Files whose names end so cannot be removed.
    kept_names: Option<String>,
    locked: bool,
    /// Files opened before a power cut are dead.
    epoch: u64,
}

#[derive(Debug, Default)]
struct Content {
    bytes: Vec<u8>,
    synced: usize,
    /// A sync has failed: the system has forgotten that these bytes were to be written.
    forgotten: bool,
}

/// Larger than any test writes.
const DEFAULT_CAPACITY: u64 = 1 << 30;

impl SimDir {
    pub fn new(seed: u64) -> Self {
        let state = State {
            names: BTreeMap::new(),
            durable_names: BTreeMap::new(),
            files: Vec::new(),
            used: 0,
            capacity: DEFAULT_CAPACITY,
            read_only: false,
            failing_syncs: 0,
            refused_names: None,
            kept_names: None,
            locked: false,
            epoch: 0,
        };
        let disk = Arc::new(Disk { random: Random::from_seed(seed), state: Mutex::new(state) });
        Self { disk, fuse: Fuse::default() }
    }

    /// Its calls count for the fuse, and fail with it.
    #[must_use]
    pub(super) fn with_fuse(self, fuse: &Fuse) -> Self {
        Self { fuse: fuse.clone(), ..self }
    }

    /// Before every call that changes something.
    fn change(&self) -> io::Result<MutexGuard<'_, State>> {
        self.fuse.call().map_err(io::Error::other)?;
        Ok(self.state())
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.disk.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Drops every name that was not synced, and of every file any part of what was not synced: none of
    /// it, all of it, or a torn piece. Handles from before fail from now on, and nobody holds the lock.
    pub fn power_cut(&self) {
        let mut state = self.state();
        state.epoch += 1;
        state.locked = false;
        state.names = state.durable_names.clone();
        for file in &mut state.files {
            let unsynced = file.bytes.len() - file.synced;
            let kept = self.disk.random.below(unsynced as u64 + 1);
            file.bytes.truncate(file.synced + usize::try_from(kept).unwrap_or(0));
            file.synced = file.bytes.len();
            file.forgotten = false;
        }
        state.used = state.names.values().map(|file| state.size_of(*file)).sum();
    }

    /// All files together may hold so many bytes.
    pub fn set_capacity(&self, bytes: u64) {
        self.state().capacity = bytes;
    }

    pub fn set_read_only(&self, read_only: bool) {
        self.state().read_only = read_only;
    }

    /// The next so many syncs, of files or of the directory, fail. As on a real disk, what was written to
    /// such a file and not synced before may be lost, even if a later sync succeeds.
    pub fn fail_syncs(&self, count: u32) {
        self.state().failing_syncs = count;
    }

    /// Turns the bits of one byte of a file.
    pub fn damage(&self, name: &FileName, offset: u64) {
        let mut state = self.state();
        let Some(file) = state.names.get(name).copied() else { return };
        let byte = usize::try_from(offset).ok().and_then(|offset| state.files[file].bytes.get_mut(offset));
        if let Some(byte) = byte {
            *byte = !*byte;
        }
    }

    /// Files whose names end so cannot be made from now on; `None` lets all be.
    pub fn refuse_names(&self, end: Option<&str>) {
        self.state().refused_names = end.map(ToOwned::to_owned);
    }

    /// Files whose names end so cannot be removed from now on; `None` lets all be.
    pub fn keep_names(&self, end: Option<&str>) {
        self.state().kept_names = end.map(ToOwned::to_owned);
    }
}

impl State {
    fn writable(&self) -> io::Result<()> {
        if self.read_only { Err(io::ErrorKind::ReadOnlyFilesystem.into()) } else { Ok(()) }
    }

    fn syncable(&mut self) -> io::Result<()> {
        self.writable()?;
        if self.failing_syncs > 0 {
            self.failing_syncs -= 1;
            return Err(io::Error::other("simulated: sync failed"));
        }
        Ok(())
    }

    fn size_of(&self, file: usize) -> u64 {
        self.files[file].bytes.len() as u64
    }
}

impl Dir for SimDir {
    fn blocks(&self) -> bool {
        false
    }

    fn lock(&self) -> Result<Box<dyn DirLock>, LockError> {
        let mut state = self.change()?;
        state.writable()?;
        if state.locked {
            return Err(LockError::Held { holder: "another simulated process".to_owned() });
        }
        state.locked = true;
        Ok(Box::new(SimLock { dir: self.clone(), epoch: state.epoch }))
    }

    fn list(&self) -> io::Result<Vec<FileName>> {
        Ok(self.state().names.keys().cloned().collect())
    }

    fn create(&self, name: &FileName) -> io::Result<Box<dyn DirFile>> {
        let mut state = self.change()?;
        state.writable()?;
        if state.names.contains_key(name) {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        if state.refused_names.as_ref().is_some_and(|end| name.as_str().ends_with(end.as_str())) {
            return Err(io::Error::other("simulated: not this file"));
        }
        let file = state.files.len();
        state.files.push(Content::default());
        state.names.insert(name.clone(), file);
        Ok(Box::new(SimFile { dir: self.clone(), file, epoch: state.epoch }))
    }

    fn open(&self, name: &FileName) -> io::Result<Box<dyn DirFile>> {
        let state = self.state();
        let file = *state.names.get(name).ok_or(io::ErrorKind::NotFound)?;
        Ok(Box::new(SimFile { dir: self.clone(), file, epoch: state.epoch }))
    }

    fn rename(&self, from: &FileName, to: &FileName) -> io::Result<()> {
        let mut state = self.change()?;
        state.writable()?;
        let file = state.names.remove(from).ok_or(io::ErrorKind::NotFound)?;
        if let Some(replaced) = state.names.insert(to.clone(), file) {
            state.used -= state.size_of(replaced);
        }
        Ok(())
    }

    fn remove(&self, name: &FileName) -> io::Result<()> {
        let mut state = self.change()?;
        state.writable()?;
        if state.kept_names.as_ref().is_some_and(|end| name.as_str().ends_with(end.as_str())) {
            return Err(io::Error::other("simulated: not this file"));
        }
        let file = state.names.remove(name).ok_or(io::ErrorKind::NotFound)?;
        state.used -= state.size_of(file);
        Ok(())
    }

    fn sync(&self) -> io::Result<()> {
        let mut state = self.change()?;
        state.syncable()?;
        state.durable_names = state.names.clone();
        Ok(())
    }

    fn space(&self) -> io::Result<Space> {
        let state = self.state();
        Ok(Space { total: state.capacity, available: state.capacity.saturating_sub(state.used) })
    }
}

#[derive(Debug)]
struct SimLock {
    dir: SimDir,
    epoch: u64,
}

impl DirLock for SimLock {}

impl Drop for SimLock {
    fn drop(&mut self) {
        let mut state = self.dir.state();
        // After a power cut the lock is another's.
        if state.epoch == self.epoch {
            state.locked = false;
        }
    }
}

#[derive(Debug)]
struct SimFile {
    dir: SimDir,
    file: usize,
    epoch: u64,
}

impl SimFile {
    /// For a call that changes something.
    fn changed(&self) -> io::Result<MutexGuard<'_, State>> {
        self.dir.fuse.call().map_err(io::Error::other)?;
        self.alive()
    }

    fn alive(&self) -> io::Result<MutexGuard<'_, State>> {
        let state = self.dir.state();
        if state.epoch == self.epoch { Ok(state) } else { Err(io::Error::other("simulated: power was cut")) }
    }
}

impl DirFile for SimFile {
    /// On a full disk the part that fits is written before the error comes.
    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        let mut state = self.changed()?;
        state.writable()?;
        let room = usize::try_from(state.capacity.saturating_sub(state.used)).unwrap_or(usize::MAX);
        let written = &bytes[..bytes.len().min(room)];
        state.files[self.file].bytes.extend_from_slice(written);
        state.used += written.len() as u64;
        if written.len() < bytes.len() { Err(io::ErrorKind::StorageFull.into()) } else { Ok(()) }
    }

    fn sync(&mut self) -> io::Result<()> {
        let mut state = self.changed()?;
        let syncable = state.syncable();
        let file = &mut state.files[self.file];
        match syncable {
            Ok(()) if file.forgotten => {}
            Ok(()) => file.synced = file.bytes.len(),
            Err(_) => file.forgotten = true,
        }
        syncable
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        let state = self.alive()?;
        let bytes = &state.files[self.file].bytes;
        let start = usize::try_from(offset).unwrap_or(usize::MAX).min(bytes.len());
        let read = buffer.len().min(bytes.len() - start);
        buffer[..read].copy_from_slice(&bytes[start..start + read]);
        Ok(read)
    }

    fn size(&self) -> io::Result<u64> {
        Ok(self.alive()?.files[self.file].bytes.len() as u64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(text: &str) -> FileName {
        text.parse().unwrap()
    }

    #[test]
    fn a_power_cut_keeps_what_was_synced_and_may_tear_the_rest() {
        let mut tails = std::collections::BTreeSet::new();
        for seed in 0..64 {
            let dir = SimDir::new(seed);
            let mut file = dir.create(&name("log")).unwrap();
            file.append(b"safe").unwrap();
            file.sync().unwrap();
            dir.sync().unwrap();
            file.append(b"lost").unwrap();
            dir.create(&name("unnamed")).unwrap().sync().unwrap();
            dir.power_cut();
            assert_eq!(dir.list().unwrap(), [name("log")], "a name that was not synced is gone");
            assert!(file.append(b"x").is_err(), "old handles are dead");
            let length = dir.open(&name("log")).unwrap().size().unwrap();
            assert!((4..=8).contains(&length));
            tails.insert(length);
        }
        assert_eq!(tails.len(), 5, "every torn length happens");
    }

    #[test]
    fn removal_and_renaming_come_back_unless_synced() {
        let dir = SimDir::new(1);
        dir.create(&name("a")).unwrap();
        dir.sync().unwrap();
        dir.rename(&name("a"), &name("b")).unwrap();
        dir.power_cut();
        assert_eq!(dir.list().unwrap(), [name("a")]);
        dir.remove(&name("a")).unwrap();
        dir.power_cut();
        assert_eq!(dir.list().unwrap(), [name("a")]);
    }

    #[test]
    fn a_sync_after_a_failed_one_promises_nothing() {
        let lost = (0..64).any(|seed| {
            let dir = SimDir::new(seed);
            let mut file = dir.create(&name("a")).unwrap();
            dir.sync().unwrap();
            file.append(b"hello").unwrap();
            dir.fail_syncs(1);
            assert!(file.sync().is_err());
            file.sync().unwrap();
            dir.power_cut();
            dir.open(&name("a")).unwrap().size().unwrap() < 5
        });
        assert!(lost);
    }

    #[test]
    fn full_read_only_and_failing() {
        let dir = SimDir::new(1);
        let mut file = dir.create(&name("a")).unwrap();
        dir.set_capacity(3);
        assert_eq!(file.append(b"hello").unwrap_err().kind(), io::ErrorKind::StorageFull);
        assert_eq!(file.size().unwrap(), 3, "a part was written");
        dir.fail_syncs(1);
        assert!(file.sync().is_err());
        file.sync().unwrap();
        dir.set_read_only(true);
        assert_eq!(dir.sync().unwrap_err().kind(), io::ErrorKind::ReadOnlyFilesystem);
        assert!(dir.create(&name("b")).is_err());
    }
}
