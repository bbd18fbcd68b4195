//! Finds rows by their identity: an open-addressed table of row numbers, so that a row costs some
//! twelve bytes. It compares half of the hash; whoever asks compares the rows.

use crate::row::RowIdentity;

#[derive(Debug, Default)]
pub(crate) struct IdentityTable {
    /// Half of the identity, and the row's number plus one; 0 if the slot is empty.
    slots: Vec<(u32, u32)>,
    rows: usize,
}

/// Slots of the first table.
const MIN_SLOTS: usize = 64;

impl IdentityTable {
    pub(crate) fn memory_bytes(&self) -> usize {
        self.slots.capacity() * size_of::<(u32, u32)>()
    }

    /// The first row with this half of an identity for which `is_same` holds.
    pub(crate) fn find(&self, identity: RowIdentity, mut is_same: impl FnMut(u32) -> bool) -> Option<u32> {
        if self.slots.is_empty() {
            return None;
        }
        let tag = tag_of(identity);
        let mut slot = self.home(tag);
        loop {
            let (found, row) = self.slots[slot];
            let row = row.checked_sub(1)?;
            if found == tag && is_same(row) {
                return Some(row);
            }
            slot = self.home(slot as u32 + 1);
        }
    }

    pub(crate) fn insert(&mut self, identity: RowIdentity, row: u32) {
        // At most three quarters full, so that runs of full slots stay short.
        if (self.rows + 1) * 4 > self.slots.len() * 3 {
            self.grow();
        }
        self.put(tag_of(identity), row + 1);
        self.rows += 1;
    }

    fn grow(&mut self) {
        let slots = (self.slots.len() * 2).max(MIN_SLOTS);
        let before = std::mem::replace(&mut self.slots, vec![(0, 0); slots]);
        for (tag, row) in before {
            if row != 0 {
                self.put(tag, row);
            }
        }
    }

    fn put(&mut self, tag: u32, row: u32) {
        let mut slot = self.home(tag);
        while self.slots[slot].1 != 0 {
            slot = self.home(slot as u32 + 1);
        }
        self.slots[slot] = (tag, row);
    }

    /// The table's length is a power of two.
    fn home(&self, tag: u32) -> usize {
        tag as usize & (self.slots.len() - 1)
    }
}

const fn tag_of(identity: RowIdentity) -> u32 {
    identity.0 as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_found() {
        let mut table = IdentityTable::default();
        let identity = |row: u32| RowIdentity(u64::from(row % 50) << 32 | u64::from(row / 3));
        for row in 0..1000 {
            table.insert(identity(row), row);
        }
        for row in 0..1000 {
            assert_eq!(table.find(identity(row), |found| found == row), Some(row));
        }
        assert_eq!(table.find(RowIdentity(u64::MAX), |_| true), None);
        assert!(table.memory_bytes() <= 1000 * 22);
    }
}
