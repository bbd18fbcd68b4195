//! A directory of a local disk as a store.
//!
//! What `put` and `link` have answered survives a power cut: the bytes are synced before the name is made,
//! the name after, and with it every directory above that this process has not yet synced. A name never
//! shows part of an object. Unfinished files are in a folder of their own and are cleared away a day later. A folder goes
//! with the last object in it.

use std::collections::HashSet;
use std::fmt;
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use futures_util::stream::BoxStream;
use futures_util::{StreamExt, TryStreamExt, future};
use object_store::local::LocalFileSystem;
use object_store::path::Path;
use object_store::{
    CopyOptions, Error, Extensions, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta,
    ObjectStore, PutMode, PutMultipartOptions, PutOptions, PutPayload, PutResult, Result,
};

const STORE: &str = "directory";

/// Unfinished files. No tenant's folder can have this name.
const UNFINISHED: &str = ".unfinished";

/// After which an unfinished file has nobody who finishes it.
const ABANDONED_AFTER: Duration = Duration::from_secs(24 * 3600);

/// As many uploads as may be under way in all processes that share a directory, and some.
const MAX_NAMES_TRIED: usize = 10_000;

/// Directories known to be durable. One is a few dozen bytes; when all are forgotten they are synced again.
const MAX_SYNCED: usize = 1 << 16;

pub(crate) struct Directory {
    root: PathBuf,
    reads: LocalFileSystem,
    synced: Mutex<HashSet<PathBuf>>,
    /// Held for reading while a name is made, and for writing while folders are cleared away: a folder that is known to
    /// be durable is then the one that is there.
    folders: RwLock<()>,
    /// Names unfinished files apart, with the id of the process.
    next: AtomicU64,
}

impl Directory {
    /// Makes the directory if it is not there, and holds it to be writable.
    pub(crate) fn open(root: &std::path::Path) -> io::Result<Self> {
        let there_before = root.ancestors().find(|above| above.is_dir()).map(std::path::Path::to_owned);
        fs::create_dir_all(root.join(UNFINISHED))?;
        for made in root.ancestors().take_while(|above| Some(*above) != there_before.as_deref()) {
            sync_folder(made.parent().filter(|above| !above.as_os_str().is_empty()).unwrap_or(".".as_ref()))?;
        }
        let root = root.canonicalize()?;
        let reads = LocalFileSystem::new_with_prefix(&root).map_err(io::Error::other)?.with_fsync(true);
        let directory = Self {
            root,
            reads,
            synced: Mutex::default(),
            folders: RwLock::default(),
            next: AtomicU64::new(0),
        };
        directory.clear_abandoned()?;
        Ok(directory)
    }

    /// Gives an object the bytes of a file on the same disk without writing them again, and those of any
    /// other file by copying. The file must be synced and never change. It may have waited for days, and objects are as
    /// old as what was written: so its time becomes that of now, lest it is swept before it is announced.
    pub(crate) async fn link(self: &Arc<Self>, file: &std::path::Path, location: &Path) -> Result<()> {
        let (this, file, location) = (Arc::clone(self), file.to_owned(), location.clone());
        blocking(move || this.link_now(&file, &location)).await
    }

