//! What becomes of rows that are alike, found out once.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

use xxhash_rust::xxh3::Xxh3;

/// What becomes of a row behind the filters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    Dropped,
    /// It is a sample of the series of this number.
    Sample(u32),
}

/// What a row's outcome hangs on, hashed: no two of these that anybody will ever store share 128 bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct RowKey(u128);

impl std::hash::Hash for RowKey {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u64(self.0 as u64);
    }
}

impl RowKey {
    /// Of a row whose line does not matter.
    pub(crate) fn of_row(stream: u32, metadata: &[(&str, &str)], level: Option<&str>) -> Self {
        if metadata.is_empty() && level.is_none() {
            return Self(u128::from(stream));
        }
        let mut hash = Xxh3::new();
        hash.update(&stream.to_le_bytes());
        let mut put = |text: &str| {
            hash.update(&(text.len() as u64).to_le_bytes());
            hash.update(text.as_bytes());
        };
        put(level.unwrap_or_default());
        for (name, value) in metadata {
            put(name);
            put(value);
        }
        Self(hash.digest128() | 1 << 127)
    }
}

impl RowKey {
    pub(crate) const fn number(self) -> u128 {
        self.0
    }
}

/// Keys are hashes already.
#[derive(Debug, Default)]
pub(crate) struct AsIs(u64);

impl Hasher for AsIs {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = self.0.rotate_left(8) ^ u64::from(*byte);
        }
    }

    fn write_u64(&mut self, number: u64) {
        // The high bits choose the group of a table, and small numbers have none.
        self.0 = number.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    }
}

/// More are forgotten all at once: they take some 4 MB.
const MAX_KNOWN: usize = 1 << 16;

#[derive(Debug, Default)]
pub(crate) struct Outcomes(HashMap<RowKey, Outcome, BuildHasherDefault<AsIs>>);

impl Outcomes {
    pub(crate) fn get(&self, key: RowKey) -> Option<Outcome> {
        self.0.get(&key).copied()
    }

    pub(crate) fn insert(&mut self, key: RowKey, outcome: Outcome) {
        if self.0.len() >= MAX_KNOWN {
            self.0.clear();
        }
        self.0.insert(key, outcome);
    }
}
