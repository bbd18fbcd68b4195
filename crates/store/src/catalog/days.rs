//! Which days are kept: those that were used last, as many as fit.

use std::collections::BTreeMap;
use std::sync::Arc;

use larch_proto::Partition;
use larch_types::TenantId;

pub(super) type DayKey = (TenantId, Partition);

/// Days that are kept, whatever is in them: today and `wide` of some ten thousand tenants, and days that are queried. An
/// empty one takes some hundred bytes.
const MAX_DAYS: usize = 100_000;

/// What is known of all of them together, by the estimate of who knows it. As much as the caches of segments may take.
const MAX_BYTES: u64 = 200 << 20;

pub(super) struct Days<T> {
    known: BTreeMap<DayKey, Slot<T>>,
    /// The same, by when they were used last.
    by_use: BTreeMap<u64, DayKey>,
    uses: u64,
    bytes: u64,
}

struct Slot<T> {
    last_use: u64,
    bytes: u64,
    day: Arc<T>,
}

impl<T> Default for Days<T> {
    fn default() -> Self {
        Self { known: BTreeMap::new(), by_use: BTreeMap::new(), uses: 0, bytes: 0 }
    }
}

impl<T: Default> Days<T> {
    /// The day, a new one if it is not kept. Who still holds one that was let go may use it to the end.
    pub(super) fn used(&mut self, key: &DayKey) -> Arc<T> {
        self.uses += 1;
        let last_use = self.uses;
        let new = || Slot { last_use, bytes: 0, day: Arc::default() };
        let slot = self.known.entry(key.clone()).or_insert_with(new);
        self.by_use.remove(&slot.last_use);
        slot.last_use = last_use;
        let day = Arc::clone(&slot.day);
        self.by_use.insert(last_use, key.clone());
        self.let_go();
        day
    }

    /// The day if it is kept. That is no use of it.
    pub(super) fn kept(&self, key: &DayKey) -> Option<Arc<T>> {
        self.known.get(key).map(|slot| Arc::clone(&slot.day))
    }

    /// What the day takes from now on, unless it was let go.
    pub(super) fn weigh(&mut self, key: &DayKey, day: &Arc<T>, bytes: u64) {
        let Some(slot) = self.known.get_mut(key).filter(|slot| Arc::ptr_eq(&slot.day, day)) else { return };
        self.bytes = self.bytes.saturating_sub(slot.bytes).saturating_add(bytes);
        slot.bytes = bytes;
        self.let_go();
    }

    /// The one that was used last stays, whatever it takes.
    fn let_go(&mut self) {
        while self.known.len() > 1 && (self.known.len() > MAX_DAYS || self.bytes > MAX_BYTES) {
            let Some((_, key)) = self.by_use.pop_first() else { return };
            if let Some(slot) = self.known.remove(&key) {
                self.bytes = self.bytes.saturating_sub(slot.bytes);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(number: usize) -> DayKey {
        (format!("t{number}").parse().unwrap(), Partition::Wide)
    }

    fn kept(days: &Days<u8>, numbers: std::ops::Range<usize>) -> Vec<usize> {
        numbers.filter(|number| days.kept(&key(*number)).is_some()).collect()
    }

    #[test]
    fn the_longest_unused_days_give_way_to_bytes() {
        let mut days = Days::<u8>::default();
        for number in 0..5 {
            let day = days.used(&key(number));
            days.weigh(&key(number), &day, MAX_BYTES / 4);
        }
        assert_eq!(kept(&days, 0..5), [1, 2, 3, 4]);
        days.used(&key(1));
        let day = days.used(&key(5));
        days.weigh(&key(5), &day, MAX_BYTES / 2);
        assert_eq!(kept(&days, 0..6), [1, 4, 5]);
        // It shrinks; another one takes more than all may.
        days.weigh(&key(5), &day, 1);
        assert_eq!(days.bytes, MAX_BYTES / 2 + 1);
        let large = days.used(&key(6));
        days.weigh(&key(6), &large, MAX_BYTES + 1);
        assert_eq!(kept(&days, 0..7), [6]);
        // Who holds a day that was let go changes nothing by it.
        days.weigh(&key(5), &day, 7);
        days.used(&key(5));
        days.weigh(&key(5), &day, 7);
        assert_eq!((kept(&days, 0..7), days.bytes), (vec![5], 0));
    }

    #[test]
    fn days_are_bounded_in_number() {
        let mut days = Days::<u8>::default();
        for number in 0..MAX_DAYS + 3 {
            days.used(&key(number));
        }
        assert_eq!((days.known.len(), days.by_use.len()), (MAX_DAYS, MAX_DAYS));
        assert_eq!(kept(&days, 0..5), [3, 4]);
    }
}