    fn link_now(&self, file: &std::path::Path, location: &Path) -> io::Result<()> {
        let now = self.disk_time()?;
        let link = |unfinished: &std::path::Path| {
            fs::hard_link(file, unfinished)?;
            File::open(unfinished)?.set_modified(now).inspect_err(|_| remove_if_there(unfinished))
        };
        self.finish(location, |unfinished| match link(unfinished) {
            Ok(()) => Ok(()),
            Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::AlreadyExists) => {
                Err(error)
            }
            // Another disk, one without links, or a file of somebody else.
            Err(_) => {
                let mut from = File::open(file)?;
                write_synced(unfinished, |copy| io::copy(&mut from, copy).map(|_| ()))
            }
        })
    }

    fn put_now(&self, location: &Path, payload: &PutPayload) -> io::Result<()> {
        self.finish(location, |unfinished| {
            write_synced(unfinished, |file| payload.iter().try_for_each(|part| file.write_all(part)))
        })
    }

    /// Makes a durable file under a name of its own, then gives it its final name, durably.
    fn finish(&self, location: &Path, make: impl Fn(&std::path::Path) -> io::Result<()>) -> io::Result<()> {
        let unfinished = self.make_unfinished(make)?;
        let made = self.give_name(&unfinished, &self.file(location));
        match fs::remove_file(&unfinished) {
            // Renaming one link of a file over another does nothing and leaves both.
            Ok(()) => made,
            Err(error) if error.kind() == io::ErrorKind::NotFound => made,
            Err(error) => made.and(Err(error)),
        }
    }

    /// Processes that share the directory may have the same id; then one of them takes the next number.
    fn make_unfinished(&self, make: impl Fn(&std::path::Path) -> io::Result<()>) -> io::Result<PathBuf> {
        let folder = self.root.join(UNFINISHED);
        for _ in 0..MAX_NAMES_TRIED {
            let number = self.next.fetch_add(1, Ordering::Relaxed);
            let path = folder.join(format!("{}-{number}", std::process::id()));
            match make(&path) {
                Ok(()) => return Ok(path),
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(error),
            }
        }
        Err(io::ErrorKind::AlreadyExists.into())
    }

    fn give_name(&self, unfinished: &std::path::Path, target: &std::path::Path) -> io::Result<()> {
        let folder = target.parent().unwrap_or(&self.root);
        let _stay = self.folders.read().unwrap_or_else(PoisonError::into_inner);
        self.make_durable(folder)?;
        if let Err(error) = fs::rename(unfinished, target) {
            if error.kind() != io::ErrorKind::NotFound {
                return Err(error);
            }
            // Somebody cleared the empty folder away.
            self.forget();
            self.make_durable(folder)?;
            fs::rename(unfinished, target)?;
        }
        sync_folder(folder)
    }

    /// Makes a folder and those above it, and syncs the names of all that this process has not synced. One
    /// that is there may have been made just now by somebody who has not synced it yet.
    fn make_durable(&self, folder: &std::path::Path) -> io::Result<()> {
        if self.lock().contains(folder) {
            return Ok(());
        }
        fs::create_dir_all(folder)?;
        let mut durable = Vec::new();
        for child in folder.ancestors().take_while(|child| *child != self.root) {
            if self.lock().contains(child) {
                break;
            }
            sync_folder(child.parent().unwrap_or(&self.root))?;
            durable.push(child.to_owned());
        }
        let mut synced = self.lock();
        if synced.len() >= MAX_SYNCED {
            synced.clear();
        }
        synced.extend(durable);
        Ok(())
    }

    fn delete_now(&self, location: &Path) -> io::Result<()> {
        let file = self.file(location);
        fs::remove_file(&file)?;
        let folder = file.parent().unwrap_or(&self.root);
        // Or a document that was deleted could come back.
        sync_folder(folder)?;
        self.clear_empty(folder);
        Ok(())
    }

    /// Clears a folder away in which nothing is left, and those above it. A folder that stays, or comes back after a
    /// power cut, does no harm.
    fn clear_empty(&self, folder: &std::path::Path) {
        let is_empty = fs::read_dir(folder).is_ok_and(|mut entries| entries.next().is_none());
        if !is_empty {
            return;
        }
        let _alone = self.folders.write().unwrap_or_else(PoisonError::into_inner);
        for folder in folder.ancestors().take_while(|folder| *folder != self.root) {
            // It fails where something was put in meanwhile.
            if fs::remove_dir(folder).is_err() {
                return;
            }
            self.lock().remove(folder);
        }
    }

    fn forget(&self) {
        self.lock().clear();
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashSet<PathBuf>> {
        self.synced.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn file(&self, location: &Path) -> PathBuf {
        let mut file = self.root.clone();
        for part in location.parts() {
            file.push(part.as_ref());
        }
        file
    }

    /// Times are those of the disk's own clock: a file is made to see what it says.
    fn disk_time(&self) -> io::Result<SystemTime> {
        let probe = self.make_unfinished(|path| File::create_new(path).map(drop))?;
        let now = fs::metadata(&probe)?.modified();
        fs::remove_file(&probe)?;
        now
    }

    fn clear_abandoned(&self) -> io::Result<()> {
        let folder = self.root.join(UNFINISHED);
        let now = self.disk_time()?;
        for entry in fs::read_dir(&folder)? {
            let entry = entry?;
            let Ok(metadata) = entry.metadata() else { continue };
            let age = metadata.modified().ok().and_then(|modified| now.duration_since(modified).ok());
            if age.is_some_and(|age| age > ABANDONED_AFTER) && fs::remove_file(entry.path()).is_err() {
                continue;
            }
        }
        Ok(())
    }
}

/// What is left of a file that could not be finished is nobody's.
fn write_synced(path: &std::path::Path, write: impl FnOnce(&mut File) -> io::Result<()>) -> io::Result<()> {
    let mut file = File::create_new(path)?;
    let written = write(&mut file).and_then(|()| file.sync_all());
    if written.is_err() {
        fs::remove_file(path)?;
    }
    written
}

/// What stays of an unfinished file is cleared away a day later.
fn remove_if_there(file: &std::path::Path) {
    drop(fs::remove_file(file));
}

fn sync_folder(folder: &std::path::Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

/// Blocks a thread that is there for it.
async fn blocking<T: Send + 'static>(run: impl FnOnce() -> io::Result<T> + Send + 'static) -> Result<T> {
    let done = tokio::task::spawn_blocking(run).await?;
    done.map_err(|source| Error::Generic { store: STORE, source: Box::new(source) })
}

fn is_unfinished(file: &Path) -> bool {
    file.as_ref().split('/').next() == Some(UNFINISHED)
}

impl fmt::Display for Directory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.root.display(), f)
    }
}

