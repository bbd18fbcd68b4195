//! `detected_level`: the level of a row, from what labels, metadata or the line say.

use std::borrow::Cow;

use aho_corasick::{AhoCorasick, MatchKind};
use larch_types::Labels;

use crate::discover::normalized_name;
use crate::stage::{LogfmtReader, Members, ValueKind};

const DETECTED_LEVEL: &str = "detected_level";
const SEVERITY_NUMBER: &str = "severity_number";
const UNKNOWN: &str = "unknown";

/// Words that a line is searched for.
const WORDS: [&str; 9] = ["trace", "debug", "fatal", "critical", "error", "err", "warning", "warn", "info"];

/// What may stand before a word, and behind it.
const BEFORE: &[u8] = b" \t\n[({\"'=|";
const BEHIND: &[u8] = b" \t\n[](){}:,!\"'=|";

/// Objects inside one another, if the tenant sets no bound.
const MAX_DEPTH: usize = 128;

/// Finds levels by one tenant's settings.
#[derive(Debug, Clone)]
pub struct LevelDetector {
    /// Names of fields, most important first.
    fields: Vec<Box<str>>,
    /// As metadata has them.
    normal_fields: Vec<Box<str>>,
    json_depth: usize,
    words: Option<AhoCorasick>,
}

impl LevelDetector {
    /// A depth of 0 or less is no bound.
    pub fn new(fields: &[impl AsRef<str>], json_max_depth: i64) -> Self {
        let normal = |field: &str| normalized_name(field).map_or_else(|_| field.into(), Into::into);
        // Nine short words always make an automaton; without one no word is found.
        let words = AhoCorasick::builder()
            .ascii_case_insensitive(true)
            .match_kind(MatchKind::LeftmostLongest)
            .build(WORDS)
            .ok();
        Self {
            fields: fields.iter().map(|field| field.as_ref().into()).collect(),
            normal_fields: fields.iter().map(|field| normal(field.as_ref())).collect(),
            json_depth: usize::try_from(json_max_depth).ok().filter(|depth| *depth > 0).unwrap_or(MAX_DEPTH),
            words,
        }
    }

    /// What the labels of a stream say for all of its rows: a known level, or the value as it is.
    pub fn of_stream<'r>(&self, labels: &'r Labels) -> Option<&'r str> {
        self.fields.iter().find_map(|field| labels.get(field)).map(known_or_raw)
    }

    /// The level of a row. `of_stream` is what was found for its stream; `metadata` gives the value of a
    /// normalised name.
    pub fn of_row<'r>(
        &self,
        of_stream: Option<&'r str>,
        metadata: impl Fn(&str) -> Option<&'r str>,
        line: &[u8],
    ) -> &'r str {
        let given = |name: &str| metadata(name).filter(|value| !value.is_empty());
        if let Some(level) = given(DETECTED_LEVEL) {
            return known_or_raw(level);
        }
        if let Some(level) = of_stream {
            return level;
        }
        if let Some(level) = self.normal_fields.iter().find_map(|field| given(field)) {
            return known_or_raw(level);
        }
        if let Some(number) = given(SEVERITY_NUMBER) {
            return of_severity(number);
        }
        self.of_line(line)
    }

    fn of_line(&self, line: &[u8]) -> &'static str {
        let trimmed = line.trim_ascii();
        let is_object = trimmed.first() == Some(&b'{') && trimmed.last() == Some(&b'}');
        let value = if is_object {
            self.in_json(trimmed, 1)
        } else if memchr::memchr(b'=', line).is_some() {
            self.in_logfmt(line)
        } else {
            None
        };
        if let Some(level) = value.and_then(|value| known(&value)) {
            return level;
        }
        self.in_text(line)
    }

    /// The first member with one of the names that is a text.
    fn in_json<'l>(&self, text: &'l [u8], depth: usize) -> Option<Cow<'l, [u8]>> {
        let mut members = Members::new(text).ok()?;
        while let Ok(Some((key, _))) = members.key() {
            let value = members.value().ok()?;
            match value.kind {
                ValueKind::String if self.fields.iter().any(|field| field.as_bytes() == key) => {
                    return Some(Cow::Borrowed(value.text));
                }
                ValueKind::Object if depth < self.json_depth.min(MAX_DEPTH) => {
                    if let Some(found) = self.in_json(value.text, depth + 1) {
                        return Some(found);
                    }
                }
                _ => {}
            }
            members.advance().ok()?;
        }
        None
    }

    /// The pair whose key, in any case, is first in the list. Damage ends the search.
    fn in_logfmt<'l>(&self, line: &'l [u8]) -> Option<Cow<'l, [u8]>> {
        let mut best = self.fields.len();
        let mut found = None;
        let mut reader = LogfmtReader::new(line);
        while let Some(Ok((key, value))) = reader.next() {
            let rank = self.fields.iter().position(|field| field.as_bytes().eq_ignore_ascii_case(key));
            if let Some(rank) = rank.filter(|rank| *rank < best) {
                best = rank;
                found = Some(value);
                if rank == 0 {
                    break;
                }
            }
        }
        found
    }

    /// The first of the words that stands by itself.
    fn in_text(&self, line: &[u8]) -> &'static str {
        let Some(words) = &self.words else {
            return UNKNOWN;
        };
        for found in words.find_iter(line) {
            let before = found.start().checked_sub(1).is_none_or(|at| BEFORE.contains(&line[at]));
            let behind = line.get(found.end()).is_none_or(|byte| BEHIND.contains(byte));
            if before && behind {
                return known(WORDS[found.pattern().as_usize()].as_bytes()).unwrap_or(UNKNOWN);
            }
        }
        UNKNOWN
    }
}

