//! For each label name and value the streams that have it.
//!
//! `names varint · (name u32 · values u32 · start of its table u32)* · tables · lists`: a table is
//! `(value u32 · offset of its list u32)*`, sorted by value; names are sorted too, names and values are
//! symbols. A list is `kind u8 · count varint · varints`, either a step to each stream, or to each run
//! of streams with its length.

use bytes::Bytes;

use crate::error::{Corrupt, Section};
use crate::set::OrdinalSet;
use crate::wire::{Cursor, put_varint};

const STEPS: u8 = 0;
const RUNS: u8 = 1;

const NAME_LEN: usize = 12;
const VALUE_LEN: usize = 8;

/// Streams by value, of one name; sorted by value.
pub(super) struct NamePostings {
    pub(super) name: u32,
    pub(super) values: Vec<(u32, Vec<u32>)>,
}

pub(super) fn encode(names: &[NamePostings]) -> Vec<u8> {
    let (mut heads, mut tables, mut lists) = (Vec::new(), Vec::new(), Vec::new());
    for name in names {
        heads.extend_from_slice(&name.name.to_le_bytes());
        heads.extend_from_slice(&(name.values.len() as u32).to_le_bytes());
        heads.extend_from_slice(&(tables.len() as u32).to_le_bytes());
        for (value, streams) in &name.values {
            tables.extend_from_slice(&value.to_le_bytes());
            tables.extend_from_slice(&(lists.len() as u32).to_le_bytes());
            put_list(&mut lists, streams);
        }
    }
    let mut out = Vec::with_capacity(heads.len() + tables.len() + lists.len() + 10);
    put_varint(&mut out, names.len() as u64);
    out.extend_from_slice(&heads);
    out.extend_from_slice(&tables);
    out.extend_from_slice(&lists);
    out
}

fn put_list(out: &mut Vec<u8>, streams: &[u32]) {
    let runs = runs_of(streams);
    let mut next = 0;
    if runs.len() * 2 < streams.len() {
        out.push(RUNS);
        put_varint(out, runs.len() as u64);
        for run in runs {
            put_varint(out, u64::from(run.start - next));
            put_varint(out, u64::from(run.end - run.start));
            next = run.end;
        }
    } else {
        out.push(STEPS);
        put_varint(out, streams.len() as u64);
        for stream in streams {
            put_varint(out, u64::from(stream - next));
            next = stream + 1;
        }
    }
}

fn runs_of(streams: &[u32]) -> Vec<std::ops::Range<u32>> {
    let mut runs: Vec<std::ops::Range<u32>> = Vec::new();
    for stream in streams {
        match runs.last_mut() {
            Some(run) if run.end == *stream => run.end += 1,
            _ => runs.push(*stream..*stream + 1),
        }
    }
    runs
}

#[derive(Debug, Clone)]
pub(super) struct Postings {
    heads: Bytes,
    tables: Bytes,
    lists: Bytes,
}

/// The table of one name.
#[derive(Debug, Clone)]
pub(super) struct ValueTable {
    entries: Bytes,
}

impl Postings {
    pub(super) fn new(bytes: &Bytes) -> Result<Self, Corrupt> {
        let mut cursor = Cursor::new(bytes, Section::Postings);
        let names = cursor.at_most(cursor.remaining() / NAME_LEN)?;
        let heads = bytes.slice_ref(cursor.take(names * NAME_LEN)?);
        let mut values = 0_usize;
        for head in heads.chunks_exact(NAME_LEN) {
            values = values.saturating_add(word(head, 1) as usize);
        }
        let tables = bytes.slice_ref(cursor.take(values.saturating_mul(VALUE_LEN))?);
        let lists = bytes.slice_ref(cursor.rest());
        Ok(Self { heads, tables, lists })
    }

    /// Names ascend.
    pub(super) fn names(&self) -> impl Iterator<Item = u32> {
        self.heads.chunks_exact(NAME_LEN).map(|head| word(head, 0))
    }

    pub(super) fn values_of(&self, name: u32) -> Result<Option<ValueTable>, Corrupt> {
        let Some(head) = find(&self.heads, NAME_LEN, name) else { return Ok(None) };
        let len = (word(head, 1) as usize).saturating_mul(VALUE_LEN);
        let start = word(head, 2) as usize;
        if self.tables.len().checked_sub(start).is_none_or(|left| left < len) {
            return Err(Corrupt::new(Section::Postings, "a table lies outside"));
        }
        Ok(Some(ValueTable { entries: self.tables.slice(start..start + len) }))
    }

    /// Adds the streams of the list to the set.
    pub(super) fn add_list(&self, offset: u32, set: &mut OrdinalSet) -> Result<(), Corrupt> {
        let mut cursor = Cursor::new(&self.lists, Section::Postings);
        cursor.take(offset as usize)?;
        let kind = cursor.u8()?;
        if kind > RUNS {
            return Err(cursor.corrupt("unknown kind of list"));
        }
        let mut next = 0_u32;
        for _ in 0..cursor.count()? {
            let start = next.checked_add(cursor.u32()?);
            let len = if kind == RUNS { cursor.u32()? } else { 1 };
            let end = start.and_then(|start| start.checked_add(len));
            let (Some(start), Some(end)) = (start, end) else {
                return Err(cursor.corrupt("a stream is out of range"));
            };
            set.insert_range(start..end);
            next = end;
        }
        Ok(())
    }
}

impl ValueTable {
    /// The list of one value.
    pub(super) fn find(&self, value: u32) -> Option<u32> {
        find(&self.entries, VALUE_LEN, value).map(|entry| word(entry, 1))
    }

    /// Values and their lists; values ascend.
    pub(super) fn iter(&self) -> impl Iterator<Item = (u32, u32)> {
        self.entries.chunks_exact(VALUE_LEN).map(|entry| (word(entry, 0), word(entry, 1)))
    }
}

/// The n-th number of an entry.
fn word(entry: &[u8], n: usize) -> u32 {
    let bytes = entry.get(4 * n..4 * n + 4).and_then(|bytes| bytes.first_chunk());
    bytes.map_or(0, |bytes| u32::from_le_bytes(*bytes))
}

/// The entry that begins with the key; entries are sorted.
fn find(entries: &[u8], len: usize, key: u32) -> Option<&[u8]> {
    let (mut low, mut high) = (0, entries.len() / len);
    while low < high {
        let middle = low + (high - low) / 2;
        let entry = &entries[middle * len..(middle + 1) * len];
        match word(entry, 0).cmp(&key) {
            std::cmp::Ordering::Less => low = middle + 1,
            std::cmp::Ordering::Greater => high = middle,
            std::cmp::Ordering::Equal => return Some(entry),
        }
    }
    None
}
