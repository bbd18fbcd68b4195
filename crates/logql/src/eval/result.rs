//! Answers as plain values.

use std::sync::Arc;

use larch_types::{StreamId, Timestamp};

use crate::eval::{Identity, LabelSet};
use crate::stage::{Category, Row};

/// What a metric query comes to.
#[derive(Debug, Clone, PartialEq)]
pub enum MetricAnswer {
    /// Over a range, ordered by labels.
    Matrix(Vec<Series>),
    /// At one time, ordered by labels unless the query sorts.
    Vector(Vec<Sample>),
    /// A number at one time.
    Scalar(f64),
}

/// A row that came through the pipeline.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogRow {
    pub timestamp: Timestamp,
    pub line: Box<[u8]>,
    pub labels: EntryLabels,
}

/// The stored row that a shown one was made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Origin {
    pub stream: StreamId,
    pub identity: Identity,
}

/// Labels by where they come from. No name is in two of the sets.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct EntryLabels {
    pub stream: Arc<LabelSet>,
    pub metadata: LabelSet,
    /// Found in the line, or made by the query.
    pub parsed: LabelSet,
}

/// Rows with the same labels, in the order of the answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StreamRows {
    pub labels: LabelSet,
    pub rows: Vec<LogRow>,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Sample {
    pub labels: Arc<LabelSet>,
    pub value: f64,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Series {
    pub labels: Arc<LabelSet>,
    /// Ascending.
    pub points: Vec<(Timestamp, f64)>,
}

/// Which labels make a stream of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StreamKey {
    /// All labels of a row.
    AllLabels,
    /// Only those of its stream; the others stay with the row.
    StreamLabels,
}

impl EntryLabels {
    /// The labels of a row behind its pipeline.
    pub(crate) fn of(row: &Row<'_>) -> Self {
        let all = row.labels().sorted();
        let of = |category: Category| {
            let labels = all.iter().filter(|label| label.category == category);
            LabelSet::from_pairs(labels.map(|label| (label.name, String::from_utf8_lossy(label.value))))
        };
        Self {
            stream: Arc::new(of(Category::Stream)),
            metadata: of(Category::Metadata),
            parsed: of(Category::Parsed),
        }
    }

    /// All of them as one set.
    pub fn all(&self) -> LabelSet {
        let sets = [&*self.stream, &self.metadata, &self.parsed];
        LabelSet::from_pairs(
            sets.into_iter().flatten().map(|label| (label.name.clone(), label.value.clone())),
        )
    }
}

/// Puts rows into streams, ordered by the text of their labels.
pub fn group_rows(rows: Vec<LogRow>, key: StreamKey) -> Vec<StreamRows> {
    let mut places: std::collections::HashMap<LabelSet, usize> = std::collections::HashMap::new();
    let mut streams: Vec<(String, StreamRows)> = Vec::new();
    for row in rows {
        let labels = match key {
            StreamKey::AllLabels => row.labels.all(),
            StreamKey::StreamLabels => (*row.labels.stream).clone(),
        };
        let place = *places.entry(labels).or_insert_with_key(|labels| {
            streams.push((labels.to_string(), StreamRows { labels: labels.clone(), rows: Vec::new() }));
            streams.len() - 1
        });
        streams[place].1.rows.push(row);
    }
    streams.sort_by(|left, right| left.0.cmp(&right.0));
    streams.into_iter().map(|(_, stream)| stream).collect()
}
