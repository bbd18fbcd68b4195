//! Answers to log queries.

use std::collections::HashMap;

use bytes::Bytes;
use larch_proto::{EntryBatch, Pair, ResultLabels};
use larch_types::Timestamp;

use super::Statistics;
use super::label_text::{canonical, object, pairs};
use super::lists::string_array;
use super::numbers::whole;
use super::pieces::{Frame, Grouped, Pieces};
use super::statistics::{Fractions, statistics};
use super::strings::{Escaping, string};
use crate::EncodingFlags;

/// Rows of a log query by the labels that they are shown under, in the order in which they came.
#[derive(Debug, Clone, Default)]
pub struct LogRows {
    categorized: bool,
    places: HashMap<Vec<Pair>, usize>,
    streams: Vec<ShownStream>,
    /// Labels that stay with the rows; used only if labels are categorized.
    own_labels: Vec<OwnLabels>,
    rows: u64,
}

#[derive(Debug, Clone)]
struct ShownStream {
    labels: Vec<Pair>,
    rows: Vec<ShownRow>,
}

#[derive(Debug, Clone)]
struct ShownRow {
    timestamp: Timestamp,
    line: Bytes,
    /// Place among the labels that stay with rows.
    own_labels: usize,
}

#[derive(Debug, Clone, Default)]
struct OwnLabels {
    metadata: Vec<Pair>,
    parsed: Vec<Pair>,
}

impl LogRows {
    /// Categorized, rows are put together by the labels of their streams only.
    pub fn new(categorized: bool) -> Self {
        Self { categorized, ..Self::default() }
    }

    /// Takes rows in the order of the answer. Places in the batch were checked where it came in; a row that
    /// names none is left out.
    pub fn add(&mut self, batch: EntryBatch) {
        let mut shown = Vec::with_capacity(batch.labels.len());
        for labels in batch.labels {
            shown.push(self.place(labels));
        }
        for entry in batch.entries {
            let place = usize::try_from(entry.labels).ok().and_then(|labels| shown.get(labels));
            let Some((stream, own_labels)) = place.copied() else { continue };
            let row = ShownRow { timestamp: entry.timestamp, line: entry.line, own_labels };
            self.streams[stream].rows.push(row);
            self.rows += 1;
        }
    }

    /// How many rows there are.
    pub fn rows(&self) -> u64 {
        self.rows
    }

    /// The stream that rows with these labels are shown in, and the place of what stays with them.
    fn place(&mut self, labels: ResultLabels) -> (usize, usize) {
        let ResultLabels { mut stream, metadata, parsed } = labels;
        for pair in &mut stream {
            without_replacements(pair);
        }
        if self.categorized {
            let own = OwnLabels { metadata: sorted(metadata), parsed: sorted(parsed) };
            self.own_labels.push(own);
        } else {
            stream.extend(metadata);
            stream.extend(parsed);
        }
        let labels = sorted(stream);
        let stream = match self.places.get(&labels) {
            Some(stream) => *stream,
            None => {
                self.places.insert(labels.clone(), self.streams.len());
                self.streams.push(ShownStream { labels, rows: Vec::new() });
                self.streams.len() - 1
            }
        };
        (stream, self.own_labels.len().saturating_sub(1))
    }

    /// Streams that have rows, ordered by the text of their labels, which comes with them.
    fn ordered(streams: Vec<ShownStream>) -> Vec<(String, ShownStream)> {
        let mut ordered = Vec::with_capacity(streams.len());
        for stream in streams.into_iter().filter(|stream| !stream.rows.is_empty()) {
            ordered.push((canonical(&stream.labels), stream));
        }
        ordered.sort_by(|left, right| left.0.cmp(&right.0));
        ordered
    }
}

/// What was not UTF-8 when a stream was pushed is shown as blanks.
fn without_replacements(pair: &mut Pair) {
    if pair.value.as_str().contains(char::REPLACEMENT_CHARACTER) {
        pair.value = pair.value.as_str().replace(char::REPLACEMENT_CHARACTER, " ").into();
    }
}

