//! The live tail: the parameters of its request, and the frames that go over its websocket.

use std::sync::Arc;

use larch_logql::{
    Expr, LabelSet, LineFilter, LineOp, LineOperand, LogExpr, LogRow, ParseError, Stage, check_stages,
    parse_log,
};
use larch_types::{ErrorKind, Span, Timestamp, quoted};

/// More entries than this never travel in one frame.
pub const MAX_TAIL_FRAME_ENTRIES: usize = 100;

const DEFAULT_LIMIT: u32 = 100;
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
    #[error("strconv.Atoi: parsing {}: invalid syntax", quoted(.0))]
    Number(String),
    #[error("limit must be a positive value")]
    Limit,
    #[error("limit value {0} is out of range [0, 4294967295]")]
    LimitRange(i64),
    #[error("delay_for can't be greater than {MAX_DELAY}")]
    Delay,
    #[error(
        "could not parse 'start' parameter: parsing time {text} as \"2006-01-02T15:04:05.999999999Z07:00\": \
         cannot parse {text} as \"2006\"",
        text = quoted(given)
    )]
    Start { given: String },
}

impl InvalidTail {
    pub fn kind(&self) -> ErrorKind {
        ErrorKind::Invalid
    }
}

impl TailRequest {
    /// From the pairs of a query string. Of several values of a name the first counts.
    pub fn from_pairs(pairs: &[(String, String)], now: Timestamp) -> Result<Self, InvalidTail> {
        let value = |name: &str| {
            let pair = pairs.iter().find(|(given, _)| given == name);
            pair.map_or("", |(_, value)| value.as_str())
        };
        let mut query = parse_log(value("query"))?;
        if !value("regexp").is_empty() {
            let operands = vec![LineOperand::Text(value("regexp").into())];
            query.pipeline.push(Stage::LineFilter(LineFilter { op: LineOp::Regex, operands }));
        }
        check_stages(&Expr::Log(query.clone()))?;
        let limit = limit(value("limit"))?;
        let start = start(value("start"), now)?;
        let delay = number(value("delay_for"))?.unwrap_or(0);
        if !(0..=MAX_DELAY).contains(&delay) {
            return Err(InvalidTail::Delay);
        }
        Ok(Self { query, delay: Span::from_secs(delay), limit, start })
    }
}

fn number(text: &str) -> Result<Option<i64>, InvalidTail> {
    if text.is_empty() {
        return Ok(None);
    }
    text.parse().map(Some).map_err(|_| InvalidTail::Number(text.to_owned()))
}

fn limit(text: &str) -> Result<u32, InvalidTail> {
    let Some(limit) = number(text)? else { return Ok(DEFAULT_LIMIT) };
    if limit <= 0 {
        return Err(InvalidTail::Limit);
    }
    u32::try_from(limit).map_err(|_| InvalidTail::LimitRange(limit))
}

/// Seconds with a fraction, seconds of up to ten digits, nanoseconds, or RFC 3339.
fn start(text: &str, now: Timestamp) -> Result<Timestamp, InvalidTail> {
    if text.is_empty() {
        return Ok(now.minus(DEFAULT_SINCE));
    }
    if text.contains('.')
        && let Ok(seconds) = text.parse::<f64>()
        && seconds.is_finite()
    {
        return Ok(Timestamp::from_millis((seconds * 1000.0).round() as i64));
    }
    match text.parse::<i64>() {
        Ok(seconds) if text.len() <= 10 => Ok(Timestamp::from_secs(seconds)),
        Ok(nanos) => Ok(Timestamp::from_nanos(nanos)),
        Err(_) => text.parse().map_err(|_| InvalidTail::Start { given: text.to_owned() }),
    }
}

/// For fuzzing: any bytes as a query string.
pub fn fuzz_tail_request(bytes: &[u8]) -> bool {
    let text = String::from_utf8_lossy(bytes);
    let pairs: Vec<(String, String)> = text
        .split('&')
        .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect();
    TailRequest::from_pairs(&pairs, Timestamp::EPOCH).is_ok()
}

/// How frames are written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TailShape {
    /// With the flags of the request's header, if it has the header.
    Current(Option<Vec<String>>),
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
    /// The text of the request's header, which clients may put anything into.
    pub fn from_flags(header: Option<&str>) -> Self {
        Self::Current(header.map(|flags| flags.split(',').map(str::to_owned).collect()))
    }

    /// Rows in the order of time, [`MAX_TAIL_FRAME_ENTRIES`] at most.
    pub fn frame(&self, rows: &[LogRow], dropped: &[DroppedEntry]) -> String {
        let mut out = String::from("{\"streams\":[");
        for (index, row) in rows.iter().enumerate() {
            separate(&mut out, index);
            match self {
                Self::Current(flags) => push_row(&mut out, row, is_categorized(flags.as_deref())),
                Self::Legacy => push_legacy_row(&mut out, row),
            }
        }
        out.push(']');
        match self {
            Self::Current(flags) => {
                push_dropped(&mut out, dropped);
                push_flags(&mut out, flags.as_deref());
            }
            Self::Legacy => push_legacy_dropped(&mut out, dropped),
        }
        out.push('}');
        out
    }
}

