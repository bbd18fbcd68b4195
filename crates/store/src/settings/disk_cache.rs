//! `chunk_store_config.disk_cache`: footers and pages of stored segments on a disk of this machine.

use larch_types::{ByteSize, InvalidSetting, ensure};
use serde::{Deserialize, Serialize};

/// Larch's own: Loki has nothing like it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DiskCacheSettings {
    /// Directory for footers and pages that were read from object storage, of this process alone; empty
    /// means that none are kept on disk.
    pub directory: String,
    /// Most bytes in the directory.
    pub max_size: ByteSize,
    /// Most footers and pages in the directory; each takes some 100 bytes of memory.
    pub max_size_items: u64,
    /// Most bytes that wait to be written; what comes on top is not kept.
    pub writeback_size_limit: ByteSize,
}

/// Thirty-two files of 2 MiB, which large pages still fit into.
const LEAST_SIZE: ByteSize = ByteSize::mib(64);

/// As many as 10 GiB have room for, if they have 20 KiB as some pages have.
const DEFAULT_ITEMS: u64 = 500_000;

impl Default for DiskCacheSettings {
    fn default() -> Self {
        Self {
            directory: String::new(),
            max_size: ByteSize::gib(10),
            max_size_items: DEFAULT_ITEMS,
            writeback_size_limit: ByteSize::mib(64),
        }
    }
}

impl DiskCacheSettings {
    pub fn is_configured(&self) -> bool {
        !self.directory.is_empty()
    }

    /// `at` is the path of the block with a dot at the end.
    pub fn check_at(&self, at: &str) -> Result<(), InvalidSetting> {
        ensure(
            self.max_size >= LEAST_SIZE,
            &format!("{at}max_size"),
            format!("must be at least {}", LEAST_SIZE.to_iec()),
        )?;
        ensure(self.max_size_items > 0, &format!("{at}max_size_items"), "must be above 0")?;
        ensure(
            self.writeback_size_limit.as_u64() > 0,
            &format!("{at}writeback_size_limit"),
            "must be above 0",
        )
    }
}
