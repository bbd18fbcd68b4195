//! Collects the streams of a segment that is being written, and writes the four sections.

use std::collections::{BTreeMap, HashMap};

use larch_types::{Labels, StreamId};

use crate::index::postings::{self, NamePostings};
use crate::index::series::{self, Record, SeriesSpan};
use crate::index::symbols;
use crate::row::label_bytes;

struct Stream {
    id: StreamId,
    labels: Labels,
    spans: Vec<SeriesSpan>,
}

/// Label bytes of all streams that an index holds: offsets in its sections have 32 bits, and no section
/// takes sixteen times as much.
pub(crate) const MAX_LABEL_BYTES: usize = 256 << 20;

#[derive(Default)]
pub(crate) struct IndexBuilder {
    streams: Vec<Stream>,
    label_bytes: usize,
}

pub(crate) struct IndexSections {
    pub(crate) symbols: Vec<u8>,
    pub(crate) stream_ids: Vec<u8>,
    pub(crate) series: Vec<u8>,
    pub(crate) postings: Vec<u8>,
}

impl IndexBuilder {
    pub(crate) fn len(&self) -> u32 {
        self.streams.len() as u32
    }

    pub(crate) const fn label_bytes(&self) -> usize {
        self.label_bytes
    }

    /// Streams come in the order of the segment.
    pub(crate) fn add_stream(&mut self, id: StreamId, labels: Labels) {
        self.label_bytes += label_bytes(&labels);
        self.streams.push(Stream { id, labels, spans: Vec::new() });
    }

    pub(crate) fn add_span(&mut self, stream: u32, span: SeriesSpan) {
        if let Some(stream) = self.streams.get_mut(stream as usize) {
            stream.spans.push(span);
        }
    }

    pub(crate) fn finish(&self) -> IndexSections {
        let mut texts: Vec<&str> = Vec::new();
        for stream in &self.streams {
            for label in &stream.labels {
                texts.push(&label.name);
                texts.push(&label.value);
            }
        }
        texts.sort_unstable();
        texts.dedup();
        let mut symbols: HashMap<&str, u32> = HashMap::with_capacity(texts.len());
        for (symbol, text) in texts.iter().enumerate() {
            symbols.insert(text, symbol as u32);
        }
        let mut stream_ids = Vec::with_capacity(size_of::<StreamId>() * self.streams.len());
        let mut names: BTreeMap<u32, BTreeMap<u32, Vec<u32>>> = BTreeMap::new();
        let mut records = Vec::with_capacity(self.streams.len());
        for (ordinal, stream) in self.streams.iter().enumerate() {
            stream_ids.extend_from_slice(&stream.id.as_u128().to_le_bytes());
            let mut labels = Vec::with_capacity(stream.labels.len());
            for label in &stream.labels {
                let (name, value) = (symbols[&*label.name], symbols[&*label.value]);
                labels.push((name, value));
                names.entry(name).or_default().entry(value).or_default().push(ordinal as u32);
            }
            records.push(Record { labels, spans: &stream.spans });
        }
        let mut name_postings = Vec::with_capacity(names.len());
        for (name, values) in names {
            name_postings.push(NamePostings { name, values: values.into_iter().collect() });
        }
        IndexSections {
            symbols: symbols::encode(&texts),
            stream_ids,
            series: series::encode(records.into_iter()),
            postings: postings::encode(&name_postings),
        }
    }
}
