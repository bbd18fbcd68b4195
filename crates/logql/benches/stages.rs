//! How fast single stages go through lines of the kinds that services write. Prints the best of several
//! rounds in megabytes of lines and millions of rows a second.

#![expect(clippy::print_stdout, reason = "the figures are the program's only purpose")]
#![expect(clippy::disallowed_methods, reason = "a benchmark reads the clock that it measures with")]

use std::hint::black_box;
use std::time::Instant;

use larch_logql::LevelDetector;
use larch_logql::stage::{
    Comparison, Decolorize, DropLabels, Hints, Json, JsonPath, JsonPaths, KeepLabels, LabelFilter,
    LabelFormat, LabelFormatItem, LineFilter, LineFilterOp, LineFormat, LineOperand, Logfmt, LogfmtFlags,
    LogfmtKeys, Pattern, PatternPart, Pipeline, Quantity, Regexp, Row, Selected, Stage, StageError, Unpack,
};
use larch_types::{Labels, MatchOp, Timestamp};

const ROUNDS: u32 = 15;
const ROWS: usize = 4_000;

/// What the rows of one measurement look like.
struct Lines {
    json: Vec<String>,
    logfmt: Vec<String>,
    access: Vec<String>,
    packed: Vec<String>,
    colored: Vec<String>,
}

fn lines() -> Lines {
    let levels = ["info", "info", "info", "warn", "error"];
    let mut all = Lines { json: vec![], logfmt: vec![], access: vec![], packed: vec![], colored: vec![] };
    for row in 0..ROWS {
        let (level, id) = (levels[row % 5], row.wrapping_mul(2_654_435_761) % 1_000_000);
        let (path, status) = (["/api/v1/cart", "/api/v1/users/42", "/healthz"][row % 3], 200 + row % 4 * 100);
        all.json.push(format!(
            r#"{{"ts":"2026-10-01T12:{:02}:{:02}.123Z","level":"{level}","msg":"request \"done\"","caller":"http/server.go:214","trace_id":"4bf92f3577b34da6a3ce929d{id:08}","http":{{"method":"GET","path":"{path}","status":{status}}},"duration_ms":{}.5,"tags":["a","b"]}}"#,
            row / 60 % 60, row % 60, id % 900,
        ));
        all.logfmt.push(format!(
            r#"ts=2026-10-01T12:{:02}:{:02}.123Z level={level} caller=http/server.go:214 msg="request done" trace_id=4bf92f3577b34da6a3ce929d{id:08} method=GET path={path} status={status} duration={}ms size={}KB"#,
            row / 60 % 60, row % 60, id % 900, id % 77,
        ));
        all.access.push(format!(
            r#"10.{}.{}.7 - bob [01/Oct/2026:12:{:02}:{:02} +0000] "GET {path}?id={id} HTTP/1.1" {status} {} "-" "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36""#,
            row % 250, row % 99, row / 60 % 60, row % 60, id % 9000,
        ));
        all.packed.push(format!(
            r#"{{"pod":"cart-{id}","namespace":"shop","_entry":"level={level} method=GET path={path} status={status} msg=\"request done\""}}"#,
        ));
        all.colored.push(format!(
            "\u{1b}[32m2026-10-01\u{1b}[0m \u{1b}[1;31m{level}\u{1b}[0m request {id} to {path} took \u{1b}[33m{}ms\u{1b}[0m",
            id % 900,
        ));
    }
    all
}

fn filter(op: LineFilterOp, texts: &[&str]) -> Result<Stage, StageError> {
    let operands: Vec<_> = texts.iter().map(|text| LineOperand::Text(text.as_bytes().to_vec())).collect();
    Ok(Stage::LineFilter(LineFilter::new(op, &operands)?))
}

/// `<name>` is a capture and `<_>` a gap.
fn parts(pattern: &[&str]) -> Vec<PatternPart> {
    let part = |text: &&str| match text.strip_prefix('<').and_then(|text| text.strip_suffix('>')) {
        Some("_") => PatternPart::Unnamed,
        Some(name) => PatternPart::Capture(name.to_owned()),
        None => PatternPart::Literal(text.as_bytes().to_vec()),
    };
    pattern.iter().map(part).collect()
}

fn logfmt() -> Stage {
    Stage::Logfmt(Logfmt::new(LogfmtFlags::default(), Hints::all()))
}

fn measure_filters(lines: &Lines) -> Result<(), StageError> {
    use LineFilterOp::{Contains, Fits, Matches};
    let gaps = LineOperand::Pattern(parts(&["<_>", "level=error", "<_>", "status=500", "<_>"]));
    let ip = LineOperand::Ip("10.0.0.0/9".to_owned());
    for (name, rows, stage) in [
        ("|= word", &lines.logfmt, filter(Contains, &["level=error"])?),
        ("|= absent", &lines.logfmt, filter(Contains, &["OutOfMemory"])?),
        ("|= three words", &lines.logfmt, filter(Contains, &["OutOfMemory", "panic", "level=error"])?),
        ("|~ words", &lines.logfmt, filter(Matches, &["OutOfMemory|panic|level=error"])?),
        ("|~ gap", &lines.logfmt, filter(Matches, &["level=error.*status=5"])?),
        ("|~ classes", &lines.logfmt, filter(Matches, &[r"status=5\d\d"])?),
        ("|~ any case", &lines.logfmt, filter(Matches, &["(?i)LEVEL=ERROR"])?),
        ("|> gaps", &lines.logfmt, Stage::LineFilter(LineFilter::new(Fits, &[gaps])?)),
        ("|= ip", &lines.access, Stage::LineFilter(LineFilter::new(Contains, &[ip])?)),
    ] {
        measure(name, rows, vec![stage]);
    }
    Ok(())
}

