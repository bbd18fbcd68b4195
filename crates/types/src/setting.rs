//! What every section of the configuration offers, so that the mechanism that reads files, environment
//! and flags needs to know none of them.

use std::fmt;
use std::path::PathBuf;

use serde::Serialize;
use serde::de::DeserializeOwned;

/// One block of the configuration. Its fields are Loki's keys under Loki's names; every field has a
/// default, and structs refuse fields that they do not know.
pub trait Section: Serialize + DeserializeOwned + Default {
    /// Keys of other versions, as paths below this block.
    const OLD_KEYS: &'static [OldKey] = &[];

    /// Refuses values that parse but cannot be meant.
    fn check(&self) -> Result<(), InvalidSetting> {
        Ok(())
    }

    /// Files that must be readable for this process to start.
    fn files(&self) -> Vec<NamedFile> {
        Vec::new()
    }
}

/// A key that is accepted although no field has its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OldKey {
    /// Dotted path below the block; everything below it is covered too.
    pub path: &'static str,
    pub fate: Fate,
}

impl OldKey {
    pub const fn moved(path: &'static str, target: &'static str) -> Self {
        Self { path, fate: Fate::MovedTo(target) }
    }

    pub const fn meaningless(path: &'static str, why: &'static str) -> Self {
        Self { path, fate: Fate::Meaningless(why) }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// Set another key, given as the dotted path from the top of the file, unless that one is set.
    MovedTo(&'static str),
    /// Means nothing here; the text says why, and ends up in the one warning.
    Meaningless(&'static str),
}

/// A value that was refused, by its dotted path below its block.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct InvalidSetting {
    pub key: String,
    pub reason: String,
}

impl fmt::Display for InvalidSetting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.key, self.reason)
    }
}

/// A file named by a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NamedFile {
    pub key: String,
    pub path: PathBuf,
}

/// Fails with a reason unless the condition holds.
pub fn ensure(condition: bool, key: &str, reason: impl Into<String>) -> Result<(), InvalidSetting> {
    if condition {
        return Ok(());
    }
    Err(InvalidSetting { key: key.to_owned(), reason: reason.into() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ensure_names_the_key() {
        assert_eq!(ensure(true, "a.b", "never shown"), Ok(()));
        let refused = ensure(false, "a.b", "must be above 0").unwrap_err();
        assert_eq!(refused.to_string(), "a.b: must be above 0");
    }
}