fn sorted(mut labels: Vec<Pair>) -> Vec<Pair> {
    labels.sort_by(|left, right| left.name.cmp(&right.name));
    labels
}

/// The answer of `query_range` and `query`.
pub fn logs(rows: LogRows, flags: &EncodingFlags, stats: &Statistics, warnings: &[String]) -> Pieces {
    let mut begin = b"{\"status\":\"success\",".to_vec();
    if !warnings.is_empty() {
        begin.extend_from_slice(b"\"warnings\":");
        string_array(&mut begin, warnings);
        begin.push(b',');
    }
    begin.extend_from_slice(b"\"data\":{\"resultType\":\"streams\",");
    if !flags.as_slice().is_empty() {
        begin.extend_from_slice(b"\"encodingFlags\":");
        string_array(&mut begin, flags.as_slice());
        begin.push(b',');
    }
    begin.extend_from_slice(b"\"result\":[");
    let mut end = b"],\"stats\":".to_vec();
    statistics(&mut end, stats, Fractions::SixDigits);
    end.extend_from_slice(b"}}\n");
    let LogRows { streams, own_labels, .. } = rows;
    let ordered = LogRows::ordered(streams).into_iter();
    let streams = ordered.map(|(_, stream)| (stream.labels, stream.rows)).collect();
    Pieces::groups(Frame { begin, end }, streams, Streams { own_labels })
}

struct Streams {
    own_labels: Vec<OwnLabels>,
}

impl Grouped for Streams {
    type Head = Vec<Pair>;
    type Item = ShownRow;

    fn head(&self, out: &mut Vec<u8>, labels: &Vec<Pair>) {
        out.extend_from_slice(b"{\"stream\":");
        object(out, pairs(labels), Escaping::Plain);
        out.extend_from_slice(b",\"values\":[");
    }

    fn item(&self, out: &mut Vec<u8>, row: ShownRow) {
        out.extend_from_slice(b"[\"");
        whole(out, row.timestamp.nanos());
        out.extend_from_slice(b"\",");
        string(out, &row.line, Escaping::Html);
        if let Some(own) = self.own_labels.get(row.own_labels) {
            out.push(b',');
            own_labels(out, own);
        }
        out.push(b']');
    }
}

fn own_labels(out: &mut Vec<u8>, own: &OwnLabels) {
    out.push(b'{');
    if !own.metadata.is_empty() {
        out.extend_from_slice(b"\"structuredMetadata\":");
        object(out, pairs(&own.metadata), Escaping::Plain);
    }
    if !own.parsed.is_empty() {
        out.extend_from_slice(if own.metadata.is_empty() { b"\"parsed\":" } else { b",\"parsed\":" });
        object(out, pairs(&own.parsed), Escaping::Plain);
    }
    out.push(b'}');
}

/// The answer of the legacy `/api/prom/query`.
pub fn legacy_logs(rows: LogRows, stats: &Statistics) -> Pieces {
    let begin = b"{\"streams\":[".to_vec();
    let mut end = b"],\"stats\":".to_vec();
    statistics(&mut end, stats, Fractions::SixDigits);
    end.extend_from_slice(b"}\n");
    let ordered = LogRows::ordered(rows.streams).into_iter();
    let streams = ordered.map(|(labels, stream)| (labels, stream.rows)).collect();
    Pieces::groups(Frame { begin, end }, streams, LegacyStreams)
}

struct LegacyStreams;

impl Grouped for LegacyStreams {
    type Head = String;
    type Item = ShownRow;

    fn head(&self, out: &mut Vec<u8>, labels: &String) {
        out.extend_from_slice(b"{\"labels\":");
        string(out, labels.as_bytes(), Escaping::Html);
        out.extend_from_slice(b",\"entries\":[");
    }

    fn item(&self, out: &mut Vec<u8>, row: ShownRow) {
        out.extend_from_slice(b"{\"ts\":\"");
        whole(out, row.timestamp);
        out.extend_from_slice(b"\",\"line\":");
        string(out, &row.line, Escaping::Html);
        out.push(b'}');
    }
}
