//! `runtime_config`: the files that are read again while the process runs.

use std::path::PathBuf;

use larch_types::{InvalidSetting, NamedFile, Section, Span, ensure};
use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RuntimeConfigSettings {
    /// How often the files are looked at.
    pub period: Span,
    /// Files, or HTTP URLs, each over the one before.
    pub file: Vec<String>,
}

impl Default for RuntimeConfigSettings {
    fn default() -> Self {
        Self { period: Span::from_secs(10), file: Vec::new() }
    }
}

impl Section for RuntimeConfigSettings {
    fn check(&self) -> Result<(), InvalidSetting> {
        ensure(self.period > Span::ZERO, "period", "must be above 0")?;
        ensure(self.file.iter().all(|file| !file.is_empty()), "file", "holds an empty name")
    }

    fn files(&self) -> Vec<NamedFile> {
        let is_url = |file: &str| file.starts_with("http://") || file.starts_with("https://");
        let local = self.file.iter().filter(|file| !is_url(file));
        local.map(|file| NamedFile { key: "file".to_owned(), path: PathBuf::from(file) }).collect()
    }
}
