//! A directory of the operating system.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, flock};
use rustix::io::Errno;

use crate::dir::{Dir, DirFile, DirLock, FileName, LockError, Space};

/// Its lock is what counts; what is in it only tells whom to look for.
const LOCK_FILE: &str = "lock";

/// Files in one folder of a local disk.
#[derive(Debug)]
pub struct OsDir {
    path: PathBuf,
    /// Held open to sync the names in it.
    handle: File,
}

impl OsDir {
    /// Makes the folder and those above it if they are not there, durably.
    pub fn open(path: impl Into<PathBuf>) -> io::Result<Self> {
        let path = path.into();
        create_durably(&path)?;
        let handle = File::open(&path)?;
        Ok(Self { path, handle })
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    fn at(&self, name: &FileName) -> PathBuf {
        self.path.join(name.as_str())
    }
}

/// A new folder is durable once the folder that names it is synced.
fn create_durably(path: &Path) -> io::Result<()> {
    match std::fs::create_dir(path) {
        Ok(()) => {}
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists && path.is_dir() => return Ok(()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let parent = path.parent().filter(|parent| *parent != path).ok_or(error)?;
            create_durably(parent)?;
            std::fs::create_dir(path)?;
        }
        Err(error) => return Err(error),
    }
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => File::open(parent)?.sync_all(),
        _ => File::open(".")?.sync_all(),
    }
}

impl Dir for OsDir {
    fn blocks(&self) -> bool {
        true
    }

    fn lock(&self) -> Result<Box<dyn DirLock>, LockError> {
        let path = self.path.join(LOCK_FILE);
        // Not truncated: as long as another holds it, the text is the other's.
        let file = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path)?;
        match flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => {}
            Err(Errno::WOULDBLOCK) => return Err(LockError::Held { holder: holder(&file) }),
            Err(error) => return Err(LockError::Io(error.into())),
        }
        // A full disk has room for the lock, if not for the words about it.
        drop(note_holder(&file));
        Ok(Box::new(OsLock { _file: file }))
    }

    fn list(&self) -> io::Result<Vec<FileName>> {
        let mut names = Vec::new();
        for entry in std::fs::read_dir(&self.path)? {
            let entry = entry?;
            if !entry.file_type()?.is_file() {
                continue;
            }
            if let Some(name) = entry.file_name().to_str().and_then(|name| name.parse().ok()) {
                names.push(name);
            }
        }
        names.sort();
        Ok(names)
    }

    fn create(&self, name: &FileName) -> io::Result<Box<dyn DirFile>> {
        let file = OpenOptions::new().read(true).append(true).create_new(true).open(self.at(name))?;
        Ok(Box::new(OsFile(file)))
    }

    fn open(&self, name: &FileName) -> io::Result<Box<dyn DirFile>> {
        Ok(Box::new(OsFile(File::open(self.at(name))?)))
    }

    fn rename(&self, from: &FileName, to: &FileName) -> io::Result<()> {
        std::fs::rename(self.at(from), self.at(to))
    }

    fn remove(&self, name: &FileName) -> io::Result<()> {
        std::fs::remove_file(self.at(name))
    }

    fn sync(&self) -> io::Result<()> {
        self.handle.sync_all()
    }

    fn space(&self) -> io::Result<Space> {
        let stat = rustix::fs::fstatvfs(&self.handle)?;
        // What is kept for the system is neither used nor to be had, as in the percentage that `df` shows.
        let used = stat.f_blocks.saturating_sub(stat.f_bfree);
        let bytes = |blocks: u64| blocks.saturating_mul(stat.f_frsize);
        Ok(Space { total: bytes(used + stat.f_bavail), available: bytes(stat.f_bavail) })
    }

    fn path_of(&self, name: &FileName) -> Option<PathBuf> {
        Some(self.at(name))
    }
}

/// The system releases it with the last handle of the file, however the process ends.
#[derive(Debug)]
struct OsLock {
    _file: File,
}

impl DirLock for OsLock {}

fn note_holder(file: &File) -> io::Result<()> {
    file.set_len(0)?;
    file.write_all_at(format!("process {}\n", std::process::id()).as_bytes(), 0)
}

/// In a container the number may be one of another container's processes.
fn holder(file: &File) -> String {
    // More than `note_holder` ever writes.
    let mut text = [0; 64];
    let read = file.read_at(&mut text, 0).unwrap_or(0);
    match std::str::from_utf8(&text[..read]).map(str::trim) {
        Ok(text) if text.starts_with("process ") => format!("another process; its lock file names {text:?}"),
        _ => "another process, which its lock file does not name".to_owned(),
    }
}

#[derive(Debug)]
struct OsFile(File);

impl DirFile for OsFile {
    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.0.write_all(bytes)
    }

    fn sync(&mut self) -> io::Result<()> {
        // The length is data to whoever reads the file again; times are not.
        self.0.sync_data()
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        let mut done = 0;
        while done < buffer.len() {
            match self.0.read_at(&mut buffer[done..], offset + done as u64) {
                Ok(0) => break,
                Ok(read) => done += read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(done)
    }

    fn size(&self) -> io::Result<u64> {
        Ok(self.0.metadata()?.len())
    }
}
