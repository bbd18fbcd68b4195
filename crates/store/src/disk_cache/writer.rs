//! Files of the cache: begun, appended to, finished and removed by one writer. All of it blocks.

use std::io;
use std::sync::Arc;

use larch_wal::DirFile;

use super::entry::{Head, encode_range, encode_removed};
use super::index::Evicted;
use super::slab::{
    HEADER_BYTES, ROW_BYTES, Row, TRAILER_BYTES, encode_header, encode_table, find_entries, number_of,
    slab_name,
};
use super::state::{Job, Shared};

/// Appended at a time.
const BUFFER_BYTES: usize = 1 << 20;

/// For the blocks and the record of a file that may have to be begun.
const NEW_SLAB_BYTES: u64 = 16 << 10;

/// Files at most. Restarts leave small ones behind.
const MAX_SLABS: usize = 4096;

pub(super) struct Writer {
    shared: Arc<Shared>,
    active: Option<Active>,
    /// Of the next file.
    next: u32,
}

/// The file that is appended to, always the youngest.
struct Active {
    file: Box<dyn DirFile>,
    /// Header and entries, those in the buffer too.
    bytes: u64,
    rows: Vec<Row>,
    buffer: Vec<u8>,
    /// What is in the buffer.
    unpublished: Vec<(Row, Origin)>,
}

/// Where an entry comes from. With a ticket it may be read once it is written, if nobody has forgotten it meanwhile.
enum Origin {
    Offered {
        ticket: u64,
    },
    /// It was in a file that had to go.
    Carried {
        ticket: u64,
    },
    /// It says that a range is not to be read.
    Crossed,
}

impl Writer {
    /// Looks at what is there. Files that are none of ours are left alone.
    pub(super) fn begin(shared: Arc<Shared>) -> io::Result<Self> {
        let mut numbers: Vec<u32> = shared.dir.list()?.iter().filter_map(number_of).collect();
        numbers.sort_unstable();
        let mut writer = Self { shared, active: None, next: 0 };
        for number in numbers {
            writer.next = number.saturating_add(1);
            writer.take_over(number)?;
        }
        writer.make_room(0)?;
        Ok(writer)
    }

    /// A file of an earlier process.
    fn take_over(&mut self, number: u32) -> io::Result<()> {
        let name = slab_name(number);
        let file = self.shared.dir.open(&name)?;
        let (size, found) = (file.size()?, find_entries(&*file, number, self.shared.bounds.entries)?);
        drop(file);
        if found.is_damaged {
            self.shared.metrics.damaged.inc();
        }
        if found.rows.is_empty() {
            return self.shared.dir.remove(&name);
        }
        let mut state = self.shared.state();
        state.index.add_slab(number, size);
        for row in found.rows {
            state.index.put(row);
        }
        Ok(())
    }

    /// Writes what is still wanted. After an error the file is not appended to again, and whatever was not
    /// written is nowhere.
    pub(super) fn write(&mut self, jobs: Vec<Job>) -> io::Result<()> {
        for job in jobs {
            self.write_one(job)?;
        }
        self.flush()
    }

    fn write_one(&mut self, job: Job) -> io::Result<()> {
        let mut entry = Vec::new();
        let (digest, origin) = match &job {
            Job::Keep { ticket, digest, range, bytes } => {
                if !self.shared.state().is_wanted(*digest, *ticket) {
                    return Ok(());
                }
                let Some(key) = range.key() else { return Ok(()) };
                entry.reserve_exact(key.entry_bytes() as usize);
                encode_range(&mut entry, &key, bytes);
                (*digest, Origin::Offered { ticket: *ticket })
            }
            Job::Remove { digest, range } => {
                let Some(key) = range.key() else { return Ok(()) };
                encode_removed(&mut entry, &key);
                (*digest, Origin::Crossed)
            }
        };
        self.make_room(entry.len() as u64 + ROW_BYTES)?;
        self.append(digest, &entry, origin)
    }

    /// Lets the oldest files go until so many bytes fit, and writes again what of them was used.
    fn make_room(&mut self, bytes: u64) -> io::Result<()> {
        let mut carried = Vec::new();
        let mut needed = bytes;
        while self.is_over(needed, carried.len()) {
            let Some(evicted) = self.take_oldest()? else { break };
            for (digest, entry) in self.read_used(&evicted) {
                let Some(ticket) = self.shared.state().carry(digest) else { continue };
                needed += entry.len() as u64 + ROW_BYTES;
                carried.push((digest, entry, ticket));
            }
            self.shared.dir.remove(&slab_name(evicted.number))?;
        }
        for (digest, entry, ticket) in carried {
            self.append(digest, &entry, Origin::Carried { ticket })?;
        }
        Ok(())
    }

    fn is_over(&self, needed: u64, carried: usize) -> bool {
        let buffered = self.active.as_ref().map_or(0, |active| active.unpublished.len());
        let bounds = &self.shared.bounds;
        let state = self.shared.state();
        let entries = state.index.entries() + (buffered + carried) as u64 + u64::from(needed > 0);
        state.index.bytes() + needed + NEW_SLAB_BYTES > bounds.bytes
            || entries > bounds.entries
            || state.index.slabs() >= MAX_SLABS
    }

