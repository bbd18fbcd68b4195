//! Columns of rows that are in files now, kept for the rows that come next.
//!
//! A busy tenant fills and frees a hundred megabytes of columns every second or so. Given back to the
//! allocator, they lie idle for a while and are then given back to the system, page by page, and what comes
//! meanwhile is taken fresh: the same memory twice, and each page of it cleared by the kernel once more.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::memory::batch::Batch;
use crate::numbers::NumberTable;

/// Smaller columns are the allocator's business: tenants that are cut with little would fill the shelf with
/// what nobody can use.
const LEAST_BYTES: usize = 256 << 10;

/// Columns of more than so many times what is asked for stay for who needs them.
const MOST_SLACK: usize = 2;

/// Tables of identities that are kept. One is a tenth of the rows that it finds.
const MOST_TABLES: usize = 2;

/// Columns between two uses. Clones share them; arenas of all tenants may.
#[derive(Debug, Clone, Default)]
pub struct Spares(Arc<Shelf>);

#[derive(Debug, Default)]
struct Shelf {
    most_bytes: usize,
    idle: Mutex<Idle>,
}

#[derive(Debug, Default)]
struct Idle {
    /// The ones that came last are at the end, and are taken first.
    batches: Vec<Batch>,
    tables: Vec<NumberTable>,
    /// What was there all the time since [`Spares::forget_idle`] was last called: so many of the first.
    unused: usize,
}

impl Spares {
    /// Keeps columns of so many bytes at most. None by default.
    pub fn new(most_bytes: usize) -> Self {
        Self(Arc::new(Shelf { most_bytes, idle: Mutex::default() }))
    }

    /// What they take.
    pub fn memory_bytes(&self) -> usize {
        self.lock().memory_bytes()
    }

    /// Gives back what nobody has needed since this was last called. To be called now and then: a shelf that
    /// was filled by a busy hour should not stay full.
    pub fn forget_idle(&self) {
        let mut idle = self.lock();
        let unused = idle.unused.min(idle.batches.len());
        let gone: Vec<Batch> = idle.batches.drain(..unused).collect();
        if idle.batches.is_empty() {
            idle.tables.clear();
        }
        idle.unused = idle.batches.len();
        drop(idle);
        drop(gone);
    }

    /// Nothing that runs under the lock can panic halfway through a change.
    fn lock(&self) -> MutexGuard<'_, Idle> {
        self.0.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// An empty batch with room for this.
    pub(crate) fn batch(&self, rows: usize, line_bytes: usize, extra_bytes: usize) -> Batch {
        let mut idle = self.lock();
        let fits = |batch: &Batch| {
            let (room_rows, room_lines, room_extras) = batch.room();
            rows <= room_rows
                && line_bytes <= room_lines
                && extra_bytes <= room_extras
                && room_rows <= MOST_SLACK * rows
                && room_lines <= MOST_SLACK * line_bytes
        };
        let found = idle.batches.iter().rposition(fits);
        let batch = found.map(|place| idle.take(place));
        drop(idle);
        batch.unwrap_or_else(|| match line_bytes + extra_bytes {
            bytes if bytes >= LEAST_BYTES && self.0.most_bytes > 0 => {
                // A little more, so that columns of nearly the same size serve each other.
                Batch::with_capacity(
                    rows + rows / 8,
                    line_bytes + line_bytes / 32,
                    extra_bytes + extra_bytes / 8,
                )
            }
            _ => Batch::with_capacity(rows, line_bytes, extra_bytes),
        })
    }

    /// A table for more entries than `most` slots have room for, if there is one.
    pub(crate) fn table(&self, least_slots: usize) -> Option<NumberTable> {
        let mut idle = self.lock();
        let place = idle.tables.iter().position(|table| table.slots() >= least_slots)?;
        Some(idle.tables.swap_remove(place))
    }

    pub(crate) fn keep_batch(&self, mut batch: Batch) {
        let bytes = batch.memory_bytes();
        if bytes < LEAST_BYTES {
            return;
        }
        batch.clear();
        let mut idle = self.lock();
        if idle.memory_bytes() + bytes <= self.0.most_bytes {
            idle.batches.push(batch);
        }
    }

