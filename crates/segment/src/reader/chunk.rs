//! The one way to read rows: a chunk, be it of an arena or of a segment. Columns are decoded when they
//! are first asked for.

use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use larch_types::{StreamId, Timestamp};
use xxhash_rust::xxh3::xxh3_64;

use crate::compress::Decoder;
use crate::error::{Corrupt, ReadError};
use crate::format::{ChunkEntry, Column, PageEntry};
use crate::memory::batch::{Batch, read_extras};
use crate::page::lines::{self, DecodedLines, Lines};
use crate::page::optional::{self, OptionalTexts};
use crate::page::runs::{self, StreamRun};
use crate::page::shapes::{self, Place, Shapes, ShapesBuilder};
use crate::page::stamps::{self, Stamps};
use crate::page::times;
use crate::row::RowIdentity;
use crate::text;

/// What is known of a chunk without reading it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ChunkInfo {
    pub rows: usize,
    /// Lines and metadata as pushed.
    pub raw_bytes: u64,
    /// Both inclusive.
    pub first_time: Timestamp,
    pub last_time: Timestamp,
    /// Both inclusive; not every stream between them needs to be there.
    pub first_stream: u32,
    pub last_stream: u32,
}

impl ChunkInfo {
    pub(crate) const fn of_entry(entry: &ChunkEntry) -> Self {
        Self {
            rows: entry.rows as usize,
            raw_bytes: entry.raw_bytes,
            first_time: entry.first_time,
            last_time: entry.last_time,
            first_stream: entry.first_stream,
            last_stream: entry.last_stream,
        }
    }
}

/// Rows sorted by stream, time and stamp.
pub struct Chunk {
    info: ChunkInfo,
    source: Source,
    times: OnceLock<Vec<i64>>,
    runs: OnceLock<Vec<StreamRun>>,
    stamps: OnceLock<Stamps>,
    levels: OnceLock<OptionalTexts>,
    shapes: OnceLock<Shapes>,
    columns: OnceLock<Vec<OnceLock<OptionalTexts>>>,
    rest: OnceLock<Rest>,
    lines: OnceLock<DecodedLines>,
}

enum Source {
    Memory(Arc<Batch>),
    Pages { all: Vec<PageEntry>, fetched: Vec<(Column, Bytes)> },
}

/// Values without a column of their own.
struct Rest {
    texts: text::Texts,
    /// Where the values of each row begin.
    starts: Vec<u32>,
}

/// What a chunk has of one metadata name.
#[derive(Debug)]
pub enum NamedColumn<'a> {
    /// No row has it.
    Absent,
    One(&'a OptionalTexts),
    /// A row has it twice, or it has no column of its own: read row by row.
    Several,
}

impl Chunk {
    pub(crate) fn in_memory(batch: Arc<Batch>, info: ChunkInfo) -> Self {
        Self::new(info, Source::Memory(batch))
    }

    /// `fetched` are pages of those in `all`.
    pub(crate) fn of_pages(info: ChunkInfo, all: Vec<PageEntry>, fetched: Vec<(Column, Bytes)>) -> Self {
        Self::new(info, Source::Pages { all, fetched })
    }

    const fn new(info: ChunkInfo, source: Source) -> Self {
        Self {
            info,
            source,
            times: OnceLock::new(),
            runs: OnceLock::new(),
            stamps: OnceLock::new(),
            levels: OnceLock::new(),
            shapes: OnceLock::new(),
            columns: OnceLock::new(),
            rest: OnceLock::new(),
            lines: OnceLock::new(),
        }
    }

    /// Ends with the chunk, and keeps its largest buffer for the next one.
    pub fn give_back(self, decoder: &mut Decoder) {
        if let Some(buffer) = self.lines.into_inner().and_then(DecodedLines::into_buffer) {
            decoder.keep(buffer);
        }
    }

    pub const fn info(&self) -> &ChunkInfo {
        &self.info
    }

    pub const fn rows(&self) -> usize {
        self.info.rows
    }

    /// Nanoseconds since 1970, a row each.
    pub fn times(&self) -> Result<&[i64], ReadError> {
        if let Source::Memory(batch) = &self.source {
            return Ok(batch.times());
        }
        once(&self.times, || Ok(times::decode(self.page(Column::Times)?, self.rows())?)).map(Vec::as_slice)
    }

