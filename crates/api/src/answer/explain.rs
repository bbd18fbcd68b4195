//! The object `explain`: how a query was cut, and how each piece was answered.

use std::time::Duration;

use larch_proto::QueryStatistics;
use larch_types::Timestamp;

use super::lists::string_array;
use super::numbers::whole;
use super::strings::{Escaping, string};
use crate::request::Form;

/// Pieces in the order in which they were asked for.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Explained {
    pub pieces: Vec<ExplainedPiece>,
}

/// What a worker was asked, and how it came to its answer.
#[derive(Debug, Clone, PartialEq)]
pub struct ExplainedPiece {
    pub question: &'static str,
    /// Empty for a question that is no query.
    pub query: String,
    /// Included.
    pub start: Timestamp,
    /// Not included.
    pub end: Timestamp,
    /// Which part of the streams, and of how many; none for all of them.
    pub shard: Option<(u32, u32)>,
    pub path: PathTaken,
    /// Why no faster way was taken.
    pub reasons: Vec<String>,
    pub cost: QueryStatistics,
    /// In the queue.
    pub queued: Duration,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PathTaken {
    Unknown,
    Kept,
    Histograms,
    Columns,
    Rows,
    Index,
}

/// Whether the request wants to be told: `explain=true`.
pub fn explains(form: &Form) -> bool {
    form.get("explain") == "true"
}

impl PathTaken {
    const fn name(self) -> &'static str {
        match self {
            Self::Unknown => "unknown",
            Self::Kept => "kept",
            Self::Histograms => "histograms",
            Self::Columns => "columns",
            Self::Rows => "rows",
            Self::Index => "index",
        }
    }
}

pub(super) fn explain(out: &mut Vec<u8>, explained: &Explained) {
    out.extend_from_slice(b"{\"pieces\":[");
    for (index, piece) in explained.pieces.iter().enumerate() {
        if index > 0 {
            out.push(b',');
        }
        write_piece(out, piece);
    }
    out.extend_from_slice(b"]}");
}

fn write_piece(out: &mut Vec<u8>, piece: &ExplainedPiece) {
    out.extend_from_slice(b"{\"question\":");
    string(out, piece.question.as_bytes(), Escaping::Plain);
    out.extend_from_slice(b",\"query\":");
    string(out, piece.query.as_bytes(), Escaping::Plain);
    for (name, time) in [(",\"start\":\"", piece.start), ("\",\"end\":\"", piece.end)] {
        out.extend_from_slice(name.as_bytes());
        whole(out, time.nanos());
    }
    out.extend_from_slice(b"\",\"shard\":");
    match piece.shard {
        None => out.extend_from_slice(b"null"),
        Some((index, count)) => string(out, format!("{index}_of_{count}").as_bytes(), Escaping::Plain),
    }
    out.extend_from_slice(b",\"path\":");
    string(out, piece.path.name().as_bytes(), Escaping::Plain);
    out.extend_from_slice(b",\"why_not_faster\":");
    string_array(out, &piece.reasons);
    for (name, figures) in groups(piece) {
        out.extend_from_slice(b",\"");
        out.extend_from_slice(name.as_bytes());
        out.extend_from_slice(b"\":{");
        for (index, (name, figure)) in figures.into_iter().enumerate() {
            out.extend_from_slice(if index == 0 { b"\"" } else { b",\"" });
            out.extend_from_slice(name.as_bytes());
            out.extend_from_slice(b"\":");
            whole(out, figure);
        }
        out.push(b'}');
    }
    out.push(b'}');
}

