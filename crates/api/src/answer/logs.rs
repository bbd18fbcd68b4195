//! Answers to log queries.

use std::collections::HashMap;

use bytes::Bytes;
use larch_proto::{EntryBatch, Pair, ResultLabels};
use larch_types::Timestamp;

use super::Statistics;
use super::label_text::{canonical, object, pairs};
use super::lists::string_array;
use super::numbers::whole;
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
    line_bytes: usize,
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
            self.line_bytes += entry.line.len();
            let row = ShownRow { timestamp: entry.timestamp, line: entry.line, own_labels };
            self.streams[stream].rows.push(row);
            self.rows += 1;
        }
    }

    /// How many rows there are.
    pub fn rows(&self) -> u64 {
        self.rows
    }

    /// How large their lines are.
    pub fn bytes(&self) -> usize {
        self.line_bytes
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

    /// Streams that have rows, ordered by the text of their labels.
    fn ordered(&self) -> Vec<(String, &ShownStream)> {
        let mut streams = Vec::with_capacity(self.streams.len());
        for stream in self.streams.iter().filter(|stream| !stream.rows.is_empty()) {
            streams.push((canonical(&stream.labels), stream));
        }
        streams.sort_by(|left, right| left.0.cmp(&right.0));
        streams
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
pub fn logs(rows: &LogRows, flags: &EncodingFlags, stats: &Statistics, warnings: &[String]) -> Vec<u8> {
    let mut out = Vec::new();
    out.extend_from_slice(b"{\"status\":\"success\",");
    if !warnings.is_empty() {
        out.extend_from_slice(b"\"warnings\":");
        string_array(&mut out, warnings);
        out.push(b',');
    }
    out.extend_from_slice(b"\"data\":{\"resultType\":\"streams\",");
    if !flags.as_slice().is_empty() {
        out.extend_from_slice(b"\"encodingFlags\":");
        string_array(&mut out, flags.as_slice());
        out.push(b',');
    }
    out.extend_from_slice(b"\"result\":[");
    for (index, (_, stream)) in rows.ordered().into_iter().enumerate() {
        if index > 0 {
            out.push(b',');
        }
        shown_stream(&mut out, rows, stream);
    }
    out.extend_from_slice(b"],\"stats\":");
    statistics(&mut out, stats, Fractions::SixDigits);
    out.extend_from_slice(b"}}\n");
    out
}

fn shown_stream(out: &mut Vec<u8>, rows: &LogRows, stream: &ShownStream) {
    out.extend_from_slice(b"{\"stream\":");
    object(out, pairs(&stream.labels), Escaping::Plain);
    out.extend_from_slice(b",\"values\":[");
    for (index, row) in stream.rows.iter().enumerate() {
        out.extend_from_slice(if index == 0 { b"[\"" } else { b",[\"" });
        whole(out, row.timestamp.nanos());
        out.extend_from_slice(b"\",");
        string(out, &row.line, Escaping::Html);
        if let Some(own) = rows.own_labels.get(row.own_labels) {
            out.push(b',');
            own_labels(out, own);
        }
        out.push(b']');
    }
    out.extend_from_slice(b"]}");
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
pub fn legacy_logs(rows: &LogRows, stats: &Statistics) -> Vec<u8> {
    let mut out = Vec::new();
    out.extend_from_slice(b"{\"streams\":[");
    for (index, (labels, stream)) in rows.ordered().into_iter().enumerate() {
        out.extend_from_slice(if index == 0 { b"{\"labels\":" } else { b",{\"labels\":" });
        string(&mut out, labels.as_bytes(), Escaping::Html);
        out.extend_from_slice(b",\"entries\":[");
        for (index, row) in stream.rows.iter().enumerate() {
            out.extend_from_slice(if index == 0 { b"{\"ts\":\"" } else { b",{\"ts\":\"" });
            whole(&mut out, row.timestamp);
            out.extend_from_slice(b"\",\"line\":");
            string(&mut out, &row.line, Escaping::Html);
            out.push(b'}');
        }
        out.extend_from_slice(b"]}");
    }
    out.extend_from_slice(b"],\"stats\":");
    statistics(&mut out, stats, Fractions::SixDigits);
    out.extend_from_slice(b"}\n");
    out
}