    pub(crate) fn keep_table(&self, mut table: NumberTable) {
        if self.0.most_bytes == 0 || table.memory_bytes() < LEAST_BYTES {
            return;
        }
        table.clear();
        let mut idle = self.lock();
        if idle.tables.len() < MOST_TABLES {
            idle.tables.push(table);
        }
    }
}

impl Idle {
    fn take(&mut self, place: usize) -> Batch {
        self.unused = self.unused.min(place);
        self.batches.remove(place)
    }

    fn memory_bytes(&self) -> usize {
        let batches: usize = self.batches.iter().map(Batch::memory_bytes).sum();
        batches + self.tables.iter().map(NumberTable::memory_bytes).sum::<usize>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROWS: usize = 4000;
    const LINES: usize = 1 << 20;

    fn spares(batches: usize) -> Spares {
        let spares = Spares::new(64 << 20);
        let all: Vec<Batch> = (0..batches).map(|_| spares.batch(ROWS, LINES, 100)).collect();
        all.into_iter().for_each(|batch| spares.keep_batch(batch));
        assert_eq!(spares.lock().batches.len(), batches);
        spares
    }

    #[test]
    fn columns_serve_rows_of_about_their_size() {
        for (rows, lines, extras, taken) in [
            (ROWS, LINES, 100, true),
            (ROWS + 100, LINES + 1000, 90, true),
            (ROWS / 2 + 500, LINES / 2 + 50_000, 0, true),
            (2 * ROWS, LINES, 100, false),
            (ROWS, LINES + LINES / 8, 100, false),
            (ROWS, LINES, 1000, false),
            (ROWS / 4, LINES, 100, false),
            (ROWS, LINES / 4, 100, false),
        ] {
            let spares = spares(1);
            let batch = spares.batch(rows, lines, extras);
            assert!(batch.is_empty());
            let room = batch.room();
            assert!(room.0 >= rows && room.1 >= lines && room.2 >= extras, "{room:?}");
            assert_eq!(spares.lock().batches.is_empty(), taken, "{rows} {lines} {extras}");
        }
    }

    #[test]
    fn they_have_a_bound_and_small_ones_are_not_kept() {
        let spares = Spares::new(3 << 20);
        let all: Vec<Batch> = (0..5).map(|_| spares.batch(ROWS, LINES, 100)).collect();
        all.into_iter().for_each(|batch| spares.keep_batch(batch));
        let bytes = spares.memory_bytes();
        assert!(bytes > 2 << 20 && bytes <= 3 << 20, "{bytes}");
        let kept = spares.lock().batches.len();
        spares.keep_batch(Batch::with_capacity(100, 1000, 100));
        assert_eq!(spares.lock().batches.len(), kept);

        let none = Spares::default();
        none.keep_batch(Batch::with_capacity(ROWS, LINES, 100));
        assert_eq!(none.memory_bytes(), 0);
    }

    #[test]
    fn what_nobody_needs_goes() {
        let spares = spares(5);
        spares.forget_idle();
        assert_eq!(spares.lock().batches.len(), 5, "they may have come a moment ago");
        let used = [spares.batch(ROWS, LINES, 0), spares.batch(ROWS, LINES, 0)];
        used.into_iter().for_each(|batch| spares.keep_batch(batch));
        spares.forget_idle();
        assert_eq!(spares.lock().batches.len(), 2, "three were not used");
        spares.forget_idle();
        assert_eq!(spares.memory_bytes(), 0);
    }

    #[test]
    fn tables_come_back_empty() {
        let spares = Spares::new(1);
        let mut table = NumberTable::default();
        (0..100_000).for_each(|number| table.insert(u64::from(number), number));
        let slots = table.slots();
        spares.keep_table(table);
        assert!(spares.table(slots + 1).is_none());
        let back = spares.table(slots).unwrap();
        assert_eq!(back.find(5, |_| true), None);
        assert!(spares.table(1).is_none());
        spares.keep_table(NumberTable::default());
        assert!(spares.table(0).is_none(), "too small");
    }
}
