//! Commands that ask a server: `query`, `instant`, `labels`, `series`, `explain`.

use std::fmt::Write;

use serde_json::Value;

use crate::Failure;
use crate::http::{Server, get};

/// Which of the commands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Command {
    Query,
    Instant,
    Labels,
    Series,
    Explain,
}

/// An option of the command line, the parameter that it is for the server, and who takes it. Values go to the
/// server as they are, which knows what is wrong with them.
const OPTIONS: [(&str, &str, &[Command]); 6] = [
    ("--from", "start", &[Command::Query, Command::Labels, Command::Series, Command::Explain]),
    ("--to", "end", &[Command::Query, Command::Labels, Command::Series, Command::Explain]),
    ("--time", "time", &[Command::Instant]),
    ("--limit", "limit", &[Command::Query, Command::Instant, Command::Explain]),
    ("--step", "step", &[Command::Query, Command::Explain]),
    ("--direction", "direction", &[Command::Query, Command::Explain]),
];

/// What the command line says.
#[derive(Debug, Default)]
struct Asked<'a> {
    is_json: bool,
    tenant: Option<&'a str>,
    parameters: Vec<(&'a str, &'a str)>,
    /// The server, and what is asked of it.
    words: Vec<&'a str>,
}

pub(crate) fn run(command: Command, arguments: &[&str]) -> Result<String, Failure> {
    let mut asked = asked(command, arguments)?;
    let (address, words) = asked.words.split_first().ok_or(Failure::Usage)?;
    let path = match (command, words) {
        (Command::Query | Command::Explain, [query]) => {
            asked.parameters.push(("query", query));
            "/loki/api/v1/query_range".to_owned()
        }
        (Command::Instant, [query]) => {
            asked.parameters.push(("query", query));
            "/loki/api/v1/query".to_owned()
        }
        (Command::Series, [selector]) => {
            asked.parameters.push(("match[]", selector));
            "/loki/api/v1/series".to_owned()
        }
        (Command::Labels, []) => "/loki/api/v1/labels".to_owned(),
        (Command::Labels, [name]) => format!("/loki/api/v1/label/{name}/values"),
        _ => return Err(Failure::Usage),
    };
    if command == Command::Explain {
        asked.parameters.push(("explain", "true"));
    }
    let answer = get(&Server { address, tenant: asked.tenant }, &path, &asked.parameters)?;
    if asked.is_json && command != Command::Explain {
        return Ok(answer.trim_end().to_owned());
    }
    let answer: Value = serde_json::from_str(&answer)
        .map_err(|error| Failure::Command(format!("the answer is no JSON: {error}")))?;
    Ok(match command {
        Command::Explain if asked.is_json => answer["data"]["explain"].to_string(),
        Command::Explain => explained(&answer["data"]["explain"]),
        Command::Labels | Command::Series => list(&answer["data"]),
        Command::Query | Command::Instant => result(&answer["data"]),
    })
}

fn asked<'a>(command: Command, arguments: &[&'a str]) -> Result<Asked<'a>, Failure> {
    let mut asked = Asked::default();
    let mut rest = arguments.iter();
    while let Some(argument) = rest.next() {
        let option = OPTIONS.iter().find(|(name, _, _)| name == argument);
        match (*argument, option) {
            ("--json", _) => asked.is_json = true,
            ("--tenant", _) => asked.tenant = Some(rest.next().ok_or(Failure::Usage)?),
            (_, Some((_, parameter, commands))) if commands.contains(&command) => {
                asked.parameters.push((parameter, rest.next().ok_or(Failure::Usage)?));
            }
            (word, _) if word.starts_with("--") => return Err(Failure::Usage),
            (word, _) => asked.words.push(word),
        }
    }
    Ok(asked)
}

/// A line each.
fn list(data: &Value) -> String {
    let lines: Vec<String> = items(data).map(shown).collect();
    lines.join("\n")
}

