//! Answers questions about streams from the bytes of the index.

use bytes::Bytes;
use larch_types::{Labels, StreamId};

use crate::error::{Corrupt, Section};
use crate::index::postings::{Postings, ValueTable};
use crate::index::selector::{Selector, Test};
use crate::index::series::{Series, SeriesSpan, StreamInfo};
use crate::index::symbols::Symbols;
use crate::index::walk::StreamWalk;
use crate::set::OrdinalSet;

/// The four sections, their checksums checked.
pub(crate) struct IndexBytes {
    pub(crate) symbols: Bytes,
    pub(crate) stream_ids: Bytes,
    pub(crate) series: Bytes,
    pub(crate) postings: Bytes,
}

/// Streams, their labels and their places.
#[derive(Debug, Clone)]
pub struct Index {
    symbols: Symbols,
    stream_ids: Bytes,
    series: Series,
    postings: Postings,
    chunks: u32,
}

const ID_LEN: usize = size_of::<StreamId>();

impl Index {
    pub(crate) fn new(bytes: &IndexBytes, chunks: u32) -> Result<Self, Corrupt> {
        let series = Series::new(&bytes.series)?;
        if bytes.stream_ids.len() != series.len() as usize * ID_LEN {
            return Err(Corrupt::new(Section::StreamIds, "the ids are not as many as the streams"));
        }
        Ok(Self {
            symbols: Symbols::new(&bytes.symbols)?,
            stream_ids: bytes.stream_ids.clone(),
            series,
            postings: Postings::new(&bytes.postings)?,
            chunks,
        })
    }

    /// Streams are numbered from 0 to this.
    pub fn streams(&self) -> u32 {
        self.series.len()
    }

    pub fn stream_id(&self, ordinal: u32) -> Result<StreamId, Corrupt> {
        let start = ordinal as usize * ID_LEN;
        let bytes = self.stream_ids.get(start..start + ID_LEN).and_then(|bytes| bytes.first_chunk());
        let bytes = bytes.ok_or(Corrupt::new(Section::StreamIds, "a stream is out of range"))?;
        Ok(StreamId::from_u128(u128::from_le_bytes(*bytes)))
    }

    pub fn labels(&self, ordinal: u32) -> Result<Labels, Corrupt> {
        self.series.labels(ordinal, &self.symbols)
    }

    /// In which chunks the stream's rows are.
    pub fn spans(&self, ordinal: u32) -> Result<Vec<SeriesSpan>, Corrupt> {
        let mut spans = Vec::new();
        self.series.walk().spans(ordinal, self.chunks, &mut spans)?;
        Ok(spans)
    }

