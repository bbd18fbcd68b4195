//! What is in the cache, and which of its files is the next to go. No file is touched here.

use std::collections::{HashMap, VecDeque};

use super::slab::{ROW_BYTES, Row};

/// Where an entry is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) slab: u32,
    pub(super) offset: u32,
    /// Of the whole entry.
    pub(super) bytes: u32,
    /// It was asked for since it was written.
    was_used: bool,
}

#[derive(Default)]
pub(super) struct Index {
    places: HashMap<u128, Place>,
    /// Oldest first.
    slabs: VecDeque<Slab>,
    bytes: u64,
}

struct Slab {
    number: u32,
    /// Header, entries, table and trailer, as far as they are there or will be.
    bytes: u64,
    /// Of entries that were put here; where they are now `places` says.
    digests: Vec<u128>,
}

/// A slab that nothing leads to any more.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Evicted {
    pub(super) number: u32,
    /// What is worth writing again, in the order of the file.
    pub(super) used: Vec<(u128, Place)>,
    /// How many others there were.
    pub(super) unused: u64,
}

/// What file systems give out at a time.
const BLOCK_BYTES: u64 = 4096;

/// For a file's name and its own record.
const FILE_OVERHEAD_BYTES: u64 = 4096;

/// What a file takes on disk.
pub(super) const fn on_disk(bytes: u64) -> u64 {
    bytes.next_multiple_of(BLOCK_BYTES) + FILE_OVERHEAD_BYTES
}

impl Index {
    pub(super) fn bytes(&self) -> u64 {
        self.bytes
    }

    pub(super) fn entries(&self) -> u64 {
        self.places.len() as u64
    }

    pub(super) fn has(&self, digest: u128) -> bool {
        self.places.contains_key(&digest)
    }

    /// Where it is. It counts as used from now on.
    pub(super) fn use_entry(&mut self, digest: u128) -> Option<Place> {
        let place = self.places.get_mut(&digest)?;
        place.was_used = true;
        Some(*place)
    }

    /// A file that is younger than all others, of so many bytes.
    pub(super) fn add_slab(&mut self, number: u32, bytes: u64) {
        self.bytes += on_disk(bytes);
        self.slabs.push_back(Slab { number, bytes, digests: Vec::new() });
    }

    /// The youngest file has grown by an entry, whether anybody may read it or not.
    pub(super) fn grow(&mut self, entry_bytes: u64) {
        let Some(slab) = self.slabs.back_mut() else { return };
        self.bytes -= on_disk(slab.bytes);
        slab.bytes += entry_bytes + ROW_BYTES;
        self.bytes += on_disk(slab.bytes);
    }

    /// What an entry is in the youngest file.
    pub(super) fn put(&mut self, row: Row) {
        let Some(slab) = self.slabs.back_mut() else { return };
        if row.bytes == 0 {
            self.places.remove(&row.digest);
            return;
        }
        let place = Place { slab: slab.number, offset: row.offset, bytes: row.bytes, was_used: false };
        self.places.insert(row.digest, place);
        slab.digests.push(row.digest);
    }

    pub(super) fn remove(&mut self, digest: u128) -> bool {
        self.places.remove(&digest).is_some()
    }

    /// Removes it if it still is where somebody found it.
    pub(super) fn remove_at(&mut self, digest: u128, place: Place) -> bool {
        let is_there = self
            .places
            .get(&digest)
            .is_some_and(|now| (now.slab, now.offset, now.bytes) == (place.slab, place.offset, place.bytes));
        is_there && self.remove(digest)
    }

    /// The number of files.
    pub(super) fn slabs(&self) -> usize {
        self.slabs.len()
    }

    /// Lets go of the oldest file, and of all that is in it. What was used is worth writing again, up to half of the
    /// file's bytes and half of its entries, so that there always is room won.
    pub(super) fn take_oldest(&mut self) -> Option<Evicted> {
        let slab = self.slabs.pop_front()?;
        self.bytes -= on_disk(slab.bytes);
        let (mut used, mut unused) = (Vec::new(), 0);
        let (mut bytes, most) = (0, slab.digests.len() / 2);
        for digest in slab.digests {
            let Some(place) = self.places.get(&digest).copied().filter(|place| place.slab == slab.number)
            else {
                continue;
            };
            self.places.remove(&digest);
            let with_it = bytes + u64::from(place.bytes) + ROW_BYTES;
            if place.was_used && with_it <= slab.bytes / 2 && used.len() < most {
                bytes = with_it;
                used.push((digest, place));
            } else {
                unused += 1;
            }
        }
        Some(Evicted { number: slab.number, used, unused })
    }
}