fn measure_parsers(lines: &Lines) -> Result<(), StageError> {
    let all = Hints::all;
    let path = |name: &str, path: &str| JsonPath::parse(path).map(|path| (name.to_owned(), path));
    let paths = vec![path("status", "http.status")?, path("tag", "tags[1]")?];
    let keys = vec![("status".to_owned(), "status".to_owned()), ("size".to_owned(), "size".to_owned())];
    let access = parts(&[
        "<ip>", " - ", "<_>", " [", "<time>", "] \"", "<method>", " ", "<path>", " ", "<_>", "\" ",
        "<status>", " ",
    ]);
    let groups = r#"^(?P<ip>\S+) \S+ (?P<user>\S+) \[(?P<time>[^\]]+)\] "(?P<method>\w+) (?P<path>\S+)"#;
    for (name, rows, stage) in [
        ("json", &lines.json, Stage::Json(Json::new(all()))),
        ("json, one needed", &lines.json, Stage::Json(Json::new(Hints::only(&["http_status"])))),
        ("json, paths", &lines.json, Stage::JsonPaths(JsonPaths::new(paths, all()))),
        ("logfmt", &lines.logfmt, logfmt()),
        (
            "logfmt, keys",
            &lines.logfmt,
            Stage::LogfmtKeys(LogfmtKeys::new(LogfmtFlags::default(), keys, all())?),
        ),
        ("pattern", &lines.access, Stage::Pattern(Pattern::new(&access, all()))),
        ("regexp", &lines.access, Stage::Regexp(Box::new(Regexp::new(groups, all())?))),
        ("unpack", &lines.packed, Stage::Unpack(Unpack::new(all()))),
        ("decolorize", &lines.colored, Stage::Decolorize(Decolorize)),
        ("decolorize, plain", &lines.logfmt, Stage::Decolorize(Decolorize)),
    ] {
        measure(name, rows, vec![stage]);
    }
    Ok(())
}

/// Each behind `logfmt`, which takes its part of the time.
fn measure_labels(lines: &Lines) -> Result<(), StageError> {
    let number = LabelFilter::quantity("status", Comparison::GreaterOrEqual, Quantity::Number(500.0));
    let size = LabelFilter::quantity("size", Comparison::Greater, Quantity::Bytes(30_000));
    let both = LabelFilter::and(vec![LabelFilter::text("level", MatchOp::Regex, "warn|error")?, number]);
    let selected = || ["ts", "caller", "trace_id"].map(|name| Selected::Name(name.into())).to_vec();
    let rename = LabelFormatItem::Rename { to: "code".to_owned(), from: "status".to_owned() };
    let make = LabelFormatItem::Template { to: "call".to_owned(), text: "{{.method}} {{.path}}".to_owned() };
    for (name, stage) in [
        ("label filter, text", Stage::LabelFilter(LabelFilter::text("level", MatchOp::Equal, "error")?)),
        ("label filter, both", Stage::LabelFilter(both)),
        ("label filter, size", Stage::LabelFilter(size)),
        ("line_format", Stage::LineFormat(LineFormat::new("{{.method}} {{.path}} {{.status}}")?)),
        (
            "line_format, calls",
            Stage::LineFormat(LineFormat::new(
                r#"{{.method | lower}} {{if eq .level "error"}}!{{end}}{{printf "%-20s" .path}}"#,
            )?),
        ),
        ("label_format", Stage::LabelFormat(LabelFormat::new(&[rename, make])?)),
        ("drop", Stage::Drop(DropLabels::new(selected()))),
        ("keep", Stage::Keep(KeepLabels::new(selected()))),
    ] {
        measure(&format!("logfmt, {name}"), &lines.logfmt, vec![logfmt(), stage]);
    }
    Ok(())
}

/// Runs the stages on all rows.
fn measure(name: &str, rows: &[String], stages: Vec<Stage>) {
    let pipeline = Pipeline::new(stages);
    let stream = Labels::default();
    let mut row = Row::new(Timestamp::EPOCH);
    report(name, rows, |line| {
        row.load(&stream, Timestamp::EPOCH, line.as_bytes());
        if black_box(pipeline.run(&mut row)) {
            black_box(row.line());
        }
    });
}

fn report<'l>(name: &str, rows: &'l [String], mut run: impl FnMut(&'l str)) {
    let bytes: usize = rows.iter().map(String::len).sum();
    let mut best = f64::INFINITY;
    for _ in 0..ROUNDS {
        let start = Instant::now();
        for line in rows {
            run(black_box(line));
        }
        best = best.min(start.elapsed().as_secs_f64());
    }
    println!("{name:<30} {:>8.0} {:>8.2}", bytes as f64 / best / 1e6, rows.len() as f64 / best / 1e6);
}

fn main() -> Result<(), StageError> {
    println!("{:<30} {:>8} {:>8}", "stage", "MB/s", "Mrows/s");
    let lines = lines();
    measure_filters(&lines)?;
    measure_parsers(&lines)?;
    measure_labels(&lines)?;
    let detector = LevelDetector::new(&["level", "severity", "lvl"], 2);
    for (name, rows) in [("json", &lines.json), ("logfmt", &lines.logfmt), ("text", &lines.access)] {
        report(&format!("level, {name}"), rows, |line| {
            black_box(detector.of_row(None, |_| None, line.as_bytes()));
        });
    }
    Ok(())
}