/// Rows as time, labels, line, in the order of time; samples as series with points below.
fn result(data: &Value) -> String {
    let result = &data["result"];
    let mut lines: Vec<String> = Vec::new();
    match data["resultType"].as_str().unwrap_or_default() {
        "streams" => {
            let mut rows: Vec<(i128, String)> = Vec::new();
            for stream in items(result) {
                for row in items(&stream["values"]) {
                    let time = shown(&row[0]);
                    let text = format!("{time} {} {}", labels(&stream["stream"]), shown(&row[1]));
                    rows.push((time.parse().unwrap_or_default(), text));
                }
            }
            // Rows of one time stay as the server ordered them.
            rows.sort_by_key(|(time, _)| *time);
            lines.extend(rows.into_iter().map(|(_, text)| text));
        }
        "matrix" => {
            for series in items(result) {
                lines.push(labels(&series["metric"]));
                lines.extend(items(&series["values"]).map(point));
            }
        }
        "vector" => {
            for sample in items(result) {
                lines.push(format!("{} {}", labels(&sample["metric"]), point(&sample["value"]).trim_start()));
            }
        }
        _ => lines.push(point(result).trim_start().to_owned()),
    }
    lines.join("\n")
}

fn items(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

/// Texts without their quotes.
fn shown(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

fn labels(value: &Value) -> String {
    let pairs: Vec<String> =
        value.as_object().into_iter().flatten().map(|(name, value)| format!("{name}={value}")).collect();
    format!("{{{}}}", pairs.join(", "))
}

fn point(value: &Value) -> String {
    format!("  {} {}", shown(&value[0]), shown(&value[1]))
}

/// A paragraph for each piece.
fn explained(explain: &Value) -> String {
    let mut out = String::new();
    for (number, piece) in items(&explain["pieces"]).enumerate() {
        let text = |name: &str| shown(&piece[name]);
        let shard = piece["shard"].as_str().map(|shard| format!(", shard {shard}")).unwrap_or_default();
        // Writing to a string does not fail.
        let mut line = |text: String| writeln!(out, "{text}").unwrap_or_default();
        line(format!(
            "{}. {}{shard}, from {} to {}",
            number + 1,
            text("question"),
            text("start"),
            text("end")
        ));
        if piece["query"] != "" {
            line(format!("   {}", text("query")));
        }
        line(format!("   path: {}", text("path")));
        for reason in items(&piece["why_not_faster"]) {
            line(format!("   not by {}", shown(reason)));
        }
        for group in ["ingesters", "plan", "read", "rows", "nanoseconds"] {
            let figures = piece[group].as_object().into_iter().flatten();
            let figures: Vec<String> = figures.map(|(name, figure)| format!("{name} {figure}")).collect();
            line(format!("   {group}: {}", figures.join(", ")));
        }
    }
    out.truncate(out.trim_end().len());
    out
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn options_are_those_of_the_command() {
        let asked = asked(Command::Query, &["host:1", "--from", "5", "{a=\"1\"}", "--json", "--tenant", "t"]);
        let asked = asked.ok().unwrap();
        assert_eq!((asked.words, asked.parameters), (vec!["host:1", "{a=\"1\"}"], vec![("start", "5")]));
        assert_eq!((asked.is_json, asked.tenant), (true, Some("t")));
        for (command, arguments) in [
            (Command::Query, vec!["--time", "5"]),
            (Command::Instant, vec!["--from", "5"]),
            (Command::Labels, vec!["--from"]),
            (Command::Series, vec!["--nothing"]),
        ] {
            assert!(super::asked(command, &arguments).is_err(), "{arguments:?}");
        }
    }

    #[test]
    fn answers_as_text() {
        let streams = json!({"resultType": "streams", "result": [
            {"stream": {"a": "1"}, "values": [["20", "second"]]},
            {"stream": {"a": "2", "b": "x"}, "values": [["10", "first"], ["30", "third"]]},
        ]});
        let want = "10 {a=\"2\", b=\"x\"} first\n20 {a=\"1\"} second\n30 {a=\"2\", b=\"x\"} third";
        assert_eq!(result(&streams), want);
        let matrix = json!({"resultType": "matrix", "result": [
            {"metric": {"a": "1"}, "values": [[5, "1"], [10, "2.5"]]},
        ]});
        assert_eq!(result(&matrix), "{a=\"1\"}\n  5 1\n  10 2.5");
        let vector = json!({"resultType": "vector", "result": [{"metric": {}, "value": [5, "7"]}]});
        assert_eq!(result(&vector), "{} 5 7");
        assert_eq!(result(&json!({"resultType": "scalar", "result": [5, "7"]})), "5 7");
        assert_eq!(list(&json!(["a", {"b": "c"}])), "a\n{\"b\":\"c\"}");
    }
}