/// The level that a word means, in any case.
fn known(word: &[u8]) -> Option<&'static str> {
    let mut lower = [0; 11];
    let lower = lower.get_mut(..word.len())?;
    lower.copy_from_slice(word);
    lower.make_ascii_lowercase();
    match &*lower {
        b"trace" | b"trc" => Some("trace"),
        b"debug" | b"dbg" => Some("debug"),
        b"info" | b"inf" | b"information" => Some("info"),
        b"warn" | b"wrn" | b"warning" => Some("warn"),
        b"error" | b"err" => Some("error"),
        b"critical" => Some("critical"),
        b"fatal" => Some("fatal"),
        _ => None,
    }
}

fn known_or_raw(value: &str) -> &str {
    known(value.as_bytes()).unwrap_or(value)
}

/// The numbers of OpenTelemetry.
fn of_severity(number: &str) -> &'static str {
    match number.parse::<i64>() {
        Err(_) => "info",
        Ok(1..=4) => "trace",
        Ok(5..=8) => "debug",
        Ok(9..=12) => "info",
        Ok(13..=16) => "warn",
        Ok(17..=20) => "error",
        Ok(21..=24) => "fatal",
        Ok(_) => UNKNOWN,
    }
}

/// Any bytes as a line.
pub fn fuzz_level(line: &[u8]) {
    let detector = LevelDetector::new(&["level", "log.level"], 0);
    let level = detector.of_row(None, |_| None, line);
    assert!(level == UNKNOWN || known(level.as_bytes()) == Some(level), "only levels that are known");
}

#[cfg(test)]
mod tests {
    use super::*;

    const FIELDS: [&str; 14] = [
        "level",
        "LEVEL",
        "Level",
        "log.level",
        "severity",
        "SEVERITY",
        "Severity",
        "SeverityText",
        "lvl",
        "LVL",
        "Lvl",
        "severity_text",
        "Severity_Text",
        "SEVERITY_TEXT",
    ];