    /// To ask about many streams.
    pub fn walk(&self) -> StreamWalk<'_> {
        StreamWalk::new(self, self.series.walk())
    }

    pub(super) const fn symbols(&self) -> &Symbols {
        &self.symbols
    }

    pub(super) const fn chunks(&self) -> u32 {
        self.chunks
    }

    pub fn stream(&self, ordinal: u32) -> Result<StreamInfo, Corrupt> {
        Ok(StreamInfo {
            ordinal,
            id: self.stream_id(ordinal)?,
            labels: self.labels(ordinal)?,
            spans: self.spans(ordinal)?,
        })
    }

    /// Sorted.
    pub fn label_names(&self) -> Result<Vec<String>, Corrupt> {
        self.postings.names().map(|name| self.symbols.get(name)).collect()
    }

    /// Sorted.
    pub fn label_values(&self, name: &str) -> Result<Vec<String>, Corrupt> {
        let Some(table) = self.table(name)? else { return Ok(Vec::new()) };
        let mut walk = self.symbols.walk();
        table.iter().map(|(value, _)| walk.get(value).map(str::to_owned)).collect()
    }

    /// The names that the labels of these streams have; sorted.
    pub fn names_of(&self, streams: &OrdinalSet) -> Result<Vec<String>, Corrupt> {
        if streams.len() == self.streams() as usize {
            return self.label_names();
        }
        self.texts_of(streams, |_| true, |name, _| name)
    }

    /// The values that these streams have of a label; sorted.
    pub fn values_of(&self, name: &str, streams: &OrdinalSet) -> Result<Vec<String>, Corrupt> {
        if streams.len() == self.streams() as usize {
            return self.label_values(name);
        }
        let Some(name) = self.symbols.find(name)? else { return Ok(Vec::new()) };
        self.texts_of(streams, |known| known == name, |_, value| value)
    }

    /// Symbols of some of the labels, each once, as texts.
    fn texts_of(
        &self,
        streams: &OrdinalSet,
        is_wanted: impl Fn(u32) -> bool,
        symbol: impl Fn(u32, u32) -> u32,
    ) -> Result<Vec<String>, Corrupt> {
        let count = self.symbols.len() as u32;
        let (mut found, mut is_inside, mut series) = (OrdinalSet::none(count), true, self.series.walk());
        for stream in streams.iter() {
            series.labels(stream, |name, value| {
                is_inside &= name < count && value < count;
                if is_wanted(name) {
                    found.insert(symbol(name, value));
                }
            })?;
        }
        if !is_inside {
            return Err(Corrupt::new(Section::Series, "a symbol is out of range"));
        }
        let mut walk = self.symbols.walk();
        found.iter().map(|symbol| walk.get(symbol).map(str::to_owned)).collect()
    }

    /// Streams that pass all conditions.
    pub fn select(&self, selectors: &[Selector<'_>]) -> Result<OrdinalSet, Corrupt> {
        let mut set = OrdinalSet::all(self.streams());
        for selector in selectors {
            set.keep(&self.streams_that(selector)?);
            if set.is_empty() {
                break;
            }
        }
        Ok(set)
    }

    fn streams_that(&self, selector: &Selector<'_>) -> Result<OrdinalSet, Corrupt> {
        let table = self.table(selector.name)?;
        match selector.test {
            Test::Is(value) => self.streams_with(table.as_ref(), &[value]),
            Test::OneOf(values) => self.streams_with(table.as_ref(), values),
            Test::IsNot(value) => {
                let mut set = self.streams_with(table.as_ref(), &[value])?;
                set.invert();
                Ok(set)
            }
            Test::Passes(predicate) => {
                let mut set =
                    if predicate("") { self.streams_without(table.as_ref())? } else { self.no_streams() };
                if let Some(table) = &table {
                    let mut walk = self.symbols.walk();
                    for (value, list) in table.iter() {
                        if predicate(walk.get(value)?) {
                            self.postings.add_list(list, &mut set)?;
                        }
                    }
                }
                Ok(set)
            }
        }
    }

    fn streams_with(&self, table: Option<&ValueTable>, values: &[&str]) -> Result<OrdinalSet, Corrupt> {
        let mut set = if values.contains(&"") { self.streams_without(table)? } else { self.no_streams() };
        let Some(table) = table else { return Ok(set) };
        for value in values {
            if let Some(symbol) = self.symbols.find(value)?
                && let Some(list) = table.find(symbol)
            {
                self.postings.add_list(list, &mut set)?;
            }
        }
        Ok(set)
    }

    /// Streams that do not have the label at all.
    fn streams_without(&self, table: Option<&ValueTable>) -> Result<OrdinalSet, Corrupt> {
        let mut set = self.no_streams();
        if let Some(table) = table {
            for (_, list) in table.iter() {
                self.postings.add_list(list, &mut set)?;
            }
        }
        set.invert();
        Ok(set)
    }

    fn no_streams(&self) -> OrdinalSet {
        OrdinalSet::none(self.streams())
    }

    fn table(&self, name: &str) -> Result<Option<ValueTable>, Corrupt> {
        match self.symbols.find(name)? {
            Some(symbol) => self.postings.values_of(symbol),
            None => Ok(None),
        }
    }

    /// Reads all of it.
    pub(crate) fn verify(&self) -> Result<(), Corrupt> {
        let mut walk = self.symbols.walk();
        for symbol in 0..self.symbols.len() {
            walk.get(symbol as u32)?;
        }
        for stream in 0..self.streams() {
            self.stream(stream)?;
        }
        for name in self.postings.names() {
            let mut set = self.no_streams();
            for (value, list) in self.postings.values_of(name)?.iter().flat_map(ValueTable::iter) {
                self.symbols.get(value)?;
                self.postings.add_list(list, &mut set)?;
            }
        }
        Ok(())
    }
}