    /// `None` if there is no file but the one that is written to, which is finished first.
    fn take_oldest(&mut self) -> io::Result<Option<Evicted>> {
        if self.shared.state().index.slabs() <= 1 {
            self.finish()?;
        }
        let evicted = self.shared.state().index.take_oldest();
        if let Some(evicted) = &evicted {
            self.shared.metrics.evicted.add(evicted.unused);
        }
        Ok(evicted)
    }

    /// Those whose bytes are as they were written.
    fn read_used(&self, evicted: &Evicted) -> Vec<(u128, Vec<u8>)> {
        if evicted.used.is_empty() {
            return Vec::new();
        }
        let mut entries = Vec::new();
        let file = self.shared.dir.open(&slab_name(evicted.number));
        for (digest, place) in &evicted.used {
            let mut entry = vec![0; place.bytes as usize];
            let read = file.as_ref().map(|file| file.read_at(u64::from(place.offset), &mut entry));
            let is_whole = matches!(read, Ok(Ok(read)) if read == entry.len());
            let is_right = |head: Head<'_>| {
                head.key.digest() == *digest && super::entry::check_range(&entry, &head.key).is_some()
            };
            if is_whole && Head::parse(&entry).is_some_and(is_right) {
                entries.push((*digest, entry));
            } else {
                self.shared.metrics.damaged.inc();
            }
        }
        entries
    }

    /// Behind what is there, in a new file if there is none or it would grow too large.
    fn append(&mut self, digest: u128, entry: &[u8], origin: Origin) -> io::Result<()> {
        let bytes = entry.len() as u64;
        if let Some(active) = &self.active
            && active.bytes + bytes > self.shared.bounds.slab_bytes + HEADER_BYTES
        {
            self.finish()?;
        }
        let active = match &mut self.active {
            Some(active) => active,
            none => none.insert(begin_slab(&self.shared, &mut self.next)?),
        };
        // A slab is far below 4 GiB.
        let length = if matches!(origin, Origin::Crossed) { 0 } else { bytes as u32 };
        let row = Row { digest, offset: active.bytes as u32, bytes: length };
        active.bytes += bytes;
        active.buffer.extend_from_slice(entry);
        active.unpublished.push((row, origin));
        self.shared.state().index.grow(bytes);
        if active.buffer.len() >= BUFFER_BYTES { self.flush() } else { Ok(()) }
    }

    /// Writes what is in the buffer, and lets it be found.
    fn flush(&mut self) -> io::Result<()> {
        let Some(active) = &mut self.active else { return Ok(()) };
        if active.buffer.is_empty() {
            return Ok(());
        }
        active.file.append(&active.buffer)?;
        active.buffer.clear();
        let (mut state, mut written, mut carried) = (self.shared.state(), 0, 0);
        for (row, origin) in active.unpublished.drain(..) {
            let is_to_be_read = match origin {
                Origin::Offered { ticket } | Origin::Carried { ticket } => state.end(row.digest, ticket),
                Origin::Crossed => false,
            };
            match origin {
                // The table says nothing of it, so that nobody finds it there either.
                Origin::Offered { .. } | Origin::Carried { .. } if !is_to_be_read => continue,
                Origin::Offered { .. } => written += 1,
                Origin::Carried { .. } => carried += 1,
                Origin::Crossed => {}
            }
            if is_to_be_read {
                state.index.put(row);
            }
            active.rows.push(row);
        }
        drop(state);
        self.shared.metrics.written(written);
        self.shared.metrics.carried(carried);
        Ok(())
    }

    /// Writes the table of the file. The next entry begins another.
    pub(super) fn finish(&mut self) -> io::Result<()> {
        self.flush()?;
        let Some(mut active) = self.active.take() else { return Ok(()) };
        active.file.append(&encode_table(&active.rows, active.bytes as u32))
    }

    /// Never appends to the file again: how much of the last bytes is there nobody knows.
    pub(super) fn give_up_slab(&mut self) {
        self.active = None;
    }

    /// Leaves room to others on a full disk.
    pub(super) fn give_room(&mut self) -> io::Result<()> {
        let evicted = self.shared.state().index.take_oldest();
        let Some(evicted) = evicted else { return Ok(()) };
        self.shared.metrics.evicted.add(evicted.unused + evicted.used.len() as u64);
        self.shared.dir.remove(&slab_name(evicted.number))
    }
}

fn begin_slab(shared: &Shared, next: &mut u32) -> io::Result<Active> {
    let number = *next;
    // A file that cannot be begun may be there all the same.
    *next = number.checked_add(1).ok_or_else(|| io::Error::other("there are no more numbers for files"))?;
    let file = shared.dir.create(&slab_name(number))?;
    shared.state().index.add_slab(number, HEADER_BYTES + TRAILER_BYTES);
    Ok(Active {
        file,
        bytes: HEADER_BYTES,
        rows: Vec::new(),
        buffer: encode_header(number),
        unpublished: Vec::new(),
    })
}
