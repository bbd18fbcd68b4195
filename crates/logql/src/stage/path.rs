//! Paths of extractions: `a.b["c d"][0]` for `json`, one key for `logfmt`.

use crate::stage::{InvalidPath, StageError};

/// Where a value is in a document. Never empty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JsonPath {
    /// Names of members; an index is written in brackets, `[2]`.
    pub(super) parts: Vec<Box<[u8]>>,
}

const FIRST: &[&str] = &["LSB", "FIELD"];
const IN_BRACKETS: &[&str] = &["STRING", "INDEX"];

impl JsonPath {
    pub fn parse(text: &str) -> Result<Self, StageError> {
        let mut lexer = Lexer { rest: text, fault: None };
        parts(&mut lexer)
            .map(|parts| Self { parts })
            .map_err(|why| StageError::Path { path: text.to_owned(), why })
    }

    /// Names of members; an index is written in brackets.
    pub(crate) fn names(&self) -> &[Box<[u8]>] {
        &self.parts
    }
}

fn parts(lexer: &mut Lexer<'_>) -> Result<Vec<Box<[u8]>>, InvalidPath> {
    let mut parts = Vec::new();
    loop {
        let is_first = parts.is_empty();
        match lexer.next() {
            Token::End if !is_first => {
                // A character that no token begins with ends the path, which only then was complete.
                return lexer.fault.take().map_or(Ok(parts), |c| Err(InvalidPath::Char(c)));
            }
            Token::Field(name) if is_first => parts.push(name.as_bytes().into()),
            Token::Dot if !is_first => match lexer.next() {
                Token::Field(name) => parts.push(name.as_bytes().into()),
                other => return Err(unexpected(&other, &["FIELD"])),
            },
            Token::Open => {
                parts.push(match lexer.next() {
                    Token::Text(text) => text.as_bytes().into(),
                    Token::Index(index) => format!("[{index}]").into_bytes().into(),
                    other => return Err(unexpected(&other, IN_BRACKETS)),
                });
                match lexer.next() {
                    Token::Close => {}
                    other => return Err(unexpected(&other, &["RSB"])),
                }
            }
            other => return Err(unexpected(&other, if is_first { FIRST } else { &[] })),
        }
    }
}

