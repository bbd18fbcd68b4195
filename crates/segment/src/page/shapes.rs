//! Which metadata names each row has, in their order: a row's list of names is its *shape*, and rows of
//! a chunk share few. Values lie in pages of their own, one for each name and how many times the
//! shape had that name before; what comes after the first 256 of these goes to one common page.
//!
//! `codec · blob(names varint · (length · text)* · shapes varint · (pairs varint · name varint*)* ·
//! shape of each row, packed as wide as the largest needs)`.

use std::collections::HashMap;

use crate::compress::{Decoder, Encoder};
use crate::error::{Corrupt, Section};
use crate::pack::{pack, packed_len, unpack, width_of};
use crate::page::codec;
use crate::wire::{Cursor, put_bytes, put_varint};

/// Pages of their own that a chunk's metadata may have. Each costs some 15 bytes in the directory; a
/// chunk with more names than that is not one whose columns are read singly.
const MAX_COLUMNS: usize = 256;

/// Pairs that all rows of a chunk have together, and all shapes: a chunk closes long before, as each pair
/// takes three bytes.
const MAX_PAIRS: usize = 4 << 20;

/// Where the value of one pair of a shape lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    Column(usize),
    Rest,
}

/// One pair of a shape.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Pair {
    /// Among the names.
    pub(crate) name: u32,
    pub(crate) place: Place,
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Shapes {
    pub(crate) names: Vec<Box<str>>,
    pub(crate) shapes: Vec<Vec<Pair>>,
    /// The shape of each row.
    pub(crate) rows: Vec<u32>,
    /// For each column its name.
    pub(crate) columns: Vec<u32>,
    pub(crate) has_rest: bool,
}

impl Shapes {
    /// Rows that have a value in the place, and how many values those are in all.
    pub(crate) fn values_at(&self, place: Place) -> usize {
        let mut in_shape = Vec::with_capacity(self.shapes.len());
        for shape in &self.shapes {
            in_shape.push(shape.iter().filter(|pair| pair.place == place).count());
        }
        self.rows.iter().map(|shape| in_shape[*shape as usize]).sum()
    }

    /// For each row the place of its value among those of the column; `u32::MAX` if it has none.
    pub(crate) fn places(&self, column: usize) -> Vec<u32> {
        let place = Place::Column(column);
        let has_it: Vec<bool> =
            self.shapes.iter().map(|shape| shape.iter().any(|pair| pair.place == place)).collect();
        let mut places = Vec::with_capacity(self.rows.len());
        let mut next = 0;
        for shape in &self.rows {
            if has_it[*shape as usize] {
                places.push(next);
                next += 1;
            } else {
                places.push(u32::MAX);
            }
        }
        places
    }

    /// For each row where its values begin among those without a column.
    pub(crate) fn rest_starts(&self) -> Vec<u32> {
        let in_rest =
            |shape: &Vec<Pair>| shape.iter().filter(|pair| pair.place == Place::Rest).count() as u32;
        let counts: Vec<u32> = self.shapes.iter().map(in_rest).collect();
        let mut starts = Vec::with_capacity(self.rows.len());
        let mut next = 0;
        for shape in &self.rows {
            starts.push(next);
            next += counts[*shape as usize];
        }
        starts
    }

    pub(crate) fn of_row(&self, row: usize) -> &[Pair] {
        &self.shapes[self.rows[row] as usize]
    }

    fn from_names(names: Vec<Box<str>>, shapes: &[Vec<u32>], rows: Vec<u32>) -> Self {
        let mut columns: HashMap<(u32, u32), usize> = HashMap::new();
        let mut all = Self { names, shapes: Vec::new(), rows, columns: Vec::new(), has_rest: false };
        let mut seen: HashMap<u32, u32> = HashMap::new();
        for shape in shapes {
            seen.clear();
            let mut pairs = Vec::with_capacity(shape.len());
            for name in shape {
                let before = seen.entry(*name).or_default();
                let place = match columns.get(&(*name, *before)) {
                    Some(column) => Place::Column(*column),
                    None if columns.len() < MAX_COLUMNS => {
                        columns.insert((*name, *before), columns.len());
                        all.columns.push(*name);
                        Place::Column(columns.len() - 1)
                    }
                    None => Place::Rest,
                };
                *before += 1;
                all.has_rest |= place == Place::Rest;
                pairs.push(Pair { name: *name, place });
            }
            all.shapes.push(pairs);
        }
        all
    }
}

/// Collects the shapes of rows and their values by place.
#[derive(Default)]
pub(crate) struct ShapesBuilder<'a> {
    names: HashMap<&'a str, u32>,
    name_list: Vec<Box<str>>,
    shapes: HashMap<Vec<u32>, u32>,
    shape_list: Vec<Vec<u32>>,
    rows: Vec<u32>,
    values: Vec<&'a str>,
}

impl<'a> ShapesBuilder<'a> {
    pub(crate) fn push(&mut self, metadata: &[(&'a str, &'a str)]) {
        let mut shape = Vec::with_capacity(metadata.len());
        for (name, value) in metadata {
            let next = self.name_list.len() as u32;
            let id = *self.names.entry(name).or_insert(next);
            if id == next {
                self.name_list.push((*name).into());
            }
            shape.push(id);
            self.values.push(value);
        }
        let next = self.shape_list.len() as u32;
        let id = match self.shapes.get(&shape) {
            Some(id) => *id,
            None => {
                self.shape_list.push(shape.clone());
                self.shapes.insert(shape, next);
                next
            }
        };
        self.rows.push(id);
    }

