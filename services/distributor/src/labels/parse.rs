//! `{a="x", b='y'}` and its relatives to names and values.

use std::fmt;

use super::lex::{Fault, Kind, Lexer, Token};

/// The label that a bare name stands for.
const METRIC_NAME: &str = "__name__";

/// Where label text breaks the grammar, in Prometheus' words.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) struct InvalidLabelText {
    line: usize,
    /// In bytes, from 1.
    column: usize,
    reason: String,
}

impl fmt::Display for InvalidLabelText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "couldn't parse labels: {}", self.reason())
    }
}

/// Names in the text have no bound of their own.
const MAX_REASON_BYTES: usize = 4096;

impl InvalidLabelText {
    /// Where and why, without saying what it is about.
    pub(crate) fn reason(&self) -> String {
        format!("{}:{}: parse error: {}", self.line, self.column, self.reason)
    }

    pub(super) fn at(text: &[u8], at: usize, mut reason: String) -> Self {
        reason.truncate(reason.floor_char_boundary(MAX_REASON_BYTES));
        let before = &text[..at];
        let line_start = before.iter().rposition(|byte| *byte == b'\n').map_or(0, |line_feed| line_feed + 1);
        let line = 1 + before.iter().filter(|byte| **byte == b'\n').count();
        Self { line, column: 1 + at - line_start, reason }
    }
}

/// Names and values in the order of the text; a name may come more than once, values may be empty.
pub(crate) fn parse_labels(text: &[u8]) -> Result<Vec<(String, String)>, InvalidLabelText> {
    let valid = match std::str::from_utf8(text) {
        Ok(valid) => valid,
        Err(error) => {
            return Err(InvalidLabelText::at(text, error.valid_up_to(), "invalid UTF-8 rune".to_owned()));
        }
    };
    metric(&mut Lexer::new(valid)).map_err(|fault| InvalidLabelText::at(text, fault.at, fault.reason))
}

fn metric(lexer: &mut Lexer<'_>) -> Result<Vec<(String, String)>, Fault> {
    let mut token = lexer.next()?;
    let mut name = None;
    if token.kind == Kind::Name {
        name = Some(token.text);
        token = lexer.next()?;
    }
    let mut pairs = Vec::new();
    if token.kind == Kind::Open {
        pairs = label_set(lexer)?;
        token = lexer.next()?;
    }
    if token.kind != Kind::End {
        return Err(unexpected(&token, ""));
    }
    if let Some(name) = name {
        pairs.retain(|(known, _)| known != METRIC_NAME);
        pairs.push((METRIC_NAME.to_owned(), name.to_owned()));
    }
    Ok(pairs)
}

fn label_set(lexer: &mut Lexer<'_>) -> Result<Vec<(String, String)>, Fault> {
    let mut pairs = Vec::new();
    loop {
        let token = lexer.next()?;
        if token.kind == Kind::Close {
            return Ok(pairs);
        }
        let behind = label(lexer, token, &mut pairs)?;
        match behind.kind {
            Kind::Comma => {}
            Kind::Close => return Ok(pairs),
            _ => return Err(unexpected(&behind, r#" in label set, expected "," or "}""#)),
        }
    }
}

/// Takes one label. Gives the token behind it.
fn label<'t>(
    lexer: &mut Lexer<'t>,
    first: Token<'t>,
    pairs: &mut Vec<(String, String)>,
) -> Result<Token<'t>, Fault> {
    let (name, quoted) = match &first.kind {
        Kind::Name => (first.text.to_owned(), false),
        Kind::Text(name) if !name.is_empty() => (name.clone(), true),
        _ => return Err(unexpected(&first, r#" in label set, expected identifier or "}""#)),
    };
    let equal = lexer.next()?;
    if equal.kind != Kind::Equal {
        if quoted {
            pairs.push((METRIC_NAME.to_owned(), name));
            return Ok(equal);
        }
        return Err(unexpected(&equal, r#" in label set, expected "=""#));
    }
    let value = lexer.next()?;
    match value.kind {
        Kind::Text(text) => pairs.push((name, text)),
        _ => return Err(unexpected(&value, " in label set, expected string")),
    }
    lexer.next()
}

fn unexpected(token: &Token<'_>, wanted: &str) -> Fault {
    Fault { at: token.at, reason: format!("unexpected {token}{wanted}") }
}