fn unexpected(token: &Token<'_>, expected: &'static [&'static str]) -> InvalidPath {
    let found = match token {
        Token::End => "$end",
        Token::Dot => "DOT",
        Token::Open => "LSB",
        Token::Close => "RSB",
        Token::Text(_) => "STRING",
        Token::Field(_) => "FIELD",
        Token::Index(_) => "INDEX",
    };
    InvalidPath::Unexpected { found, expected }
}

enum Token<'p> {
    /// Also at a character or number that is none.
    End,
    Dot,
    Open,
    Close,
    Text(&'p str),
    Field(&'p str),
    Index(u64),
}

struct Lexer<'p> {
    rest: &'p str,
    /// The character that ended the path early.
    fault: Option<char>,
}

impl<'p> Lexer<'p> {
    fn next(&mut self) -> Token<'p> {
        self.rest = self.rest.trim_start_matches([' ', '\t', '\r', '\n']);
        let text = self.rest;
        let Some(c) = text.chars().next() else {
            return Token::End;
        };
        self.rest = &text[c.len_utf8()..];
        match c {
            '.' => Token::Dot,
            '[' => Token::Open,
            ']' => Token::Close,
            '"' => {
                // A bracket ends the text as well, and is taken with it.
                let end = self.rest.find(['"', ']']).unwrap_or(self.rest.len());
                let inside = &self.rest[..end];
                self.rest = self.rest.get(end + 1..).unwrap_or("");
                Token::Text(inside)
            }
            'a'..='z' | 'A'..='Z' | '_' => {
                let end = text.find(|c: char| !is_name(c)).unwrap_or(text.len());
                self.rest = &text[end..];
                Token::Field(&text[..end])
            }
            '0'..='9' => self.index(text),
            _ => {
                self.rest = "";
                self.fault = Some(c);
                Token::End
            }
        }
    }

    /// Only a closing bracket or a blank may follow the digits.
    fn index(&mut self, text: &'p str) -> Token<'p> {
        let end = text.bytes().take_while(u8::is_ascii_digit).count();
        let is_whole = text[end..].starts_with([']', ' ', '\t', '\r', '\n']);
        match text[..end].parse() {
            Ok(index) if is_whole => {
                self.rest = &text[end..];
                Token::Index(index)
            }
            _ => {
                self.rest = "";
                Token::End
            }
        }
    }
}

fn is_name(c: char) -> bool {
    c == '_' || c.is_ascii_alphanumeric()
}

/// The one key that a `logfmt` extraction names, perhaps in quotes.
pub(super) fn parse_logfmt_key(text: &str) -> Result<&str, StageError> {
    const EXPECTED: &[&str] = &["STRING", "KEY"];
    let fail = |why: InvalidPath| StageError::Path { path: text.to_owned(), why };
    let body = text.trim_start_matches([' ', '\t', '\r', '\n']);
    let (key, rest) = if let Some(inside) = body.strip_prefix('"') {
        let end = inside.find('"').unwrap_or(inside.len());
        (&inside[..end], inside.get(end + 1..).unwrap_or(""))
    } else if body.starts_with(|c: char| c == '_' || c.is_ascii_alphabetic()) {
        body.split_at(body.find(|c: char| !is_name(c)).unwrap_or(body.len()))
    } else {
        return Err(fail(InvalidPath::Unexpected { found: "$end", expected: EXPECTED }));
    };
    match rest.trim_start_matches([' ', '\t', '\r', '\n']).chars().next() {
        None => Ok(key),
        Some('"') => Err(fail(InvalidPath::Unexpected { found: "STRING", expected: &[] })),
        Some(c) if c == '_' || c.is_ascii_alphabetic() => {
            Err(fail(InvalidPath::Unexpected { found: "KEY", expected: &[] }))
        }
        Some(c) => Err(fail(InvalidPath::Char(c))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_paths() {
        for (text, parts) in [
            ("a", &["a"][..]),
            ("req.user.id", &["req", "user", "id"]),
            (r#"["k8s.io/name"]"#, &["k8s.io/name"]),
            ("items[0].sku", &["items", "[0]", "sku"]),
            ("[2]", &["[2]"]),
            (r#"a["b c"][1]"#, &["a", "b c", "[1]"]),
            (" a . b [ 7 ] ", &["a", "b", "[7]"]),
        ] {
            let path = JsonPath::parse(text).expect(text);
            let got: Vec<_> = path.parts.iter().map(|part| String::from_utf8_lossy(part)).collect();
            assert_eq!(got, parts);
        }
        for (text, why) in [
            ("b c", "syntax error: unexpected FIELD"),
            (r#""b"]"#, "syntax error: unexpected STRING, expecting LSB or FIELD"),
            (r#"["b""#, "syntax error: unexpected $end, expecting RSB"),
            (r#"["b""c"]"#, "syntax error: unexpected STRING, expecting RSB"),
            ("b..c", "syntax error: unexpected DOT, expecting FIELD"),
            ("", "syntax error: unexpected $end, expecting LSB or FIELD"),
            ("b.", "syntax error: unexpected $end, expecting FIELD"),
            ("[x]", "syntax error: unexpected FIELD, expecting STRING or INDEX"),
            ("b[", "syntax error: unexpected $end, expecting STRING or INDEX"),
            ("b[1.5]", "syntax error: unexpected $end, expecting STRING or INDEX"),
            ("b[1x]", "syntax error: unexpected $end, expecting STRING or INDEX"),
            ("b-c", "unexpected char -"),
            ("-c", "syntax error: unexpected $end, expecting LSB or FIELD"),
            ("b]", "syntax error: unexpected RSB"),
        ] {
            let error = JsonPath::parse(text).unwrap_err().to_string();
            assert_eq!(error, format!("cannot parse expression [{text}]: {why}"));
        }
    }

    #[test]
    fn logfmt_keys() {
        assert_eq!(parse_logfmt_key("http_status"), Ok("http_status"));
        assert_eq!(parse_logfmt_key(r#" "a" "#), Ok("a"));
        for (text, why) in [
            ("a b", "syntax error: unexpected KEY"),
            ("a.b", "unexpected char ."),
            ("weird-key.name", "unexpected char -"),
            ("", "syntax error: unexpected $end, expecting STRING or KEY"),
            (r#"a"b""#, "syntax error: unexpected STRING"),
        ] {
            let error = parse_logfmt_key(text).unwrap_err().to_string();
            assert_eq!(error, format!("cannot parse expression [{text}]: {why}"));
        }
    }
}
