//! Which metadata names the rows of each chunk have: whoever looks for a name, or must know that no row has
//! it, need not fetch a page for that.
//!
//! `names varint · (length · text)* · lists varint · (names varint · name varint*)* · chunks varint · number of
//! its list varint*`; lists are numbered from 1, and 0 means that nothing is known.

use std::collections::HashMap;
use std::sync::Arc;

use crate::error::{Corrupt, Section};
use crate::wire::{Cursor, put_bytes, put_varint};

/// A chunk with more names is one whose rows have names that are values; nobody asks for those one by one.
const MAX_NAMES_OF_CHUNK: usize = 256;

/// What a segment tells apart. Every reader of a footer holds them.
const MAX_NAMES: usize = 4096;

/// Collects names chunk by chunk.
#[derive(Default)]
pub(crate) struct NamesBuilder {
    names: Vec<Box<str>>,
    places: HashMap<Box<str>, u32>,
    lists: Vec<Vec<u32>>,
    numbers: HashMap<Vec<u32>, u64>,
    chunks: Vec<u64>,
}

impl NamesBuilder {
    pub(crate) fn add_chunk(&mut self, names: &[Box<str>]) {
        let new = names.iter().filter(|name| !self.places.contains_key(*name)).count();
        if names.len() > MAX_NAMES_OF_CHUNK || self.names.len() + new > MAX_NAMES {
            self.chunks.push(0);
            return;
        }
        let mut list: Vec<u32> = names.iter().map(|name| self.place_of(name)).collect();
        list.sort_unstable();
        let number = *self.numbers.entry(list.clone()).or_insert_with(|| {
            self.lists.push(list);
            self.lists.len() as u64
        });
        self.chunks.push(number);
    }

    fn place_of(&mut self, name: &str) -> u32 {
        if let Some(place) = self.places.get(name) {
            return *place;
        }
        let place = self.names.len() as u32;
        self.names.push(name.into());
        self.places.insert(name.into(), place);
        place
    }

    pub(crate) fn finish(self) -> Vec<u8> {
        let mut out = Vec::new();
        put_varint(&mut out, self.names.len() as u64);
        for name in &self.names {
            put_bytes(&mut out, name.as_bytes());
        }
        put_varint(&mut out, self.lists.len() as u64);
        for list in &self.lists {
            put_varint(&mut out, list.len() as u64);
            list.iter().for_each(|place| put_varint(&mut out, u64::from(*place)));
        }
        put_varint(&mut out, self.chunks.len() as u64);
        self.chunks.iter().for_each(|number| put_varint(&mut out, *number));
        out
    }
}

/// The section, read whole.
#[derive(Debug, Clone)]
pub struct MetadataNames {
    names: Arc<[Box<str>]>,
    lists: Arc<[Vec<u32>]>,
    /// By chunk: which list, counted from 1.
    chunks: Arc<[u32]>,
}

impl MetadataNames {
    pub(crate) fn new(bytes: &[u8], chunks: usize) -> Result<Self, Corrupt> {
        let mut cursor = Cursor::new(bytes, Section::MetadataNames);
        let mut names: Vec<Box<str>> = Vec::new();
        for _ in 0..cursor.count()? {
            names.push(cursor.text()?.into());
        }
        let mut lists = Vec::new();
        for _ in 0..cursor.count()? {
            let mut list = Vec::new();
            for _ in 0..cursor.count()? {
                let place = cursor.u32()?;
                if place as usize >= names.len() {
                    return Err(cursor.corrupt("a name is out of range"));
                }
                list.push(place);
            }
            lists.push(list);
        }
        if cursor.count()? != chunks {
            return Err(cursor.corrupt("it has another number of chunks"));
        }
        let mut numbers = Vec::with_capacity(chunks);
        for _ in 0..chunks {
            // Zero stands for no list, so that as many as there are lists is not too many.
            numbers.push(cursor.at_most(lists.len())? as u32);
        }
        cursor.finish()?;
        Ok(Self { names: names.into(), lists: lists.into(), chunks: numbers.into() })
    }

    /// The names of a chunk, each once. None if they are not known.
    pub fn of_chunk(&self, chunk: u32) -> Option<impl Iterator<Item = &str>> {
        let number = *self.chunks.get(chunk as usize)?;
        let list = self.lists.get((number as usize).checked_sub(1)?)?;
        Some(list.iter().map(|place| &*self.names[*place as usize]))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(names: &MetadataNames, chunk: u32) -> Option<Vec<&str>> {
        names.of_chunk(chunk).map(Iterator::collect)
    }

    #[test]
    fn names_come_back() {
        let boxed = |names: &[&str]| names.iter().map(|name| Box::from(*name)).collect::<Vec<Box<str>>>();
        let mut builder = NamesBuilder::default();
        let many: Vec<Box<str>> = (0..=MAX_NAMES_OF_CHUNK).map(|n| n.to_string().into()).collect();
        for names in [boxed(&[]), boxed(&["b", "a"]), many, boxed(&["a", "b"]), boxed(&["a", "c"])] {
            builder.add_chunk(&names);
        }
        let bytes = builder.finish();
        let names = MetadataNames::new(&bytes, 5).unwrap();
        assert_eq!(of(&names, 0), Some(vec![]));
        assert_eq!(of(&names, 1), Some(vec!["b", "a"]));
        assert_eq!(of(&names, 2), None);
        assert_eq!(of(&names, 3), of(&names, 1));
        assert_eq!(of(&names, 4), Some(vec!["a", "c"]));
        assert_eq!(of(&names, 5), None);
        assert!(MetadataNames::new(&bytes, 4).is_err());
    }

    #[test]
    fn a_segment_tells_so_many_apart() {
        let mut builder = NamesBuilder::default();
        let chunks = MAX_NAMES / MAX_NAMES_OF_CHUNK + 1;
        for chunk in 0..chunks {
            let name = |n: usize| format!("{chunk} {n}").into_boxed_str();
            builder.add_chunk(&(0..MAX_NAMES_OF_CHUNK).map(name).collect::<Vec<_>>());
        }
        let names = MetadataNames::new(&builder.finish(), chunks).unwrap();
        for chunk in 0..chunks {
            assert_eq!(of(&names, chunk as u32).is_some(), chunk + 1 < chunks);
        }
    }
}
