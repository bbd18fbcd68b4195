//! Answers that are lists: labels, series, statistics, volumes, patterns, detected labels and fields.

use larch_logql::LabelSet;
use larch_proto::{Estimate, PatternSeries};
use larch_types::{Labels, Timestamp};
use serde_json::{Map, Value};

use super::Statistics;
use super::label_text::object;
use super::numbers::{seconds, whole};
use super::pieces::{Frame, Pieces};
use super::statistics::{Fractions, statistics};
use super::strings::{Escaping, json_string};

/// Bytes of one series of an answer about volumes, by time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Volume {
    pub labels: LabelSet,
    /// Ascending in time.
    pub bytes: Vec<(Timestamp, u64)>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DetectedLabel {
    pub label: String,
    pub cardinality: u64,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DetectedField {
    pub label: String,
    /// `int`, `string` and so on.
    pub kind: &'static str,
    pub cardinality: u64,
    /// None for metadata, which no parser found.
    pub parsers: Vec<&'static str>,
    /// Where in the JSON of a line it was; empty for what is not JSON.
    pub json_path: Vec<String>,
}

pub(crate) fn string_array(out: &mut Vec<u8>, texts: &[impl AsRef<str>]) {
    out.push(b'[');
    for (index, text) in texts.iter().enumerate() {
        if index > 0 {
            out.push(b',');
        }
        json_string(out, text.as_ref());
    }
    out.push(b']');
}

/// Names of labels, or values of one. Without any there is no list either.
pub fn name_list(names: Vec<String>) -> Pieces {
    text_list(b"{\"status\":\"success\"", b",\"data\":[", names)
}

/// The same for clients of `/api/prom`.
pub fn legacy_list(names: Vec<String>) -> Pieces {
    text_list(b"{", b"\"values\":[", names)
}

fn text_list(begin: &[u8], key: &[u8], texts: Vec<String>) -> Pieces {
    if texts.is_empty() {
        return Pieces::whole([begin, b"}\n"].concat());
    }
    let frame = Frame { begin: [begin, key].concat(), end: b"]}\n".to_vec() };
    Pieces::list(frame, texts, |out, text| json_string(out, &text))
}

/// Sets of labels in the order given.
pub fn series(sets: Vec<Labels>) -> Pieces {
    let begin = b"{\"status\":\"success\",\"data\":[".to_vec();
    Pieces::list(Frame { begin, end: b"]}\n".to_vec() }, sets, |out, labels| {
        object(out, labels.iter().map(|label| (&*label.name, &*label.value)), Escaping::Html);
    })
}

/// The answer of `format_query`: a query laid out, or why it is none.
pub fn format_answer(formatted: Result<&str, &str>) -> Vec<u8> {
    let (status, key, text) = match formatted {
        Ok(query) => ("success", "data", query),
        Err(error) => ("invalid-query", "error", error),
    };
    let mut out = format!("{{\"status\":\"{status}\"").into_bytes();
    if !text.is_empty() {
        out.extend_from_slice(format!(",\"{key}\":").as_bytes());
        json_string(&mut out, text);
    }
    out.extend_from_slice(b"}\n");
    out
}

/// The answer of `index/stats`.
pub fn index_statistics(stats: &Estimate) -> Vec<u8> {
    let mut out = Vec::new();
    estimate(&mut out, stats);
    out.push(b'\n');
    out
}

fn estimate(out: &mut Vec<u8>, stats: &Estimate) {
    let Estimate { streams, chunks, bytes, rows } = stats;
    let text = format!("{{\"streams\":{streams},\"chunks\":{chunks},\"bytes\":{bytes},\"entries\":{rows}}}");
    out.extend_from_slice(text.as_bytes());
}

/// One shard that holds everything, which is a plan like any other.
pub fn shards(stats: &Estimate) -> Vec<u8> {
    let mut out = b"{\"shards\":[{\"bounds\":{\"min\":0,\"max\":18446744073709551615},\"stats\":".to_vec();
    estimate(&mut out, stats);
    out.extend_from_slice(b"}],\"statistics\":");
    statistics(&mut out, &Statistics::default(), Fractions::Shortest);
    out.extend_from_slice(b",\"chunkGroups\":null}\n");
    out
}

/// The answer of `index/volume` and `index/volume_range`, in the order given. Where no series has more than
/// one sum the answer is a vector, also over a range.
pub fn volumes(series: &[Volume]) -> Vec<u8> {
    let is_matrix = series.iter().any(|one| one.bytes.len() > 1);
    let (kind, key) = if is_matrix { ("matrix", "values") } else { ("vector", "value") };
    let mut out = b"{\"status\":\"success\",\"data\":{\"resultType\":\"".to_vec();
    out.extend_from_slice(format!("{kind}\",\"result\":[").as_bytes());
    for (index, one) in series.iter().enumerate() {
        out.extend_from_slice(if index == 0 { b"{\"metric\":" } else { b",{\"metric\":" });
        object(&mut out, one.labels.iter().map(|label| (&*label.name, &*label.value)), Escaping::Html);
        out.extend_from_slice(format!(",\"{key}\":{}", if is_matrix { "[" } else { "" }).as_bytes());
        for (index, (time, bytes)) in one.bytes.iter().enumerate() {
            out.extend_from_slice(if index == 0 { b"[" } else { b",[" });
            seconds(&mut out, *time);
            out.extend_from_slice(format!(",\"{bytes}\"]").as_bytes());
        }
        out.extend_from_slice(if is_matrix { b"]}" } else { b"}" });
    }
    out.extend_from_slice(b"],\"stats\":");
    statistics(&mut out, &Statistics::default(), Fractions::Shortest);
    out.extend_from_slice(b"}}");
    out
}

/// The answer of `patterns`, in the order given.
pub fn patterns(found: &[PatternSeries]) -> Vec<u8> {
    let mut out = b"{\"status\":\"success\",\"data\":[".to_vec();
    for (index, pattern) in found.iter().enumerate() {
        out.extend_from_slice(if index == 0 { b"{\"pattern\":" } else { b",{\"pattern\":" });
        json_string(&mut out, &pattern.text);
        out.extend_from_slice(b",\"level\":");
        json_string(&mut out, &pattern.level);
        out.extend_from_slice(b",\"samples\":[");
        for (index, (start, rows)) in pattern.counts.iter().enumerate() {
            let second = start.nanos().div_euclid(1_000_000_000);
            let separator = if index == 0 { "" } else { "," };
            out.extend_from_slice(format!("{separator}[{second},{rows}]").as_bytes());
        }
        out.extend_from_slice(b"]}");
    }
    out.extend_from_slice(b"]}\n");
    out
}

pub fn detected_labels(labels: &[DetectedLabel]) -> Vec<u8> {
    let mut out = b"{".to_vec();
    for (index, found) in labels.iter().enumerate() {
        out.extend_from_slice(if index == 0 { b"\"detectedLabels\":[{\"label\":" } else { b",{\"label\":" });
        json_string(&mut out, &found.label);
        out.extend_from_slice(b",\"cardinality\":");
        whole(&mut out, found.cardinality);
        out.push(b'}');
    }
    out.extend_from_slice(if labels.is_empty() { b"}\n" } else { b"]}\n" });
    out
}

/// The limit is that of the request.
pub fn detected_fields(fields: &[DetectedField], limit: u32) -> Vec<u8> {
    if fields.is_empty() {
        return b"{}\n".to_vec();
    }
    let mut out = b"{\"fields\":[".to_vec();
    for (index, field) in fields.iter().enumerate() {
        out.extend_from_slice(if index == 0 { b"{\"label\":" } else { b",{\"label\":" });
        json_string(&mut out, &field.label);
        let text = format!(",\"type\":\"{}\",\"cardinality\":{},\"parsers\":", field.kind, field.cardinality);
        out.extend_from_slice(text.as_bytes());
        if field.parsers.is_empty() {
            out.extend_from_slice(b"null");
        } else {
            string_array(&mut out, &field.parsers);
        }
        if !field.json_path.is_empty() {
            out.extend_from_slice(b",\"jsonPath\":");
            string_array(&mut out, &field.json_path);
        }
        out.push(b'}');
    }
    out.extend_from_slice(format!("],\"limit\":{limit}}}\n").as_bytes());
    out
}

/// The values of one detected field.
pub fn detected_values(values: &[String], limit: u32) -> Vec<u8> {
    if values.is_empty() {
        return b"{}\n".to_vec();
    }
    let mut out = b"{\"values\":".to_vec();
    string_array(&mut out, values);
    out.extend_from_slice(format!(",\"limit\":{limit}}}\n").as_bytes());
    out
}

/// What an app may know of a tenant's limits before it asks anything.
pub fn drilldown_limits(limits: Map<String, Value>, patterns_enabled: bool, version: &str) -> Vec<u8> {
    let mut answer = Map::new();
    answer.insert("limits".to_owned(), Value::Object(limits));
    answer.insert("pattern_ingester_enabled".to_owned(), Value::Bool(patterns_enabled));
    answer.insert("version".to_owned(), Value::String(version.to_owned()));
    let mut out = Value::Object(answer).to_string().into_bytes();
    out.push(b'\n');
    out
}
