//! The live tail: the parameters of its request, and the frames that go over its websocket.

use std::sync::Arc;

use larch_logql::{
    Expr, LabelSet, LineFilter, LineOp, LineOperand, LogExpr, LogRow, ParseError, Stage, check_stages,
    parse_log,
};
use larch_types::{ErrorKind, Span, Timestamp};

use crate::answer::{Escaping, number, object, string, string_array};
use crate::request::{EncodingFlags, Form, ParamError, limit, number_or, timestamp_or};

/// More entries than this never travel in one frame.
pub const MAX_TAIL_FRAME_ENTRIES: usize = 100;

const DEFAULT_SINCE: Span = Span::from_hours(1);
/// In seconds.
const MAX_DELAY: i64 = 5;

/// What a client wants to follow.
#[derive(Debug, Clone, PartialEq)]
pub struct TailRequest {
    /// With the old `regexp` parameter, if there was one.
    pub query: LogExpr,
    /// How long rows are held back, so that late ones sort in.
    pub delay: Span,
    /// How many rows from before are shown first.
    pub limit: u32,
    /// Rows from before are not older than this.
    pub start: Timestamp,
}

/// Why a request cannot be a tail. The texts are those that clients of Loki know.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum InvalidTail {
    #[error(transparent)]
    Query(#[from] ParseError),
    #[error(transparent)]
    Param(#[from] ParamError),
    #[error("delay_for can't be greater than {MAX_DELAY}")]
    Delay,
}

impl InvalidTail {
    pub fn kind(&self) -> ErrorKind {
        ErrorKind::Invalid
    }
}

impl TailRequest {
    pub fn read(form: &Form, now: Timestamp) -> Result<Self, InvalidTail> {
        let mut query = parse_log(form.get("query"))?;
        if !form.get("regexp").is_empty() {
            let operands = vec![LineOperand::Text(form.get("regexp").into())];
            query.pipeline.push(Stage::LineFilter(LineFilter { op: LineOp::Regex, operands }));
        }
        check_stages(&Expr::Log(query.clone()))?;
        let limit = limit(form.get("limit"))?;
        let start = timestamp_or(form.get("start"), now.minus(DEFAULT_SINCE)).map_err(ParamError::Start)?;
        let delay = number_or(form.get("delay_for"), 0)?;
        if !(0..=MAX_DELAY).contains(&delay) {
            return Err(InvalidTail::Delay);
        }
        Ok(Self { query, delay: Span::from_secs(delay), limit, start })
    }
}

/// For fuzzing: any bytes as a query string.
pub fn fuzz_tail_request(bytes: &[u8]) -> bool {
    let form = Form::parse(&[], &String::from_utf8_lossy(bytes));
    form.is_ok_and(|form| TailRequest::read(&form, Timestamp::EPOCH).is_ok())
}

/// How frames are written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TailShape {
    Current(EncodingFlags),
    /// As `/api/prom/tail` has it.
    Legacy,
}

/// A row that the client does not get, because it reads too slowly.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DroppedEntry {
    pub timestamp: Timestamp,
    /// Of its stream.
    pub labels: Arc<LabelSet>,
}

impl TailShape {
    /// Rows in the order of time, [`MAX_TAIL_FRAME_ENTRIES`] at most.
    pub fn frame(&self, rows: &[LogRow], dropped: &[DroppedEntry]) -> String {
        let mut out = Vec::from(b"{\"streams\":[");
        for (index, row) in rows.iter().enumerate() {
            separate(&mut out, index);
            match self {
                Self::Current(flags) => push_row(&mut out, row, flags.categorizes()),
                Self::Legacy => push_legacy_row(&mut out, row),
            }
        }
        out.push(b']');
        match self {
            Self::Current(flags) => {
                push_dropped(&mut out, dropped);
                if !flags.as_slice().is_empty() {
                    out.extend_from_slice(b",\"encodingFlags\":");
                    string_array(&mut out, flags.as_slice());
                }
            }
            Self::Legacy => push_legacy_dropped(&mut out, dropped),
        }
        out.push(b'}');
        // Only UTF-8 was written.
        String::from_utf8(out).unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned())
    }
}

fn separate(out: &mut Vec<u8>, index: usize) {
    if index > 0 {
        out.push(b',');
    }
}

/// Every row is a stream of its own.
fn push_row(out: &mut Vec<u8>, row: &LogRow, is_categorized: bool) {
    out.extend_from_slice(b"{\"stream\":");
    if is_categorized {
        push_labels(out, &row.labels.stream);
    } else {
        push_labels(out, &row.labels.all());
    }
    out.extend_from_slice(b",\"values\":[[\"");
    number(out, row.timestamp.nanos());
    out.extend_from_slice(b"\",");
    string(out, &row.line, Escaping::Html);
    if is_categorized {
        push_categories(out, row);
    }
    out.extend_from_slice(b"]]}");
}

fn push_categories(out: &mut Vec<u8>, row: &LogRow) {
    out.extend_from_slice(b",{");
    let mut count = 0;
    for (name, set) in [("structuredMetadata", &row.labels.metadata), ("parsed", &row.labels.parsed)] {
        if set.is_empty() {
            continue;
        }
        separate(out, count);
        count += 1;
        string(out, name.as_bytes(), Escaping::Plain);
        out.push(b':');
        push_labels(out, set);
    }
    out.push(b'}');
}

fn push_labels(out: &mut Vec<u8>, labels: &LabelSet) {
    object(out, labels.iter().map(|label| (&*label.name, &*label.value)), Escaping::Plain);
}

/// The key is there only if something was dropped.
fn push_dropped(out: &mut Vec<u8>, dropped: &[DroppedEntry]) {
    if dropped.is_empty() {
        return;
    }
    out.extend_from_slice(b",\"dropped_entries\":[");
    for (index, entry) in dropped.iter().enumerate() {
        separate(out, index);
        out.extend_from_slice(b"{\"timestamp\":\"");
        number(out, entry.timestamp.nanos());
        out.extend_from_slice(b"\",\"labels\":");
        push_labels(out, &entry.labels);
        out.push(b'}');
    }
    out.push(b']');
}

fn push_legacy_row(out: &mut Vec<u8>, row: &LogRow) {
    out.extend_from_slice(b"{\"labels\":");
    string(out, row.labels.all().to_string().as_bytes(), Escaping::Plain);
    out.extend_from_slice(b",\"entries\":[{\"ts\":\"");
    number(out, row.timestamp);
    out.extend_from_slice(b"\",\"line\":");
    string(out, &row.line, Escaping::Html);
    out.extend_from_slice(b"}]}");
}

fn push_legacy_dropped(out: &mut Vec<u8>, dropped: &[DroppedEntry]) {
    out.extend_from_slice(b",\"dropped_entries\":");
    if dropped.is_empty() {
        out.extend_from_slice(b"null");
        return;
    }
    out.push(b'[');
    for (index, entry) in dropped.iter().enumerate() {
        separate(out, index);
        out.extend_from_slice(b"{\"Timestamp\":\"");
        number(out, entry.timestamp);
        out.extend_from_slice(b"\",\"Labels\":");
        string(out, entry.labels.to_string().as_bytes(), Escaping::Plain);
        out.push(b'}');
    }
    out.push(b']');
}

#[cfg(test)]
mod tests;
