//! From the rows of a chunk to its pages.

use xxhash_rust::xxh3::xxh3_64;

use crate::compress::Encoder;
use crate::filter::ChunkWords;
use crate::format::Column;
use crate::memory::batch::{Batch, read_extras};
use crate::page::lines::Care;
use crate::page::shapes::ShapesBuilder;
use crate::page::stamps::Stamps;
use crate::page::{lines, optional, runs, shapes, stamps, times};
use crate::text;

/// A page without its place in the object.
pub(super) struct Page {
    pub(super) column: Column,
    pub(super) bytes: Vec<u8>,
    pub(super) checksum: u64,
}

/// How the pages of a segment are made, and who learns of the words in them.
pub(super) struct ChunkEncoder<'a> {
    pub(super) encoder: &'a mut Encoder,
    pub(super) care: Care,
    pub(super) words: ChunkWords<'a>,
}

/// `batch` is sorted by stream and time. Also the names that its metadata has.
pub(super) fn encode(batch: &Batch, with: ChunkEncoder<'_>) -> (Vec<Page>, Vec<Box<str>>) {
    let ChunkEncoder { encoder, care, mut words } = with;
    let mut pages = vec![
        page(Column::Times, times::encode(batch.times())),
        page(Column::Streams, runs::encode(&batch.runs(), encoder)),
    ];
    let stamps = Stamps::new((0..batch.len()).map(|row| batch.stamp(row)));
    if !stamps.is_empty() {
        pages.push(page(Column::Stamps, stamps::encode(&stamps, encoder)));
    }
    let mut names = Vec::new();
    if batch.has_extras() {
        names = put_extras(batch, encoder, &mut words, &mut pages);
    }
    let encoded = lines::encode(batch.lines(), care, encoder, &mut |part| words.add_split(part));
    if !encoded.is_told {
        batch.lines().iter().for_each(|line| words.add_line(line));
    }
    words.finish();
    pages.push(page(Column::Lines, encoded.page));
    (pages, names)
}

fn page(column: Column, bytes: Vec<u8>) -> Page {
    let checksum = xxh3_64(&bytes);
    Page { column, bytes, checksum }
}

/// Pages for levels and metadata, where any row has some; the names of the metadata.
fn put_extras(
    batch: &Batch,
    encoder: &mut Encoder,
    words: &mut ChunkWords<'_>,
    pages: &mut Vec<Page>,
) -> Vec<Box<str>> {
    let mut builder = ShapesBuilder::default();
    let mut levels = Vec::with_capacity(batch.len());
    let mut metadata = Vec::new();
    for row in 0..batch.len() {
        levels.push(read_extras(batch.extras(row), &mut metadata));
        metadata.iter().for_each(|(name, value)| words.add_metadata(name, value));
        builder.push(&metadata);
    }
    if levels.iter().any(Option::is_some) {
        pages.push(page(Column::Levels, optional::encode(&levels, encoder)));
    }
    let (all_shapes, columns, rest) = builder.finish();
    if all_shapes.names.is_empty() {
        return Vec::new();
    }
    pages.push(page(Column::Shapes, shapes::encode(&all_shapes, encoder)));
    for (number, values) in columns.iter().enumerate() {
        pages.push(page(Column::Metadata(number as u32), text::encode(values, encoder)));
    }
    if all_shapes.has_rest {
        pages.push(page(Column::MetadataRest, text::encode(&rest, encoder)));
    }
    all_shapes.names
}