impl fmt::Debug for Directory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Directory({self})")
    }
}

/// The trait, for a directory that tasks share.
#[derive(Debug, Clone)]
pub(crate) struct SharedDirectory(pub(crate) Arc<Directory>);

impl fmt::Display for SharedDirectory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

#[async_trait]
impl ObjectStore for SharedDirectory {
    async fn put_opts(&self, location: &Path, payload: PutPayload, options: PutOptions) -> Result<PutResult> {
        if options.mode != PutMode::Overwrite {
            let operation = "put that does not overwrite".to_owned();
            return Err(Error::NotImplemented { operation, implementer: STORE.to_owned() });
        }
        let (this, location) = (Arc::clone(&self.0), location.clone());
        blocking(move || this.put_now(&location, &payload)).await?;
        Ok(PutResult { e_tag: None, version: None, extensions: Extensions::default() })
    }

    async fn put_multipart_opts(
        &self,
        location: &Path,
        options: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        self.0.reads.put_multipart_opts(location, options).await
    }

    async fn get_opts(&self, location: &Path, options: GetOptions) -> Result<GetResult> {
        self.0.reads.get_opts(location, options).await
    }

    fn delete_stream(&self, locations: BoxStream<'static, Result<Path>>) -> BoxStream<'static, Result<Path>> {
        let directory = Arc::clone(&self.0);
        let delete = move |location: Path| {
            let (directory, path) = (Arc::clone(&directory), location.clone());
            async move {
                let deleted = tokio::task::spawn_blocking(move || directory.delete_now(&path)).await?;
                deleted.map_err(|error| delete_error(error, &location))?;
                Ok(location)
            }
        };
        locations.and_then(delete).boxed()
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        let ours = |meta: &ObjectMeta| future::ready(!is_unfinished(&meta.location));
        self.0.reads.list(prefix).try_filter(ours).boxed()
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        let mut found = self.0.reads.list_with_delimiter(prefix).await?;
        found.common_prefixes.retain(|folder| !is_unfinished(folder));
        Ok(found)
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        self.0.reads.copy_opts(from, to, options).await
    }
}

fn delete_error(error: io::Error, location: &Path) -> Error {
    let source = Box::new(error);
    if source.kind() == io::ErrorKind::NotFound {
        return Error::NotFound { path: location.to_string(), source };
    }
    Error::Generic { store: STORE, source }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::MetadataExt;

    use object_store::ObjectStoreExt;

    use super::*;

    fn open(root: &std::path::Path) -> (Arc<Directory>, SharedDirectory) {
        let directory = Arc::new(Directory::open(root).unwrap());
        (Arc::clone(&directory), SharedDirectory(directory))
    }

    fn unfinished(root: &std::path::Path) -> usize {
        fs::read_dir(root.join(UNFINISHED)).unwrap().count()
    }

    #[tokio::test]
    async fn files_are_linked_not_copied() {
        let root = tempfile::tempdir().unwrap();
        let (directory, store) = open(&root.path().join("objects"));
        let file = root.path().join("segment");
        fs::write(&file, "rows").unwrap();
        let location = Path::from("t/seg/20260101/a.seg");
        for _ in 0..2 {
            directory.link(&file, &location).await.unwrap();
            let linked = fs::metadata(directory.file(&location)).unwrap();
            assert_eq!(linked.ino(), fs::metadata(&file).unwrap().ino());
            assert_eq!(unfinished(&directory.root), 0);
        }
        // Another object under the name gives way.
        store.put(&location, "other".into()).await.unwrap();
        directory.link(&file, &location).await.unwrap();
        fs::remove_file(&file).unwrap();
        assert_eq!(store.get(&location).await.unwrap().bytes().await.unwrap(), "rows");
        let missing = directory.link(&root.path().join("missing"), &location).await.unwrap_err();
        assert!(!matches!(missing, Error::NotFound { .. }), "the object is not what is missing");
        assert_eq!(unfinished(&directory.root), 0);
    }

    /// The sweeper takes the age of an object for how long it was not announced.
    #[tokio::test]
    async fn a_file_that_waited_is_a_young_object() {
        let root = tempfile::tempdir().unwrap();
        let (directory, store) = open(&root.path().join("objects"));
        let file = root.path().join("segment");
        fs::write(&file, "rows").unwrap();
        let written = fs::metadata(&file).unwrap().modified().unwrap();
        File::open(&file).unwrap().set_modified(written - Duration::from_secs(3 * 86_400)).unwrap();
        directory.link(&file, &"a".into()).await.unwrap();
        assert!(SystemTime::from(store.head(&"a".into()).await.unwrap().last_modified) >= written);
        assert_eq!(unfinished(&directory.root), 0);
    }

    #[tokio::test]
    async fn a_folder_goes_with_its_last_object() {
        let root = tempfile::tempdir().unwrap();
        let (_, store) = open(root.path());
        for name in ["t/seg/20260101/a", "t/seg/20260101/b", "t/cat/20260101/c"] {
            store.put(&name.into(), "x".into()).await.unwrap();
        }
        for (name, left) in [("a", true), ("b", false)] {
            store.delete(&format!("t/seg/20260101/{name}").as_str().into()).await.unwrap();
            assert_eq!(root.path().join("t/seg").is_dir(), left, "{name}");
        }
        assert!(root.path().join("t/cat/20260101/c").is_file());
        store.delete(&"t/cat/20260101/c".into()).await.unwrap();
        assert!(!root.path().join("t").is_dir() && root.path().join(UNFINISHED).is_dir());
        store.put(&"t/seg/20260101/d".into(), "x".into()).await.unwrap();
        assert_eq!(store.list(None).try_collect::<Vec<_>>().await.unwrap().len(), 1);
    }

    #[tokio::test]
    async fn a_failed_put_leaves_nothing() {
        let root = tempfile::tempdir().unwrap();
        let (directory, store) = open(root.path());
        // A folder stands where the file should.
        store.put(&"a/b/c".into(), "x".into()).await.unwrap();
        store.put(&"a/b".into(), "x".into()).await.unwrap_err();
        assert_eq!(unfinished(&directory.root), 0);
        assert_eq!(store.list(None).try_collect::<Vec<_>>().await.unwrap().len(), 1);
    }

    #[tokio::test]
    async fn folders_that_were_cleared_away_come_back() {
        let root = tempfile::tempdir().unwrap();
        let (_, store) = open(root.path());
        store.put(&"a/b/c".into(), "x".into()).await.unwrap();
        fs::remove_dir_all(root.path().join("a")).unwrap();
        store.put(&"a/b/d".into(), "x".into()).await.unwrap();
        assert!(root.path().join("a/b/d").is_file());
    }

    #[test]
    fn what_nobody_finishes_is_cleared_away() {
        let root = tempfile::tempdir().unwrap();
        let (directory, _) = open(root.path());
        for (name, hours) in [("old", 25), ("young", 23)] {
            let file = File::create(root.path().join(UNFINISHED).join(name)).unwrap();
            let now = file.metadata().unwrap().modified().unwrap();
            file.set_modified(now - Duration::from_secs(hours * 3600)).unwrap();
        }
        directory.clear_abandoned().unwrap();
        assert_eq!(unfinished(root.path()), 1);
    }
}