    /// Which rows are of which stream; streams ascend.
    pub fn streams(&self, decoder: &mut Decoder) -> Result<&[StreamRun], ReadError> {
        let runs = once(&self.runs, || match &self.source {
            Source::Memory(batch) => Ok(batch.runs()),
            Source::Pages { .. } => Ok(runs::decode(self.page(Column::Streams)?, self.rows(), decoder)?),
        });
        runs.map(Vec::as_slice)
    }

    /// Push stamps of the rows, for those that share their time with another row of their stream, be it of
    /// this chunk or of any other.
    pub fn stamps(&self, decoder: &mut Decoder) -> Result<&Stamps, ReadError> {
        once(&self.stamps, || match &self.source {
            Source::Memory(batch) => Ok(Stamps::new((0..batch.len()).map(|row| batch.stamp(row)))),
            Source::Pages { .. } => match self.optional_page(Column::Stamps)? {
                Some(page) => Ok(stamps::decode(page, self.rows(), decoder)?),
                None => Ok(Stamps::default()),
            },
        })
    }

    /// Derived levels.
    pub fn levels(&self, decoder: &mut Decoder) -> Result<&OptionalTexts, ReadError> {
        once(&self.levels, || match &self.source {
            Source::Memory(batch) => {
                let mut metadata = Vec::new();
                let level_of = |row| read_extras(batch.extras(row), &mut metadata);
                Ok(OptionalTexts::from_rows((0..batch.len()).map(level_of)))
            }
            Source::Pages { .. } => match self.optional_page(Column::Levels)? {
                Some(page) => Ok(optional::decode(page, self.rows(), decoder)?),
                None => Ok(OptionalTexts::none(self.rows())),
            },
        })
    }

