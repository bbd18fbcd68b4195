//! Segments that older programs wrote are read for ever: files of every version of the format stay in
//! `testdata/v<version>/`, and what they hold is known from the rows that they were made of.

use std::fs;
use std::path::PathBuf;

use crate::Effort;
use crate::format::{OLDEST_VERSION, VERSION};
use crate::reader::verify::verify;
use crate::testing::{build, golden_rows, model, read};

/// The later ones have triples of letters in their filters.
const FILES: [(&str, Effort); 4] = [
    ("fresh.seg", Effort::Fresh),
    ("merged.seg", Effort::Merged),
    ("fresh_triples.seg", Effort::Fresh),
    ("merged_triples.seg", Effort::Merged),
];

fn path(version: u16, name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(format!("testdata/v{version}/{name}"))
}

#[test]
fn files_of_every_version_are_read() {
    for version in OLDEST_VERSION..=VERSION {
        for (name, effort) in FILES {
            let path = path(version, name);
            // Only a file that is not there is written: those that are there never change.
            if version == VERSION && !path.try_exists().unwrap() {
                fs::create_dir_all(path.parent().unwrap()).unwrap();
                fs::write(&path, build(&golden_rows(), effort)).unwrap();
                panic!("{} was missing and is written now: commit it", path.display());
            }
            let object = fs::read(&path).unwrap().into();
            verify(&object).unwrap();
            assert!(read(&object) == model(&golden_rows()), "{}", path.display());
        }
    }
}
