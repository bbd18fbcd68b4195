//! One suite for every directory: the real one and its hostile twin.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on says so by panicking")]

use std::io;

use larch_testkit::sim::SimDir;
use larch_wal::{Dir, FileName, OsDir};

fn name(text: &str) -> FileName {
    text.parse().unwrap()
}

fn suite(dir: &dyn Dir) {
    assert_eq!(dir.list().unwrap(), []);
    let mut file = dir.create(&name("b")).unwrap();
    file.append(b"hello ").unwrap();
    file.append(b"world").unwrap();
    file.sync().unwrap();
    assert_eq!(file.size().unwrap(), 11);
    let again = dir.create(&name("b")).unwrap_err();
    assert_eq!(again.kind(), io::ErrorKind::AlreadyExists);

    let reader = dir.open(&name("b")).unwrap();
    let mut buffer = [0; 5];
    assert_eq!(reader.read_at(6, &mut buffer).unwrap(), 5);
    assert_eq!(&buffer, b"world");
    assert_eq!(reader.read_at(9, &mut buffer).unwrap(), 2, "fewer bytes at the end");
    assert_eq!(reader.read_at(100, &mut buffer).unwrap(), 0);
    assert_eq!(dir.open(&name("x")).unwrap_err().kind(), io::ErrorKind::NotFound);

    dir.create(&name("a")).unwrap();
    assert_eq!(dir.list().unwrap(), [name("a"), name("b")]);
    dir.rename(&name("b"), &name("a")).unwrap();
    assert_eq!(dir.open(&name("a")).unwrap().size().unwrap(), 11);
    dir.sync().unwrap();
    dir.remove(&name("a")).unwrap();
    assert_eq!(dir.remove(&name("a")).unwrap_err().kind(), io::ErrorKind::NotFound);
    assert_eq!(dir.list().unwrap(), []);

    let lock = dir.lock().unwrap();
    let held = dir.lock().unwrap_err().to_string();
    assert!(held.starts_with("in use by another "), "{held}");
    drop(lock);
    drop(dir.lock().unwrap());

    let space = dir.space().unwrap();
    assert!(space.available > 0 && space.available <= space.total);
}

#[test]
fn real_directory() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("made/on/the/way");
    suite(&OsDir::open(&path).unwrap());
    std::fs::remove_file(path.join("lock")).unwrap();
    std::fs::create_dir(path.join("folder")).unwrap();
    std::fs::write(path.join(".hidden"), "").unwrap();
    assert_eq!(OsDir::open(&path).unwrap().list().unwrap(), [], "only our files are listed");
}

#[test]
fn simulated_directory() {
    suite(&SimDir::new(7));
}