    pub fn lines(&self, decoder: &mut Decoder) -> Result<Lines<'_>, ReadError> {
        if let Source::Memory(batch) = &self.source {
            return Ok(batch.lines());
        }
        let decoded =
            once(&self.lines, || Ok(lines::decode(self.page(Column::Lines)?, self.rows(), decoder)?));
        decoded.map(DecodedLines::view)
    }

    /// Names that the rows' metadata has, without those of levels.
    pub fn metadata_names(&self, decoder: &mut Decoder) -> Result<&[Box<str>], ReadError> {
        Ok(&self.shapes(decoder)?.names)
    }

    /// All values of one name.
    pub fn metadata_column(&self, name: &str, decoder: &mut Decoder) -> Result<NamedColumn<'_>, ReadError> {
        let shapes = self.shapes(decoder)?;
        let Some(number) = shapes.names.iter().position(|known| **known == *name) else {
            return Ok(NamedColumn::Absent);
        };
        let mut places = shapes.shapes.iter().flatten().filter(|pair| pair.name as usize == number);
        let Some(first) = places.next() else { return Ok(NamedColumn::Absent) };
        let Place::Column(column) = first.place else { return Ok(NamedColumn::Several) };
        if places.any(|pair| pair.place != first.place) {
            return Ok(NamedColumn::Several);
        }
        self.column(column, decoder).map(NamedColumn::One)
    }

    /// One row's metadata as pushed. Panics if there is no such row.
    pub fn row_metadata(&self, row: usize, decoder: &mut Decoder) -> Result<Vec<(&str, &str)>, ReadError> {
        let shapes = self.shapes(decoder)?;
        let mut pairs = Vec::new();
        if shapes.names.is_empty() {
            return Ok(pairs);
        }
        let mut in_rest = 0;
        for pair in shapes.of_row(row) {
            let value = match pair.place {
                Place::Column(column) => self.column(column, decoder)?.get(row).unwrap_or_default(),
                Place::Rest => {
                    let rest = self.rest(decoder)?;
                    in_rest += 1;
                    rest.texts.get(rest.starts[row] as usize + in_rest - 1)
                }
            };
            pairs.push((&*shapes.names[pair.name as usize], value));
        }
        Ok(pairs)
    }

    /// What tells the row from others, for which the stream's id is needed. Panics if there is no such row.
    pub fn identity(
        &self,
        row: usize,
        stream: StreamId,
        decoder: &mut Decoder,
    ) -> Result<RowIdentity, ReadError> {
        if let Source::Memory(batch) = &self.source {
            return Ok(batch.row(row).identity);
        }
        let time = Timestamp::from_nanos(self.times()?[row]);
        let line = self.lines(decoder)?.get(row);
        let metadata = self.row_metadata(row, decoder)?;
        Ok(RowIdentity::of(stream, time, line, metadata.into_iter()))
    }

    fn shapes(&self, decoder: &mut Decoder) -> Result<&Shapes, ReadError> {
        once(&self.shapes, || match &self.source {
            Source::Memory(batch) => Ok(self.shapes_of(batch)),
            Source::Pages { .. } => match self.optional_page(Column::Shapes)? {
                Some(page) => Ok(shapes::decode(page, self.rows(), decoder)?),
                None => Ok(Shapes::default()),
            },
        })
    }

    /// In memory all columns are made at once. Two threads may both do so; they make the same.
    fn shapes_of(&self, batch: &Batch) -> Shapes {
        if !batch.has_extras() {
            return Shapes::default();
        }
        let mut builder = ShapesBuilder::default();
        let mut metadata = Vec::new();
        for row in 0..batch.len() {
            read_extras(batch.extras(row), &mut metadata);
            builder.push(&metadata);
        }
        let (shapes, columns, rest) = builder.finish();
        self.columns.get_or_init(|| {
            let mut decoded = Vec::with_capacity(columns.len());
            for (number, values) in columns.iter().enumerate() {
                let texts = OptionalTexts::new(shapes.places(number), text::Texts::from_values(values));
                decoded.push(OnceLock::from(texts));
            }
            decoded
        });
        self.rest
            .get_or_init(|| Rest { texts: text::Texts::from_values(&rest), starts: shapes.rest_starts() });
        shapes
    }

    fn column(&self, number: usize, decoder: &mut Decoder) -> Result<&OptionalTexts, ReadError> {
        let shapes = self.shapes(decoder)?;
        let columns = self.columns.get_or_init(|| shapes.columns.iter().map(|_| OnceLock::new()).collect());
        once(&columns[number], || {
            let column = Column::Metadata(number as u32);
            let count = shapes.values_at(Place::Column(number));
            let texts = text::decode(self.page(column)?, count, column.section(), decoder)?;
            Ok(OptionalTexts::new(shapes.places(number), texts))
        })
    }

    fn rest(&self, decoder: &mut Decoder) -> Result<&Rest, ReadError> {
        let shapes = self.shapes(decoder)?;
        once(&self.rest, || {
            let column = Column::MetadataRest;
            let count = shapes.values_at(Place::Rest);
            let texts = text::decode(self.page(column)?, count, column.section(), decoder)?;
            Ok(Rest { texts, starts: shapes.rest_starts() })
        })
    }

    /// The page of a column that every chunk has.
    fn page(&self, column: Column) -> Result<&Bytes, ReadError> {
        match self.optional_page(column)? {
            Some(page) => Ok(page),
            None => Err(Corrupt::new(column.section(), "the chunk has no such page").into()),
        }
    }

    /// None if the chunk has no such page. Its checksum is checked here.
    fn optional_page(&self, column: Column) -> Result<Option<&Bytes>, ReadError> {
        let Source::Pages { all, fetched } = &self.source else { return Ok(None) };
        let Some(entry) = all.iter().find(|page| page.column == column) else { return Ok(None) };
        let page = fetched.iter().find(|(fetched, _)| *fetched == column);
        let (_, bytes) = page.ok_or(ReadError::NotFetched(column.section()))?;
        if bytes.len() as u64 != entry.len || xxh3_64(bytes) != entry.checksum {
            return Err(Corrupt::new(column.section(), "the checksum does not match").into());
        }
        Ok(Some(bytes))
    }
}

fn once<T>(cell: &OnceLock<T>, make: impl FnOnce() -> Result<T, ReadError>) -> Result<&T, ReadError> {
    if let Some(made) = cell.get() {
        return Ok(made);
    }
    let made = make()?;
    Ok(cell.get_or_init(|| made))
}