fn is_categorized(flags: Option<&[String]>) -> bool {
    flags.is_some_and(|flags| flags.iter().any(|flag| flag == "categorize-labels"))
}

fn separate(out: &mut String, index: usize) {
    if index > 0 {
        out.push(',');
    }
}

/// Every row is a stream of its own.
fn push_row(out: &mut String, row: &LogRow, is_categorized: bool) {
    out.push_str("{\"stream\":");
    if is_categorized {
        push_labels(out, &row.labels.stream);
    } else {
        push_labels(out, &row.labels.all());
    }
    out.push_str(",\"values\":[[\"");
    out.push_str(&row.timestamp.nanos().to_string());
    out.push_str("\",");
    push_line(out, &row.line);
    if is_categorized {
        push_categories(out, row);
    }
    out.push_str("]]}");
}

fn push_categories(out: &mut String, row: &LogRow) {
    out.push_str(",{");
    let mut count = 0;
    for (name, set) in [("structuredMetadata", &row.labels.metadata), ("parsed", &row.labels.parsed)] {
        if set.is_empty() {
            continue;
        }
        separate(out, count);
        count += 1;
        push_text(out, name, Html::Kept);
        out.push(':');
        push_labels(out, set);
    }
    out.push('}');
}

fn push_labels(out: &mut String, labels: &LabelSet) {
    out.push('{');
    for (index, label) in labels.iter().enumerate() {
        separate(out, index);
        push_text(out, &label.name, Html::Kept);
        out.push(':');
        push_text(out, &label.value, Html::Kept);
    }
    out.push('}');
}

/// The key is there only if something was dropped.
fn push_dropped(out: &mut String, dropped: &[DroppedEntry]) {
    if dropped.is_empty() {
        return;
    }
    out.push_str(",\"dropped_entries\":[");
    for (index, entry) in dropped.iter().enumerate() {
        separate(out, index);
        out.push_str("{\"timestamp\":\"");
        out.push_str(&entry.timestamp.nanos().to_string());
        out.push_str("\",\"labels\":");
        push_labels(out, &entry.labels);
        out.push('}');
    }
    out.push(']');
}

fn push_flags(out: &mut String, flags: Option<&[String]>) {
    let Some(flags) = flags else { return };
    out.push_str(",\"encodingFlags\":[");
    for (index, flag) in flags.iter().enumerate() {
        separate(out, index);
        push_text(out, flag, Html::Escaped);
    }
    out.push(']');
}

fn push_legacy_row(out: &mut String, row: &LogRow) {
    out.push_str("{\"labels\":");
    push_text(out, &row.labels.all().to_string(), Html::Kept);
    out.push_str(",\"entries\":[{\"ts\":\"");
    out.push_str(&row.timestamp.to_string());
    out.push_str("\",\"line\":");
    push_line(out, &row.line);
    out.push_str("}]}");
}

fn push_legacy_dropped(out: &mut String, dropped: &[DroppedEntry]) {
    out.push_str(",\"dropped_entries\":");
    if dropped.is_empty() {
        out.push_str("null");
        return;
    }
    out.push('[');
    for (index, entry) in dropped.iter().enumerate() {
        separate(out, index);
        out.push_str("{\"Timestamp\":\"");
        out.push_str(&entry.timestamp.to_string());
        out.push_str("\",\"Labels\":");
        push_text(out, &entry.labels.to_string(), Html::Kept);
        out.push('}');
    }
    out.push(']');
}

/// Whether `<`, `>`, `&` and the line separators of JavaScript are escaped.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Html {
    Escaped,
    Kept,
}

/// Bytes that are not UTF-8 are each shown as U+FFFD.
fn push_line(out: &mut String, line: &[u8]) {
    out.push('"');
    for chunk in line.utf8_chunks() {
        push_escaped(out, chunk.valid(), Html::Escaped);
        for _ in chunk.invalid() {
            out.push_str("\\ufffd");
        }
    }
    out.push('"');
}

fn push_text(out: &mut String, text: &str, html: Html) {
    out.push('"');
    push_escaped(out, text, html);
    out.push('"');
}

fn push_escaped(out: &mut String, text: &str, html: Html) {
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '<' | '>' | '&' | '\u{2028}' | '\u{2029}' if html == Html::Escaped => push_code(out, c),
            '\0'..='\u{1f}' => push_code(out, c),
            c => out.push(c),
        }
    }
}

fn push_code(out: &mut String, c: char) {
    out.push_str(&format!("\\u{:04x}", u32::from(c)));
}

#[cfg(test)]
mod tests;
