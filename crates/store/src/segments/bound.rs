//! The bound of a cache: bytes, entries or both, as the settings say.

use crate::settings::EmbeddedCacheSettings;

/// What an entry takes beside its bytes: its key, and its places in the cache's tables.
const ENTRY_BYTES: u64 = 256;

const BYTES_PER_MB: f64 = 1024.0 * 1024.0;

/// A bound in one number. Where both bytes and entries are bounded, an entry weighs at least its share, so
/// that neither bound is passed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CacheBound {
    capacity: u64,
    least: u64,
    counts_bytes: bool,
}

impl CacheBound {
    pub fn new(settings: &EmbeddedCacheSettings) -> Self {
        let bytes = (settings.max_size_mb.max(0.0) * BYTES_PER_MB) as u64;
        match (bytes, settings.max_size_items) {
            (0, items) => Self { capacity: items, least: 1, counts_bytes: false },
            (bytes, 0) => Self { capacity: bytes, least: 1, counts_bytes: true },
            (bytes, items) => {
                Self { capacity: bytes, least: bytes.div_ceil(items.max(1)), counts_bytes: true }
            }
        }
    }

    /// For entries that [`Self::weight`] weighs.
    pub fn capacity(&self) -> u64 {
        self.capacity
    }

    pub fn weight(&self, bytes: u64) -> u32 {
        let bytes = if self.counts_bytes { bytes.saturating_add(ENTRY_BYTES) } else { 0 };
        u32::try_from(bytes.max(self.least)).unwrap_or(u32::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn neither_bound_is_passed() {
        for (max_size_mb, max_size_items, bytes, fit) in [
            (1.0, 0, 768, 1024),
            (1.0, 8, 768, 8),
            (1.0, 10_000, 768, 1024),
            (0.0, 10, 1 << 20, 10),
            (0.0, 0, 1, 0),
        ] {
            let settings =
                EmbeddedCacheSettings { max_size_mb, max_size_items, ..EmbeddedCacheSettings::default() };
            let bound = CacheBound::new(&settings);
            assert_eq!(bound.capacity / u64::from(bound.weight(bytes)), fit, "{settings:?}");
        }
    }
}
