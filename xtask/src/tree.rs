//! The files of the repository: what git would track, found without git, so that the checks also run
//! on an unpacked archive and on a change that is not committed yet.

use std::path::{Path, PathBuf};

use crate::failure::{Failure, read};

pub(crate) struct File {
    /// Below the root, with `/`.
    pub(crate) path: String,
    full: PathBuf,
}

/// Folders, at any depth, whose files come from a tool or stand for somebody's input: what the checks
/// ask of sources does not concern them.
const DATA_FOLDERS: [&str; 5] = ["gen", "fixtures", "testdata", "corpus", "golden"];

impl File {
    pub(crate) fn name(&self) -> &str {
        self.path.rsplit('/').next().unwrap_or(&self.path)
    }

    /// What stands after the last dot of the name; empty if there is none.
    pub(crate) fn extension(&self) -> &str {
        self.name().rsplit_once('.').map_or("", |(_, extension)| extension)
    }

    pub(crate) fn is_data(&self) -> bool {
        self.is_below(&DATA_FOLDERS)
    }

    pub(crate) fn is_below(&self, folders: &[&str]) -> bool {
        let (parents, _) = self.path.rsplit_once('/').unwrap_or(("", &self.path));
        parents.split('/').any(|parent| folders.contains(&parent))
    }

    /// Nothing if the file is not text.
    pub(crate) fn text(&self) -> Result<Option<String>, Failure> {
        let bytes =
            std::fs::read(&self.full).map_err(|e| Failure::because(format!("read {}", self.path), e))?;
        Ok(String::from_utf8(bytes).ok())
    }
}

/// Every file below the root that `.gitignore` leaves in, sorted by path. Links are not followed.
pub(crate) fn files(root: &Path) -> Result<Vec<File>, Failure> {
    let ignored = ignored(root)?;
    let mut files = Vec::new();
    let mut folders = vec![String::new()];
    while let Some(folder) = folders.pop() {
        let full = root.join(&folder);
        let failed = |e| Failure::because(format!("list {}", full.display()), e);
        for entry in std::fs::read_dir(&full).map_err(failed)? {
            let entry = entry.map_err(failed)?;
            let name = entry.file_name().to_string_lossy().into_owned();
            let path = if folder.is_empty() { name.clone() } else { format!("{folder}/{name}") };
            if ignored.iter().any(|pattern| pattern.covers(&path, &name)) {
                continue;
            }
            let kind = entry.file_type().map_err(failed)?;
            if kind.is_dir() {
                folders.push(path);
            } else if kind.is_file() {
                files.push(File { path, full: entry.path() });
            }
        }
    }
    files.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(files)
}

/// The files that are Rust sources of ours.
pub(crate) fn rust_sources(root: &Path) -> Result<Vec<File>, Failure> {
    let mut sources = files(root)?;
    sources.retain(|file| file.extension() == "rs" && !file.is_data());
    Ok(sources)
}

/// The forms of `.gitignore` that the repository needs; another form is refused, not misread.
enum Pattern {
    AtRoot(String),
    Anywhere(String),
    Ending(String),
}

impl Pattern {
    fn parse(line: &str) -> Option<Self> {
        let line = line.trim_end_matches('/');
        let plain = |text: &str| !text.contains(['/', '*', '?', '[', '!', '\\']);
        if let Some(name) = line.strip_prefix('/') {
            plain(name).then(|| Self::AtRoot(name.to_owned()))
        } else if let Some(ending) = line.strip_prefix('*') {
            plain(ending).then(|| Self::Ending(ending.to_owned()))
        } else {
            plain(line).then(|| Self::Anywhere(line.to_owned()))
        }
    }

    fn covers(&self, path: &str, name: &str) -> bool {
        match self {
            Self::AtRoot(own) => own == path,
            Self::Anywhere(own) => own == name,
            Self::Ending(ending) => name.ends_with(ending),
        }
    }
}

fn ignored(root: &Path) -> Result<Vec<Pattern>, Failure> {
    let mut patterns = vec![Pattern::Anywhere(".git".to_owned()), Pattern::Anywhere("target".to_owned())];
    let path = root.join(".gitignore");
    if !path.is_file() {
        return Ok(patterns);
    }
    for line in read(&path)?.lines().map(str::trim) {
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let pattern = Pattern::parse(line);
        patterns.push(pattern.ok_or_else(|| {
            Failure::new(format!(
                ".gitignore: `{line}` is none of `/name`, `name`, `*ending`; see xtask/src/tree.rs"
            ))
        })?);
    }
    Ok(patterns)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scratch::Scratch;

    #[test]
    fn leaves_out_what_git_ignores() {
        let scratch = Scratch::new();
        scratch.write(".gitignore", "# built\n/out\n*.profraw\nscratch/\n");
        for path in ["out/a", "in/out/b", "c.profraw", "d/scratch/e", "f/target/g", ".git/h", "i"] {
            scratch.write(path, "");
        }
        let found: Vec<String> = files(scratch.root()).unwrap().into_iter().map(|file| file.path).collect();
        assert_eq!(found, [".gitignore", "i", "in/out/b"]);

        scratch.write(".gitignore", "/a/*/b\n");
        let refused = files(scratch.root()).err().expect("a form that is not read");
        assert!(refused.to_string().contains("`/a/*/b` is none of"), "{refused}");
    }

    #[test]
    fn knows_data_and_extensions() {
        let file = |path: &str| File { path: path.to_owned(), full: PathBuf::new() };
        assert!(file("crates/a/testdata/deep/x.rs").is_data());
        assert!(!file("crates/a/src/golden.rs").is_data());
        assert_eq!(file("a.b/run").extension(), "");
        assert_eq!(file("a.b/run.tar.gz").extension(), "gz");
    }
}
