//! A directory of the operating system.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use crate::dir::{Dir, DirFile, FileName, Space};

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
        Ok(Space { total: stat.f_blocks * stat.f_frsize, available: stat.f_bavail * stat.f_frsize })
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