    /// The shapes, the values of each column, and those of the rest.
    pub(crate) fn finish(self) -> (Shapes, Vec<Vec<&'a str>>, Vec<&'a str>) {
        let shapes = Shapes::from_names(self.name_list, &self.shape_list, self.rows);
        let mut columns = vec![Vec::new(); shapes.columns.len()];
        let mut rest = Vec::new();
        let mut values = self.values.into_iter();
        for row in 0..shapes.rows.len() {
            for (pair, value) in shapes.of_row(row).iter().zip(&mut values) {
                match pair.place {
                    Place::Column(column) => columns[column].push(value),
                    Place::Rest => rest.push(value),
                }
            }
        }
        (shapes, columns, rest)
    }
}

pub(crate) fn encode(shapes: &Shapes, encoder: &mut Encoder) -> Vec<u8> {
    let mut plain = Vec::new();
    put_varint(&mut plain, shapes.names.len() as u64);
    for name in &shapes.names {
        put_bytes(&mut plain, name.as_bytes());
    }
    put_varint(&mut plain, shapes.shapes.len() as u64);
    for shape in &shapes.shapes {
        put_varint(&mut plain, shape.len() as u64);
        for pair in shape {
            put_varint(&mut plain, u64::from(pair.name));
        }
    }
    pack(shapes.rows.iter().map(|shape| u64::from(*shape)), row_width(shapes.shapes.len()), &mut plain);
    let mut out = vec![codec::SHAPES];
    encoder.put_blob(&mut out, &plain);
    out
}

const fn row_width(shapes: usize) -> u32 {
    width_of(shapes.saturating_sub(1) as u64)
}

pub(crate) fn decode(page: &[u8], rows: usize, decoder: &mut Decoder) -> Result<Shapes, Corrupt> {
    let mut cursor = Cursor::new(page, Section::Shapes);
    if cursor.u8()? != codec::SHAPES {
        return Err(cursor.corrupt("unknown codec"));
    }
    let plain = decoder.blob(&mut cursor)?;
    let mut cursor = Cursor::new(&plain, Section::Shapes);
    let count = cursor.at_most(MAX_PAIRS)?;
    let mut names: Vec<Box<str>> = Vec::new();
    for _ in 0..count {
        names.push(cursor.text()?.into());
    }
    // Each shape is some row's.
    let count = cursor.at_most(rows)?;
    let mut shapes = Vec::with_capacity(count);
    let mut pairs_left = MAX_PAIRS;
    for _ in 0..count {
        let pairs = cursor.at_most(pairs_left)?;
        pairs_left -= pairs;
        let mut shape = Vec::new();
        for _ in 0..pairs {
            match cursor.u32()? {
                name if (name as usize) < names.len() => shape.push(name),
                _ => return Err(cursor.corrupt("a name is out of range")),
            }
        }
        shapes.push(shape);
    }
    let width = row_width(shapes.len());
    let mut row_shapes = Vec::with_capacity(rows);
    unpack(cursor.take(packed_len(rows, width))?, width, rows, |shape| row_shapes.push(shape as u32));
    cursor.finish()?;
    let mut pairs_left = MAX_PAIRS;
    for shape in &row_shapes {
        let shape = shapes.get(*shape as usize).ok_or(cursor.corrupt("a shape is out of range"))?;
        pairs_left = pairs_left.checked_sub(shape.len()).ok_or(cursor.corrupt("there are too many pairs"))?;
    }
    Ok(Shapes::from_names(names, &shapes, row_shapes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shapes_come_back() {
        let wide: Vec<(String, String)> = (0..300).map(|i| (format!("n{i}"), format!("v{i}"))).collect();
        let wide: Vec<(&str, &str)> = wide.iter().map(|(n, v)| (n.as_str(), v.as_str())).collect();
        let rows: [&[(&str, &str)]; 5] =
            [&[("a", "1"), ("b", "2")], &[], &[("a", "3"), ("a", "4")], &wide, &[]];
        let mut builder = ShapesBuilder::default();
        for row in rows {
            builder.push(row);
        }
        let (shapes, columns, rest) = builder.finish();
        assert_eq!(columns.len(), MAX_COLUMNS);
        assert_eq!(columns[0], ["1", "3"], "first a");
        assert_eq!(columns[2], ["4"], "second a");
        assert_eq!(rest.len(), 300 - (MAX_COLUMNS - 3));
        assert_eq!(shapes.values_at(Place::Rest), rest.len());
        let page = encode(&shapes, &mut Encoder::new(1));
        assert_eq!(decode(&page, 5, &mut Decoder::new()).unwrap(), shapes);
        assert!(decode(&page, 50, &mut Decoder::new()).is_err());
    }

    /// A page of some bytes that says that each of many rows has very many pairs.
    #[test]
    fn too_many_pairs_are_refused() {
        let pairs = 1000;
        let mut plain = vec![1, 1, b'a', 1];
        put_varint(&mut plain, pairs);
        plain.extend((0..pairs).map(|_| 0));
        let mut page = vec![codec::SHAPES];
        Encoder::new(1).put_blob(&mut page, &plain);
        assert!(decode(&page, MAX_PAIRS / pairs as usize, &mut Decoder::new()).is_ok());
        assert!(decode(&page, MAX_PAIRS / pairs as usize + 1, &mut Decoder::new()).is_err());
    }
}
