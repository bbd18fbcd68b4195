//! The streams of a segment or an arena, and the order in which a segment lays them.

use std::collections::HashMap;

use larch_types::{Labels, StreamId};

use crate::error::{Corrupt, RowError, Section};
use crate::row::check_labels;
use crate::wire::{Cursor, put_bytes};

/// Labels that say what kind of lines a stream has, the best first. Streams with equal ones lie side
/// by side, as their lines compress best together and are asked for together.
const SERVICE_LABELS: [&str; 4] = ["service_name", "service", "app", "job"];

/// Where a stream lies among the streams of a segment: by service, then by id. The same in every
/// segment, so that segments merge in one pass.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct StreamRank {
    service: Box<str>,
    id: StreamId,
}

impl StreamRank {
    pub fn of(labels: &Labels, id: StreamId) -> Self {
        let service = SERVICE_LABELS.iter().find_map(|name| labels.get(name)).unwrap_or_default();
        Self { service: service.into(), id }
    }
}

/// Streams by id and by place, with their labels in as few bytes as an idle stream may cost.
#[derive(Debug, Clone, Default)]
pub(crate) struct StreamTable {
    places: HashMap<StreamId, u32>,
    streams: Vec<(StreamId, Box<[u8]>)>,
    label_bytes: usize,
}

/// What the table and its hash map take for a stream, beside the bytes of its labels: two entries of 32
/// bytes, of which the map keeps up to as many empty as full, and the allocator's own share.
pub(crate) const STREAM_OVERHEAD: usize = 128;

impl StreamTable {
    pub(crate) fn len(&self) -> usize {
        self.streams.len()
    }

    pub(crate) fn memory_bytes(&self) -> usize {
        self.label_bytes + self.streams.len() * STREAM_OVERHEAD
    }

    pub(crate) fn find(&self, id: StreamId) -> Option<u32> {
        self.places.get(&id).copied()
    }

    /// The stream's place; a new one if it is not there yet.
    pub(crate) fn insert(&mut self, id: StreamId, labels: &Labels) -> Result<u32, RowError> {
        if let Some(place) = self.find(id) {
            return Ok(place);
        }
        check_labels(labels)?;
        Ok(self.add(id, labels))
    }

    /// A stream that is not there yet, and whose labels were checked.
    pub(crate) fn add(&mut self, id: StreamId, labels: &Labels) -> u32 {
        let place = self.streams.len() as u32;
        let packed = pack_labels(labels);
        self.label_bytes += packed.len();
        self.streams.push((id, packed));
        self.places.insert(id, place);
        place
    }

    /// Panics if there is no such stream.
    pub(crate) fn id(&self, place: u32) -> StreamId {
        self.streams[place as usize].0
    }

    /// The value of one label, empty if the stream does not have it. Panics if there is no such stream.
    pub(crate) fn label(&self, place: u32, name: &str) -> &str {
        let mut cursor = Cursor::new(&self.streams[place as usize].1, Section::Series);
        while let (Ok(known), Ok(value)) = (cursor.text(), cursor.text()) {
            if known == name {
                return value;
            }
        }
        ""
    }

    /// Panics if there is no such stream.
    #[expect(clippy::expect_used, reason = "the bytes were packed from labels by this table")]
    pub(crate) fn labels(&self, place: u32) -> Labels {
        unpack_labels(&self.streams[place as usize].1).expect("labels of the table itself")
    }

    /// All places in the order of a segment.
    pub(crate) fn ranked(&self) -> Vec<u32> {
        let mut ranks: Vec<(StreamRank, u32)> = Vec::with_capacity(self.streams.len());
        for (place, (id, _)) in self.streams.iter().enumerate() {
            ranks.push((StreamRank::of(&self.labels(place as u32), *id), place as u32));
        }
        ranks.sort_unstable();
        ranks.into_iter().map(|(_, place)| place).collect()
    }
}

fn pack_labels(labels: &Labels) -> Box<[u8]> {
    let mut bytes = Vec::new();
    for label in labels {
        put_bytes(&mut bytes, label.name.as_bytes());
        put_bytes(&mut bytes, label.value.as_bytes());
    }
    bytes.into_boxed_slice()
}

fn unpack_labels(bytes: &[u8]) -> Result<Labels, Corrupt> {
    let mut cursor = Cursor::new(bytes, Section::Series);
    let mut pairs = Vec::new();
    while cursor.remaining() > 0 {
        pairs.push((cursor.text()?, cursor.text()?));
    }
    Labels::from_pairs(pairs).map_err(|_| cursor.corrupt("labels are not valid"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::row::MAX_LABELS_BYTES;

    fn labels(pairs: &[(&str, &str)]) -> Labels {
        Labels::from_pairs(pairs.iter().copied()).unwrap()
    }

    #[test]
    fn streams_lie_by_service() {
        let mut table = StreamTable::default();
        for (app, pod) in [("b", "1"), ("a", "1"), ("b", "2"), ("a", "2"), ("b", "1")] {
            let labels = labels(&[("app", app), ("pod", pod)]);
            table.insert(StreamId::of(&labels), &labels).unwrap();
        }
        assert_eq!(table.len(), 4);
        let apps: Vec<String> =
            table.ranked().iter().map(|place| table.labels(*place).get("app").unwrap().to_owned()).collect();
        assert_eq!(apps, ["a", "a", "b", "b"]);
    }

    #[test]
    fn labels_have_a_bound() {
        let long = labels(&[("a", &"x".repeat(MAX_LABELS_BYTES))]);
        let error = StreamTable::default().insert(StreamId::of(&long), &long).unwrap_err();
        assert_eq!(error, RowError::LabelsTooLarge(MAX_LABELS_BYTES + 1));
    }
}