type Figures = Vec<(&'static str, u64)>;

/// What is known of a piece in numbers. What was skipped are differences between steps of one plan.
fn groups(piece: &ExplainedPiece) -> [(&'static str, Figures); 5] {
    let cost = &piece.cost;
    let skipped = |before: u64, behind: u64| before.saturating_sub(behind);
    // A question that makes no plan of rows has no chunks in one.
    let planned = cost.chunks_planned;
    let queued = u64::try_from(piece.queued.as_nanos()).unwrap_or(u64::MAX);
    [
        (
            "ingesters",
            vec![
                ("asked", cost.ingesters_asked),
                ("batches", cost.ingester_batches),
                ("rows", cost.ingester_rows),
                ("bytes", cost.ingester_bytes),
            ],
        ),
        (
            "plan",
            vec![
                ("segments", cost.segments_in_range),
                ("segments_with_chunks", cost.segments_planned),
                ("chunks", cost.chunks_of_segments),
                ("skipped_by_time", skipped(cost.chunks_of_segments, cost.chunks_in_time)),
                ("skipped_by_streams", skipped(cost.chunks_in_time, cost.chunks_of_streams)),
                ("skipped_by_filters", skipped(cost.chunks_of_streams, planned)),
                ("planned", planned),
                ("skipped_by_limit", skipped(planned, cost.chunks_read)),
            ],
        ),
        (
            "read",
            vec![
                ("chunks", cost.chunks_read),
                ("pages", cost.pages_read),
                ("bytes", cost.page_bytes),
                ("pages_from_cache", cost.pages_from_cache),
                ("bytes_from_cache", cost.page_bytes_from_cache),
                ("decompressed_bytes", cost.decompressed_bytes),
            ],
        ),
        (
            "rows",
            vec![
                ("looked_at", cost.rows),
                ("after_filters", cost.rows_after_filters),
                ("duplicates", cost.duplicate_rows),
            ],
        ),
        (
            "nanoseconds",
            vec![
                ("queued", queued),
                ("waited", cost.wait_ns),
                ("planned", cost.plan_ns),
                ("fetched", cost.fetch_ns),
                ("run", cost.run_ns),
            ],
        ),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shape_is_stable() {
        let cost = QueryStatistics {
            segments_in_range: 3,
            segments_planned: 2,
            chunks_of_segments: 100,
            chunks_in_time: 60,
            chunks_of_streams: 40,
            chunks_planned: 10,
            chunks_read: 4,
            rows: 7,
            ..QueryStatistics::default()
        };
        let piece = ExplainedPiece {
            question: "logs",
            query: r#"{a="<b>"}"#.to_owned(),
            start: Timestamp::from_nanos(1),
            end: Timestamp::from_nanos(2),
            shard: Some((1, 4)),
            path: PathTaken::Columns,
            reasons: vec!["kept: it was not asked before".to_owned()],
            cost,
            queued: Duration::from_nanos(5),
        };
        let mut out = Vec::new();
        explain(
            &mut out,
            &Explained { pieces: vec![piece.clone(), ExplainedPiece { shard: None, ..piece }] },
        );
        let text = String::from_utf8(out).unwrap();
        let one = concat!(
            r#"{"question":"logs","query":"{a=\"<b>\"}","start":"1","end":"2","shard":SHARD,"path":"columns","#,
            r#""why_not_faster":["kept: it was not asked before"],"#,
            r#""ingesters":{"asked":0,"batches":0,"rows":0,"bytes":0},"#,
            r#""plan":{"segments":3,"segments_with_chunks":2,"chunks":100,"skipped_by_time":40,"#,
            r#""skipped_by_streams":20,"skipped_by_filters":30,"planned":10,"skipped_by_limit":6},"#,
            r#""read":{"chunks":4,"pages":0,"bytes":0,"pages_from_cache":0,"bytes_from_cache":0,"#,
            r#""decompressed_bytes":0},"rows":{"looked_at":7,"after_filters":0,"duplicates":0},"#,
            r#""nanoseconds":{"queued":5,"waited":0,"planned":0,"fetched":0,"run":0}}"#,
        );
        let (first, second) = (one.replace("SHARD", r#""1_of_4""#), one.replace("SHARD", "null"));
        assert_eq!(text, format!(r#"{{"pieces":[{first},{second}]}}"#));
    }
}
