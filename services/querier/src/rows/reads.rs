//! Which rows a query needs: for each of its selectors the range, and texts without which no line counts.

use bytes::Bytes;
use larch_logql::{Expr, LineOp, LineOperand, LogExpr, Required, Scan, Stage, Steps, scans};
use larch_proto::{Direction, Needle, NeedleGroup, Selector};
use larch_types::{Span, Timestamp};

/// Rows of the selected streams in a range of time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Read {
    /// Every stream, if there is none.
    pub(crate) any_of: Vec<Selector>,
    /// Included.
    pub(crate) start: Timestamp,
    /// Not included.
    pub(crate) end: Timestamp,
    /// A row that does not meet all of them cannot count.
    pub(crate) needles: Vec<NeedleGroup>,
    pub(crate) direction: Direction,
    /// 0: all rows.
    pub(crate) limit: u64,
}

/// The one read of a log query. It is limited only if every row that meets the needles is shown.
pub(crate) fn log_read(
    log: &LogExpr,
    (start, end): (Timestamp, Timestamp),
    direction: Direction,
    limit: u64,
) -> Read {
    let limit = if needles_decide(log) { limit } else { 0 };
    Read {
        any_of: vec![Selector { matchers: log.matchers.clone() }],
        start,
        end,
        needles: log_needles(log),
        direction,
        limit,
    }
}

pub(crate) fn log_needles(log: &LogExpr) -> Vec<NeedleGroup> {
    let expr = Expr::Log(log.clone());
    scans(&expr).into_iter().flat_map(|scan| groups(scan.needles)).collect()
}

/// Whether no stage drops a row that has the needles.
fn needles_decide(log: &LogExpr) -> bool {
    let mut is_stored_line = true;
    for stage in &log.pipeline {
        match stage {
            Stage::LineFilter(filter) => {
                // Alternatives are not looked for if there are many of them.
                let is_plain = matches!(filter.operands.as_slice(), [LineOperand::Text(_)]);
                if !is_stored_line || filter.op != LineOp::Contains || !is_plain {
                    return false;
                }
            }
            Stage::LabelFilter(_) => return false,
            Stage::LineFormat(_) | Stage::Unpack | Stage::Decolorize => is_stored_line = false,
            Stage::Json(_)
            | Stage::Logfmt(_)
            | Stage::Regexp(_)
            | Stage::Pattern(_)
            | Stage::LabelFormat(_)
            | Stage::Drop(_)
            | Stage::Keep(_) => {}
        }
    }
    true
}

/// A read, and the numbers of the ranges of the query that it serves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct RangeRead {
    pub(crate) read: Read,
    pub(crate) ranges: Vec<usize>,
}

/// The reads of a metric query: those of its windows that lie inside the piece. Ranges of one selector that
/// overlap are read once, so that every range is served by one read.
pub(crate) fn metric_reads(
    expr: &Expr,
    steps: Steps,
    (start, end): (Timestamp, Timestamp),
) -> Vec<RangeRead> {
    let mut reads: Vec<RangeRead> = Vec::new();
    let windows = scans(expr).into_iter().map(|scan| window_read(&scan, steps));
    let mut found: Vec<(usize, Read)> = windows.enumerate().collect();
    found.sort_by_key(|(_, read)| read.start);
    for (range, mut read) in found {
        read.start = read.start.max(start);
        read.end = read.end.min(end);
        if read.start >= read.end {
            continue;
        }
        let same = |known: &&mut RangeRead| known.read.any_of == read.any_of && read.start <= known.read.end;
        match reads.iter_mut().find(same) {
            None => reads.push(RangeRead { read, ranges: vec![range] }),
            Some(known) => {
                known.ranges.push(range);
                known.read.end = known.read.end.max(read.end);
                if known.read.needles != read.needles {
                    known.read.needles = Vec::new();
                }
            }
        }
    }
    reads
}

/// Rows in (t − offset − range, t − offset] for the first to the last t.
fn window_read(scan: &Scan<'_>, steps: Steps) -> Read {
    const NEXT: Span = Span::from_nanos(1);
    Read {
        any_of: vec![Selector { matchers: scan.matchers.to_vec() }],
        start: steps.start().minus(scan.offset).minus(scan.range).plus(NEXT),
        end: steps.end().minus(scan.offset).plus(NEXT),
        needles: groups(scan.needles.clone()),
        direction: Direction::Forward,
        limit: 0,
    }
}