    #[track_caller]
    fn check(labels: &[(&str, &str)], metadata: &[(&str, &str)], line: &str, want: &str) {
        let labels = Labels::from_pairs(labels.iter().copied()).unwrap();
        let detector = LevelDetector::new(&FIELDS, 2);
        let get = |name: &str| metadata.iter().find(|(known, _)| *known == name).map(|(_, value)| *value);
        let level = detector.of_row(detector.of_stream(&labels), get, line.as_bytes());
        assert_eq!(level, want, "{labels} {metadata:?} {line}");
    }

    #[test]
    fn from_the_line() {
        for (line, want) in [
            (r#"{"level":"WARN","msg":"x"}"#, "warn"),
            (r#"{"level":"notice","msg":"an error occurred"}"#, "error"),
            (r#"{"log":{"level":"dbg"}}"#, "debug"),
            (r#"{"a":{"b":{"level":"dbg"}}}"#, "unknown"),
            (r#"{"a":{"b":{"level":"error"}}}"#, "error"),
            (r#"{"level":30}"#, "unknown"),
            (r#"{"Level":"Error"}"#, "error"),
            (r#"{"leVel":"dbg"}"#, "unknown"),
            (r#"{"severity":"dbg","level":"trc"}"#, "debug"),
            (r#"{"broken": "level":"error""#, "error"),
            (r#" {"lvl":"inf"} "#, "info"),
            ("ts=1 lvl=ERR msg=\"info here\"", "error"),
            ("msg=\"this is info\" n=1", "info"),
            ("severity=dbg level=trc", "trace"),
            ("level=dbg level=trc", "debug"),
            ("LeVeL=dbg", "debug"),
            ("level=\"info\"", "info"),
            ("level=", "unknown"),
            ("level=w", "unknown"),
            ("err=nil level=unknownlevel", "error"),
            ("severity_number=17", "unknown"),
            ("2026-01-01 [WARNING] disk", "warn"),
            ("warning: disk", "warn"),
            ("WARN WARN ERROR", "warn"),
            ("errors then error", "error"),
            ("eRRoR", "error"),
            ("critical failure", "critical"),
            ("no level here", "unknown"),
            ("terror alert", "unknown"),
            ("GET /error HTTP/1.1", "unknown"),
            ("misc:error", "unknown"),
            ("error.", "unknown"),
            ("debugging symbols", "unknown"),
            ("\u{1b}[31mERROR\u{1b}[0m", "unknown"),
            ("", "unknown"),
        ] {
            check(&[], &[], line, want);
        }
    }

    #[test]
    fn from_labels_and_metadata() {
        let line = "an error line";
        for (labels, metadata, want) in [
            (&[][..], &[("severity", "warn")][..], "warn"),
            (&[], &[("detected_level", "DBG"), ("level", "info")], "debug"),
            (&[], &[("detected_level", "odd")], "odd"),
            (&[], &[("severity_number", "17")], "error"),
            (&[], &[("severity_number", "x")], "info"),
            (&[], &[("severity_number", "0")], "unknown"),
            (&[], &[("severity_number", "25")], "unknown"),
            (&[], &[("severity_number", "9"), ("severity_text", "Notice")], "Notice"),
            (&[], &[("lvl", "crit")], "crit"),
            (&[], &[("level", "")], "error"),
            (&[], &[("log_level", "inf")], "info"),
            (&[("severity", "ERROR")], &[("level", "info")], "error"),
            (&[("level", "odd")], &[], "odd"),
            (&[("level", "odd")], &[("detected_level", "info")], "info"),
            (&[("lvl", "warn"), ("Level", "x")], &[], "x"),
        ] {
            check(labels, metadata, line, want);
        }
    }

    #[test]
    fn depth_may_be_unlimited() {
        let deep = format!("{}{{\"level\":\"dbg\"}}{}", "{\"a\":".repeat(20), "}".repeat(20));
        let level = |depth: i64| LevelDetector::new(&FIELDS, depth).of_row(None, |_| None, deep.as_bytes());
        assert_eq!((level(2), level(0), level(-1)), ("unknown", "debug", "debug"));
    }
}
