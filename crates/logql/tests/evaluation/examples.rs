//! A table of queries and what they give.

use std::collections::HashMap;

use larch_logql::{
    Direction, EvalLimits, LogParams, MetricAnswer, Steps, check_stages, parse, parse_selector,
};
use larch_types::{Labels, Span, Timestamp};

use crate::rows::{Answer, LIMITS, OwnedRow, evaluate};

const TABLE: &str = include_str!("examples.txt");

/// Stands for three series with the values 1, 2 and 4.
const V: &str = "count_over_time({z=~\".+\"}[10s])";

#[test]
fn examples() {
    let mut rows: HashMap<String, Vec<OwnedRow>> = HashMap::new();
    let mut cases = 0;
    let mut wrong = Vec::new();
    for block in TABLE.split("\n\n") {
        let mut lines = block.lines();
        let head = lines.next().expect("a block");
        if let Some(name) = head.strip_prefix("rows ") {
            let read = lines.enumerate().map(|(index, line)| row(index, line)).collect();
            rows.insert(name.to_owned(), read);
        } else if let Some(head) = head.strip_prefix("case ") {
            let (queries, want): (Vec<&str>, Vec<&str>) =
                lines.partition(|line| !line.starts_with(['=', '!']));
            let case = Case::new(head);
            let rows = rows.get(&case.rows).expect(head);
            for query in join_comments(&queries) {
                wrong.extend(check(&case, &query, rows, &want));
            }
            cases += 1;
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(cases > 100, "only {cases} cases were found");
}

/// None if the query gives what it should.
fn check(case: &Case, query: &str, rows: &[OwnedRow], want: &[&str]) -> Option<String> {
    let query = unquoted(query).replace("$V", V);
    let found = match answer(case, &query, rows) {
        Ok(answer) => rendered(answer),
        // The first line says it all.
        Err(error) => vec![format!("! {}", error.lines().next().unwrap_or_default())],
    };
    (found != want).then(|| format!("{}: {query}\n  found  {found:?}\n  wanted {want:?}", case.id))
}

fn answer(case: &Case, query: &str, rows: &[OwnedRow]) -> Result<Answer, String> {
    let expr = parse(query).map_err(|error| error.to_string())?;
    check_stages(&expr).map_err(|error| error.to_string())?;
    evaluate(&expr, case.logs, case.steps, &case.limits, rows).map_err(|error| error.to_string())
}

struct Case {
    id: String,
    rows: String,
    logs: LogParams,
    steps: Steps,
    limits: EvalLimits,
}

impl Case {
    /// `T1 on rows from 0 to 10 step 2 aligned forward limit 3 interval 10 series 2 longest 3600`.
    fn new(head: &str) -> Self {
        let words: Vec<&str> = head.split(' ').collect();
        let word = |key: &str| words.iter().position(|word| *word == key).map(|at| words[at + 1]);
        let number = |key: &str| word(key).map(|word| word.parse::<i64>().expect(head));
        let time = |key: &str| number(key).map(Timestamp::from_secs);
        let limit = usize::try_from(number("limit").unwrap_or(100)).expect(head);
        let direction = if words.contains(&"forward") { Direction::Forward } else { Direction::Backward };
        let (logs, steps) = if let Some(at) = time("at") {
            (LogParams::at(at, limit, at), Steps::at(at))
        } else {
            let (start, end) = (time("from").expect(head), time("to").expect(head));
            let interval = Span::from_secs(number("interval").unwrap_or(0));
            let logs = LogParams { start, end, direction, limit, interval, now: end };
            let step = Span::from_secs(number("step").unwrap_or(1));
            (logs, Steps::range(start, end, step).expect(head))
        };
        let steps = if words.contains(&"aligned") { steps.aligned() } else { steps };
        let limits = EvalLimits {
            max_series: number("series").map_or(LIMITS.max_series, |series| series as usize),
            max_range: number("longest").map(Span::from_secs),
            ..LIMITS
        };
        let rows = word("on").unwrap_or("nothing").to_owned();
        Self { id: words[0].to_owned(), rows, logs, steps, limits }
    }
}

/// A line that begins with blanks goes on with the query before it.
fn join_comments(lines: &[&str]) -> Vec<String> {
    let mut queries: Vec<String> = Vec::new();
    for line in lines {
        match queries.last_mut() {
            Some(last) if line.starts_with(' ') => {
                last.push('\n');
                last.push_str(line);
            }
            _ => queries.push((*line).to_owned()),
        }
    }
    queries
}

/// `10 {a="b"} + {c="d"} line`; the rows of a table were pushed in their order.
fn row(index: usize, text: &str) -> OwnedRow {
    let (seconds, rest) = text.split_once(' ').expect(text);
    let (labels, rest) = labels(rest);
    let (metadata, line) = match rest.strip_prefix("+ ") {
        Some(rest) => {
            let (metadata, line) = self::labels(rest);
            (metadata.iter().map(|l| (l.name.to_string(), l.value.to_string())).collect(), line)
        }
        None => (Vec::new(), rest),
    };
    let time = Timestamp::from_secs(seconds.parse().expect(text));
    let row = OwnedRow::new(labels, time, index as u128, unquoted(line).as_bytes());
    OwnedRow { metadata, ..row }
}

/// Up to the first closing brace; values in the table hold none.
fn labels(text: &str) -> (Labels, &str) {
    let (labels, rest) = text.split_at(text.find('}').expect(text) + 1);
    let matchers = parse_selector(labels).expect(labels);
    let pairs = matchers.into_iter().map(|matcher| (matcher.name, matcher.value));
    (Labels::from_pairs(pairs).expect(labels), rest.strip_prefix(' ').unwrap_or(rest))
}

fn unquoted(text: &str) -> String {
    if text.starts_with('"') { serde_json::from_str(text).expect(text) } else { text.to_owned() }
}

fn rendered(answer: Answer) -> Vec<String> {
    let seconds = |time: Timestamp| time.nanos() / 1_000_000_000;
    let mut out = Vec::new();
    match answer {
        Answer::Numbers(MetricAnswer::Scalar(value)) => out.push(format!("= scalar {value}")),
        Answer::Numbers(MetricAnswer::Vector(samples)) => {
            for sample in samples {
                out.push(format!("= {} {}", sample.labels, sample.value));
            }
        }
        Answer::Numbers(MetricAnswer::Matrix(series)) => {
            for series in series {
                let point = |(time, value): &(Timestamp, f64)| format!(" {}:{value}", seconds(*time));
                let points: String = series.points.iter().map(point).collect();
                out.push(format!("= {}{points}", series.labels));
            }
        }
        Answer::Rows(rows) => {
            for row in rows {
                let line = String::from_utf8_lossy(&row.line).into_owned();
                let line = if line.contains('\n') { format!("{line:?}") } else { line };
                out.push(format!("= {} {} {line}", row.labels.all(), seconds(row.timestamp)));
            }
        }
    }
    out
}
