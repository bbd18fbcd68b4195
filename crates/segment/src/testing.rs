//! What tests of several modules share: a small random source, rows that own their parts, and a model
//! of what a segment gives back.

use std::collections::{BTreeMap, HashSet};

use bytes::Bytes;
use larch_types::{Labels, NodeId, PushStamp, SegmentId, StreamId, Timestamp};

use crate::{
    Chunk, Columns, Decoder, Effort, Provenance, ReadError, Row, RowStamp, Segment, SegmentBuilder,
    StreamRank,
};

/// xorshift64*: the same numbers everywhere.
pub(crate) struct Rng(u64);

impl Rng {
    pub(crate) const fn new(seed: u64) -> Self {
        Self(seed | 1)
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    /// Below `limit`.
    pub(crate) fn below(&mut self, limit: usize) -> usize {
        (self.next() % limit.max(1) as u64) as usize
    }
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct OwnedRow {
    pub(crate) time: i64,
    pub(crate) stamp: (u128, u32),
    pub(crate) line: Vec<u8>,
    pub(crate) metadata: Vec<(String, String)>,
    pub(crate) level: Option<String>,
}

impl OwnedRow {
    pub(crate) fn new(time: i64, line: impl Into<Vec<u8>>) -> Self {
        Self { time, stamp: (1, 0), line: line.into(), metadata: Vec::new(), level: None }
    }

    pub(crate) fn with<T>(&self, take: impl FnOnce(&Row<'_>, RowStamp) -> T) -> T {
        let metadata: Vec<(&str, &str)> =
            self.metadata.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        let row = Row {
            timestamp: Timestamp::from_nanos(self.time),
            line: &self.line,
            metadata: &metadata,
            level: self.level.as_deref(),
        };
        take(&row, RowStamp { stamp: PushStamp(self.stamp.0), index: self.stamp.1 })
    }
}

pub(crate) fn labels(pairs: &[(&str, &str)]) -> Labels {
    Labels::from_pairs(pairs.iter().copied()).unwrap()
}

pub(crate) fn provenance() -> Provenance {
    Provenance {
        id: SegmentId::from_u128(7),
        uploader: NodeId::from_u128(8),
        inputs: vec![SegmentId::from_u128(1), SegmentId::from_u128(2)],
        siblings: vec![SegmentId::from_u128(3)],
        tombstones: Vec::new(),
    }
}

/// Rows in the order of a segment: streams by rank, rows by time and stamp, doubles once.
pub(crate) fn model(rows: &[(Labels, OwnedRow)]) -> Vec<(Labels, OwnedRow)> {
    let mut by_stream: BTreeMap<StreamRank, (Labels, Vec<OwnedRow>)> = BTreeMap::new();
    for (labels, row) in rows {
        let rank = StreamRank::of(labels, StreamId::of(labels));
        by_stream.entry(rank).or_insert_with(|| (labels.clone(), Vec::new())).1.push(row.clone());
    }
    let mut all = Vec::new();
    for (labels, mut rows) in by_stream.into_values() {
        rows.sort_by_key(|row| (row.time, row.stamp));
        let mut seen = HashSet::new();
        let mut kept: Vec<OwnedRow> = Vec::new();
        for row in rows {
            if seen.insert((row.time, row.line.clone(), row.metadata.clone())) {
                kept.push(row);
            }
        }
        all.extend(kept.into_iter().map(|row| (labels.clone(), row)));
    }
    all
}

pub(crate) fn build(rows: &[(Labels, OwnedRow)], effort: Effort) -> Bytes {
    let mut builder = SegmentBuilder::new();
    for (labels, row) in rows {
        let stream = builder.stream(labels).unwrap();
        row.with(|row, stamp| builder.push(stream, row, Some(stamp))).unwrap();
    }
    builder.finish(provenance(), effort).unwrap().bytes.into()
}

/// All rows of a segment. A row whose stamp was not kept has the stamp (0, 0).
pub(crate) fn read(object: &Bytes) -> Vec<(Labels, OwnedRow)> {
    let segment = Segment::open(object, object.len() as u64).unwrap();
    let mut rows = Vec::new();
    let mut decoder = Decoder::new();
    for number in 0..segment.chunks().len() as u32 {
        let chunk = segment.chunk_of(object, number, Columns::ALL).unwrap();
        let labels = |stream| segment.index().labels(stream).unwrap();
        read_chunk(&chunk, &mut decoder, labels, &mut rows).unwrap();
    }
    rows
}

pub(crate) fn read_chunk(
    chunk: &Chunk,
    decoder: &mut Decoder,
    labels: impl Fn(u32) -> Labels,
    rows: &mut Vec<(Labels, OwnedRow)>,
) -> Result<(), ReadError> {
    for run in chunk.streams(decoder)? {
        let labels = labels(run.stream);
        for row in run.range() {
            let metadata = chunk.row_metadata(row, decoder)?;
            let stamp = chunk.stamps(decoder)?.get(row);
            let owned = OwnedRow {
                time: chunk.times()?[row],
                stamp: stamp.map_or((0, 0), |stamp| (stamp.stamp.0, stamp.index)),
                line: chunk.lines(decoder)?.get(row).to_vec(),
                metadata: metadata.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect(),
                level: chunk.levels(decoder)?.get(row).map(str::to_owned),
            };
            rows.push((labels.clone(), owned));
        }
    }
    Ok(())
}

/// Rows with something of everything that the format has, few enough to be looked at.
pub(crate) fn golden_rows() -> Vec<(Labels, OwnedRow)> {
    let mut rows = Vec::new();
    let mut rng = Rng::new(3);
    for index in 0..200_u32 {
        let line = format!(
            r#"{{"level":"info","user":{},"trace_id":"{:016x}{:016x}","took":"{}.{:02}ms"}}"#,
            rng.below(900),
            rng.next(),
            rng.next(),
            rng.below(50),
            rng.below(100)
        );
        let mut row = OwnedRow::new(1_790_812_800_000_000_000 + i64::from(index / 2) * 1_000_000, line);
        row.stamp = (u128::from(index / 10) << 70, index % 10);
        row.metadata = vec![
            ("span".into(), format!("{:016x}", rng.next())),
            ("status".into(), (200 + index % 5).to_string()),
        ];
        if index % 4 == 0 {
            row.metadata.push(("took".into(), format!("{}.{:03}", index, index * 7 % 1000)));
            row.metadata.push(("note".into(), format!("n\u{e4}{index}")));
        }
        row.level = (index % 3 == 0).then(|| ["info", "warn"][index as usize % 2].to_owned());
        rows.push((labels(&[("app", "shop"), ("pod", &(index % 3).to_string())]), row));
    }
    rows.push((labels(&[("app", "binary")]), OwnedRow::new(0, vec![0, 0xff, 0xfe])));
    rows.push((labels(&[("app", "binary")]), OwnedRow::new(i64::MAX, "")));
    rows
}
