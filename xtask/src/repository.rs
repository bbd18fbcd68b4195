//! Where the repository is, which packages it has, and the cargo that built this tool.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use crate::failure::Failure;

/// The first folder from `start` upwards that holds the list of arrows.
pub(crate) fn find_root(start: &Path) -> Result<PathBuf, Failure> {
    let start = start.canonicalize().map_err(|e| Failure::because("find the current folder", e))?;
    for folder in start.ancestors() {
        if folder.join("xtask/layers.toml").is_file() {
            return Ok(folder.to_path_buf());
        }
    }
    Err(Failure::new(format!("no folder above {} holds xtask/layers.toml", start.display())))
}

/// Cargo itself, run in the root.
pub(crate) fn cargo(root: &Path) -> Command {
    #[expect(clippy::disallowed_methods, reason = "cargo tells its children where it is; no setting")]
    let program = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(program);
    command.current_dir(root);
    command
}

pub(crate) struct Workspace {
    pub(crate) members: Vec<Member>,
    /// Where cargo puts what it builds.
    pub(crate) target: PathBuf,
}

pub(crate) struct Member {
    pub(crate) name: String,
    /// Below the root, with `/`.
    pub(crate) folder: String,
    pub(crate) dependencies: Vec<Dependency>,
}

impl Member {
    pub(crate) fn manifest(&self) -> String {
        format!("{}/Cargo.toml", self.folder)
    }
}

pub(crate) struct Dependency {
    pub(crate) name: String,
    pub(crate) kind: Kind,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Normal,
    Build,
    Dev,
}

impl Kind {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Normal => "normal",
            Self::Build => "build",
            Self::Dev => "dev",
        }
    }
}

/// What cargo makes of the manifests. `--no-deps` needs neither network nor lockfile, and a package's
/// own list of dependencies holds optional and target-specific ones, which a resolved graph may not.
pub(crate) fn workspace(root: &Path) -> Result<Workspace, Failure> {
    let output = cargo(root)
        .args(["metadata", "--no-deps", "--offline", "--format-version", "1"])
        .output()
        .map_err(|e| Failure::because("start cargo metadata", e))?;
    if !output.status.success() {
        return Err(Failure::because("cargo metadata", String::from_utf8_lossy(&output.stderr).trim()));
    }
    let metadata: Value =
        serde_json::from_slice(&output.stdout).map_err(|e| Failure::because("read cargo metadata", e))?;
    let root = Path::new(text(&metadata, "workspace_root")?);
    let mut members = Vec::new();
    for package in list(&metadata, "packages")? {
        members.push(member(package, root)?);
    }
    members.sort_by(|a, b| a.folder.cmp(&b.folder));
    Ok(Workspace { members, target: PathBuf::from(text(&metadata, "target_directory")?) })
}

fn member(package: &Value, root: &Path) -> Result<Member, Failure> {
    let manifest = Path::new(text(package, "manifest_path")?);
    let folder = manifest.parent().and_then(|folder| folder.strip_prefix(root).ok());
    let folder = folder.ok_or_else(|| Failure::new(format!("{} is not in the root", manifest.display())))?;
    let mut dependencies = Vec::new();
    for dependency in list(package, "dependencies")? {
        let kind = match dependency["kind"].as_str() {
            None => Kind::Normal,
            Some("build") => Kind::Build,
            Some("dev") => Kind::Dev,
            Some(other) => return Err(Failure::new(format!("cargo metadata: kind `{other}` is not known"))),
        };
        dependencies.push(Dependency { name: text(dependency, "name")?.to_owned(), kind });
    }
    let folder = folder.to_string_lossy().replace('\\', "/");
    Ok(Member { name: text(package, "name")?.to_owned(), folder, dependencies })
}

fn text<'a>(value: &'a Value, key: &str) -> Result<&'a str, Failure> {
    value[key].as_str().ok_or_else(|| Failure::new(format!("cargo metadata: no text at `{key}`")))
}

fn list<'a>(value: &'a Value, key: &str) -> Result<&'a Vec<Value>, Failure> {
    value[key].as_array().ok_or_else(|| Failure::new(format!("cargo metadata: no list at `{key}`")))
}
