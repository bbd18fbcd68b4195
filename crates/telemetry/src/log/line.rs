//! The text of one line, in logfmt or as a JSON object.
//!
//! Whatever the values hold, a line is one line: control characters, line separators and characters that
//! turn the direction of text are escaped, so that nobody can forge a line or hide one from a reader.

use std::fmt::Write;

use super::fields::{Fields, Value};
use super::layer::LogFormat;

/// Fields beyond this are left out. With it a full queue of lines stays within its bound of memory.
const MAX_LINE_BYTES: usize = 64 * 1024;

/// The keys that every line begins with; fields of these names are shown as `field_…`.
const OWN_KEYS: [&str; 4] = ["ts", "level", "target", "msg"];

pub(crate) struct Line {
    format: LogFormat,
    text: String,
    names: Vec<&'static str>,
}

impl Line {
    pub(crate) fn new(format: LogFormat) -> Self {
        let text = if format == LogFormat::Json { String::from("{") } else { String::new() };
        Self { format, text, names: Vec::new() }
    }

    pub(crate) fn own(&mut self, key: &str, value: &str) {
        self.pair("", key, value, true);
    }

    pub(crate) fn fields(&mut self, fields: &Fields) {
        for (name, value) in &fields.0 {
            self.field(name, value);
        }
    }

    /// A name that the line has already is left out, so the innermost fields are given first.
    pub(crate) fn field(&mut self, name: &'static str, value: &Value) {
        if self.names.contains(&name) || self.text.len() >= MAX_LINE_BYTES {
            return;
        }
        self.names.push(name);
        let prefix = if OWN_KEYS.contains(&name) { "field_" } else { "" };
        match value {
            Value::Text(text) => self.pair(prefix, name, text, true),
            Value::Literal(text) => self.pair(prefix, name, text, false),
        }
    }

    pub(crate) fn finish(mut self) -> String {
        self.text.push_str(if self.format == LogFormat::Json { "}\n" } else { "\n" });
        self.text
    }

    fn pair(&mut self, prefix: &str, key: &str, value: &str, is_text: bool) {
        match self.format {
            LogFormat::Json => {
                if self.text.len() > 1 {
                    self.text.push(',');
                }
                self.text.push('"');
                escape_into(&mut self.text, prefix);
                escape_into(&mut self.text, key);
                self.text.push_str("\":");
                self.value(value, is_text);
            }
            LogFormat::Logfmt => {
                if !self.text.is_empty() {
                    self.text.push(' ');
                }
                self.text.push_str(prefix);
                self.text.extend(key.chars().map(|c| if needs_quotes(c) { '_' } else { c }));
                self.text.push('=');
                self.value(value, value.is_empty() || value.chars().any(needs_quotes));
            }
        }
    }

    fn value(&mut self, value: &str, quoted: bool) {
        if !quoted {
            self.text.push_str(value);
            return;
        }
        self.text.push('"');
        escape_into(&mut self.text, value);
        self.text.push('"');
    }
}

fn needs_quotes(c: char) -> bool {
    matches!(c, ' ' | '=' | '"' | char::REPLACEMENT_CHARACTER) || is_unsafe(c)
}

/// Characters that may end a line, move the cursor or turn the text around it.
fn is_unsafe(c: char) -> bool {
    c.is_control() || matches!(c, '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// JSON's escapes, which readers of logfmt know too.
fn escape_into(out: &mut String, text: &str) {
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            c if is_unsafe(c) => {
                // All of them are in the basic plane, so one group of four digits says it.
                let written = write!(out, "\\u{:04x}", u32::from(c));
                debug_assert!(written.is_ok(), "writing to a string does not fail");
            }
            c => out.push(c),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    fn line(format: LogFormat, fields: Vec<(&'static str, Value)>) -> String {
        let mut line = Line::new(format);
        line.own("level", "info");
        line.fields(&Fields(fields));
        line.finish()
    }

    fn text(value: &str) -> Value {
        Value::Text(value.to_owned())
    }

    #[test]
    fn quotes_only_where_needed() {
        for (value, logfmt) in [
            ("plain", "k=plain"),
            ("", "k=\"\""),
            ("a b", "k=\"a b\""),
            ("a=b", "k=\"a=b\""),
            ("C:\\x", "k=C:\\x"),
            ("C:\\x y", "k=\"C:\\\\x y\""),
            ("say \"hi\"", "k=\"say \\\"hi\\\"\""),
            ("a\nlevel=error", "k=\"a\\nlevel=error\""),
            ("\u{1b}[31m", "k=\"\\u001b[31m\""),
            ("\u{85}\u{2028}\u{202e}", "k=\"\\u0085\\u2028\\u202e\""),
            ("größe", "k=größe"),
        ] {
            assert_eq!(line(LogFormat::Logfmt, vec![("k", text(value))]), format!("level=info {logfmt}\n"));
        }
    }

    #[test]
    fn each_key_once_and_the_own_keys_are_not_taken() {
        let fields =
            vec![("level", text("x")), ("a b", Value::Literal("1".to_owned())), ("a b", text("outer"))];
        assert_eq!(line(LogFormat::Logfmt, fields), "level=info field_level=x a_b=1\n");
        let fields = vec![("ts", Value::Literal("true".to_owned())), ("ts", text("outer"))];
        assert_eq!(line(LogFormat::Json, fields), "{\"level\":\"info\",\"field_ts\":true}\n");
    }

    #[test]
    fn a_line_has_a_bound() {
        const NAMES: [&str; 12] = ["a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k", "l"];
        let value = "x".repeat(8 * 1024);
        let long = line(LogFormat::Json, NAMES.map(|name| (name, text(&value))).to_vec());
        assert!(long.len() < MAX_LINE_BYTES + 9 * 1024, "{}", long.len());
        let read: serde_json::Value = serde_json::from_str(&long).unwrap();
        assert_eq!(read["a"], value);
    }

    /// What a reader of logfmt makes of a line.
    fn read_logfmt(line: &str) -> BTreeMap<String, String> {
        let mut pairs = BTreeMap::new();
        let mut rest = line.strip_suffix('\n').expect("a line ends");
        while !rest.is_empty() {
            let (key, tail) = rest.split_once('=').expect("a key and a value");
            let end = if tail.starts_with('"') {
                let mut stream = serde_json::Deserializer::from_str(tail).into_iter::<String>();
                pairs.insert(key.to_owned(), stream.next().unwrap().expect("a quoted value"));
                stream.byte_offset()
            } else {
                let end = tail.find(' ').unwrap_or(tail.len());
                pairs.insert(key.to_owned(), tail[..end].to_owned());
                end
            };
            rest = &tail[end..];
            rest = rest.strip_prefix(' ').unwrap_or(rest);
        }
        pairs
    }

    proptest! {
        #[test]
        fn any_value_stays_in_its_line_and_is_read_back(a in "(?s).{0,30}", b in "[ -~\n\r\t\"=\\\\\u{0}-\u{9f}]{0,30}") {
            for format in [LogFormat::Logfmt, LogFormat::Json] {
                let line = line(format, vec![("a", text(&a)), ("b", text(&b))]);
                prop_assert_eq!(line.lines().count(), 1);
                prop_assert!(!line.trim_end_matches('\n').contains(is_unsafe));
                let read: BTreeMap<String, String> = match format {
                    LogFormat::Logfmt => read_logfmt(&line),
                    LogFormat::Json => serde_json::from_str(&line).unwrap(),
                };
                prop_assert_eq!(&read["a"], &a);
                prop_assert_eq!(&read["b"], &b);
                prop_assert_eq!(read.len(), 3);
            }
        }
    }
}
