//! Finds numbered things by their hash: rows of an arena, its streams and the texts of their labels. An
//! open-addressed table, so that a thing costs some twelve bytes. It compares half of the hash; whoever
//! asks compares the things.

#[derive(Debug, Clone, Default)]
pub(crate) struct NumberTable {
    /// Half of the hash, and the number plus one; 0 if the slot is empty.
    slots: Vec<(u32, u32)>,
    filled: usize,
}

/// Slots of the first table.
const MIN_SLOTS: usize = 64;

impl NumberTable {
    pub(crate) fn memory_bytes(&self) -> usize {
        self.slots.capacity() * size_of::<(u32, u32)>()
    }

    pub(crate) fn slots(&self) -> usize {
        self.slots.len()
    }

    /// Forgets all and keeps its room.
    pub(crate) fn clear(&mut self) {
        self.slots.fill((0, 0));
        self.filled = 0;
    }

    /// Whether the next entry makes it grow.
    pub(crate) fn is_full(&self) -> bool {
        // At most three quarters full, so that runs of full slots stay short.
        (self.filled + 1) * 4 > self.slots.len() * 3
    }

    /// Moves to an empty table that has more slots, and gives back the one before.
    pub(crate) fn move_to(&mut self, larger: Self) -> Self {
        let before = std::mem::replace(self, larger);
        self.put_all(&before.slots);
        self.filled = before.filled;
        before
    }

    /// The first number with this half of a hash for which `is_same` holds.
    pub(crate) fn find(&self, hash: u64, mut is_same: impl FnMut(u32) -> bool) -> Option<u32> {
        if self.slots.is_empty() {
            return None;
        }
        let tag = hash as u32;
        let mut slot = self.home(tag);
        loop {
            let (found, number) = self.slots[slot];
            let number = number.checked_sub(1)?;
            if found == tag && is_same(number) {
                return Some(number);
            }
            slot = (slot + 1) & (self.slots.len() - 1);
        }
    }

    /// The number is below `u32::MAX`.
    pub(crate) fn insert(&mut self, hash: u64, number: u32) {
        if self.is_full() {
            self.grow();
        }
        self.put(hash as u32, number + 1);
        self.filled += 1;
    }

    fn grow(&mut self) {
        let slots = (self.slots.len() * 2).max(MIN_SLOTS);
        let before = std::mem::replace(&mut self.slots, vec![(0, 0); slots]);
        self.put_all(&before);
    }

    fn put_all(&mut self, slots: &[(u32, u32)]) {
        for (tag, number) in slots {
            if *number != 0 {
                self.put(*tag, *number);
            }
        }
    }

    fn put(&mut self, tag: u32, number: u32) {
        let mut slot = self.home(tag);
        while self.slots[slot].1 != 0 {
            slot = (slot + 1) & (self.slots.len() - 1);
        }
        self.slots[slot] = (tag, number);
    }

    /// The table's length is a power of two.
    fn home(&self, tag: u32) -> usize {
        tag as usize & (self.slots.len() - 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_found() {
        let mut table = NumberTable::default();
        let hash = |number: u32| u64::from(number % 50) << 32 | u64::from(number / 3);
        for number in 0..1000 {
            table.insert(hash(number), number);
        }
        for number in 0..1000 {
            assert_eq!(table.find(hash(number), |found| found == number), Some(number));
        }
        assert_eq!(table.find(u64::MAX, |_| true), None);
        assert!(table.memory_bytes() <= 1000 * 22);
    }
}