fn groups(required: Required) -> Vec<NeedleGroup> {
    let mut groups = Vec::with_capacity(required.0.len());
    for any in required.0 {
        let needle = |needle: larch_logql::Needle| Needle {
            text: Bytes::from(needle.bytes.into_vec()),
            ignore_case: needle.ignore_ascii_case,
        };
        groups.push(NeedleGroup { any_of: any.0.into_iter().map(needle).collect() });
    }
    groups
}

#[cfg(test)]
mod tests {
    use larch_logql::{parse, parse_log};

    use super::*;

    const SECOND: Span = Span::from_secs(1);

    fn at(second: i64) -> Timestamp {
        Timestamp::from_secs(second)
    }

    #[test]
    fn log_queries_are_limited_where_needles_decide() {
        for (query, needles, limited) in [
            (r#"{a="1"}"#, 0, true),
            (r#"{a="1"} |= "x" |= "y""#, 2, true),
            (r#"{a="1"} |= """#, 0, true),
            (r#"{a="1"} | json |= "x" | line_format "{{.a}}" | drop b"#, 1, true),
            (r#"{a="1"} |= "x" or "y""#, 1, false),
            (r#"{a="1"} |= "x" | line_format "z" |= "z""#, 1, false),
            (r#"{a="1"} |= "x" | level="error""#, 1, false),
            (r#"{a="1"} != "x""#, 0, false),
            (r#"{a="1"} |~ "x+""#, 1, false),
            (r#"{a="1"} |= ip("1.2.3.4")"#, 0, false),
        ] {
            let log = parse_log(query).unwrap();
            let read = log_read(&log, (at(1), at(2)), Direction::Backward, 7);
            assert_eq!(read.needles.len(), needles, "{query}");
            assert_eq!(read.limit, if limited { 7 } else { 0 }, "{query}");
        }
    }

    #[test]
    fn metric_queries_read_their_windows() {
        let check = |query: &str, want: &[(&str, i64, i64, usize)]| {
            let steps = Steps::range(at(1000), at(1100), SECOND).unwrap();
            let expr = parse(query).unwrap();
            let mut found = Vec::new();
            let (reads, mut served) = (metric_reads(&expr, steps, (at(0), at(5000))), Vec::new());
            for RangeRead { read, ranges } in reads {
                served.extend(ranges);
                let [selector] = read.any_of.as_slice() else { panic!("{query}: one selector") };
                let name = selector.matchers[0].value.clone();
                // Windows leave out their first instant and hold their last.
                let nanos = |time: Timestamp| time.minus(Span::from_nanos(1)).nanos() / 1_000_000_000;
                assert_eq!(read.start.nanos() % 1_000_000_000, 1, "{query}");
                found.push((name, nanos(read.start), nanos(read.end), read.needles.len()));
            }
            let found: Vec<_> = found.iter().map(|(n, s, e, c)| (n.as_str(), *s, *e, *c)).collect();
            assert_eq!(found, want, "{query}");
            served.sort_unstable();
            assert_eq!(served, (0..scans(&expr).len()).collect::<Vec<_>>(), "{query}");
        };
        check(r#"rate({a="x"} |= "n" [10s])"#, &[("x", 990, 1100, 1)]);
        check(r#"rate({a="x"}[10s] offset 5s)"#, &[("x", 985, 1095, 0)]);
        check(r#"rate({a="x"}[10s] offset -5s)"#, &[("x", 995, 1105, 0)]);
        check(r#"rate({a="x"}[10s]) / rate({a="y"}[20s])"#, &[("y", 980, 1100, 0), ("x", 990, 1100, 0)]);
        check(r#"rate({a="x"} |= "n" [10s]) / rate({a="x"}[20s])"#, &[("x", 980, 1100, 0)]);
        check(r#"rate({a="x"} |= "n" [10s]) / rate({a="x"} |= "n" [20s])"#, &[("x", 980, 1100, 1)]);
        check(
            r#"rate({a="x"}[1s]) / rate({a="x"}[1s] offset 10m)"#,
            &[("x", 399, 500, 0), ("x", 999, 1100, 0)],
        );
        check("vector(1)", &[]);
        let expr = parse(r#"rate({a="x"}[10s])"#).unwrap();
        let steps = Steps::at(at(1000));
        let read = &metric_reads(&expr, steps, (at(995), at(998)))[0].read;
        assert_eq!((read.start, read.end), (at(995), at(998)), "the piece bounds it");
        assert_eq!(metric_reads(&expr, steps, (at(0), at(5))), []);
    }
}
