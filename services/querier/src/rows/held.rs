//! Rows while a question holds them.

use std::sync::Arc;

use bytes::Bytes;
use larch_logql::{Identity, InputRow};
use larch_proto::{Pair, TieOrder};
use larch_types::{PushStamp, RowOrder, Timestamp};

use super::stored::LateTie;
use super::stream::Stream;

/// One row, be it of an ingester or of a segment. Its line is a piece of what brought it.
#[derive(Debug, Clone)]
pub(crate) struct HeldRow {
    pub(crate) stream: Arc<Stream>,
    pub(crate) timestamp: Timestamp,
    pub(crate) tie: Option<TieOrder>,
    /// Where the tie is to be read if it matters.
    pub(crate) late: Option<LateTie>,
    pub(crate) line: Bytes,
    pub(crate) metadata: Vec<Pair>,
    pub(crate) level: Option<Arc<str>>,
}

impl HeldRow {
    pub(crate) fn metadata_bytes(&self) -> usize {
        self.metadata.iter().map(|pair| pair.name.as_bytes().len() + pair.value.as_bytes().len()).sum()
    }

    /// What it takes in memory, about.
    pub(crate) fn bytes(&self) -> usize {
        let pairs = self.metadata.len() * std::mem::size_of::<Pair>();
        std::mem::size_of::<Self>() + self.line.len() + self.metadata_bytes() + pairs
    }

    /// Among rows of one stream and time. Where no source knew of a tie, the row stands first.
    pub(crate) fn order(&self) -> RowOrder {
        let tie = self.tie.unwrap_or(TieOrder { stamp: PushStamp(0), index: 0 });
        RowOrder { timestamp: self.timestamp, stamp: tie.stamp, index: tie.index }
    }

    /// Rows of one time with the same identity are one row.
    pub(crate) fn identity(&self) -> Identity {
        let rows = InputRows::new(std::slice::from_ref(self));
        rows.row(0).identity()
    }
}

/// Rows as evaluations take them.
pub(crate) struct InputRows<'a> {
    rows: &'a [HeldRow],
    /// The metadata of all rows, and where each row's begins.
    pairs: Vec<(&'a str, &'a str)>,
    begins: Vec<usize>,
}

impl<'a> InputRows<'a> {
    pub(crate) fn new(rows: &'a [HeldRow]) -> Self {
        let (mut pairs, mut begins) = (Vec::new(), Vec::with_capacity(rows.len() + 1));
        for row in rows {
            begins.push(pairs.len());
            pairs.extend(row.metadata.iter().map(|pair| (pair.name.as_str(), pair.value.as_str())));
        }
        begins.push(pairs.len());
        Self { rows, pairs, begins }
    }

    pub(crate) fn row(&self, place: usize) -> InputRow<'_> {
        let row = &self.rows[place];
        InputRow {
            stream: row.stream.id,
            labels: row.stream.labels(),
            order: row.order(),
            line: &row.line,
            metadata: &self.pairs[self.begins[place]..self.begins[place + 1]],
            level: row.level.as_deref(),
        }
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = InputRow<'_>> {
        (0..self.rows.len()).map(|place| self.row(place))
    }
}
