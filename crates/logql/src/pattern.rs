//! The small language of `<name>` patterns, which the `pattern` parser and the filters `|>` and `!>` share.
//! How a pattern meets a line is not said here.

/// A pattern in its parts, none of them an empty literal, no two literals side by side.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Pattern {
    parts: Vec<PatternPart>,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum PatternPart {
    /// Bytes that must be there.
    Literal(Vec<u8>),
    /// `<name>`.
    Capture(String),
    /// `<_>`.
    Unnamed,
}

/// The texts of Loki's own parser of patterns, one of which brings a position of its own.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidPattern {
    #[error("parse error at line 1, col 1: syntax error: unexpected $end, expecting IDENTIFIER or LITERAL")]
    Empty,
    #[error("at least one capture is required")]
    NoCapture,
    #[error("found consecutive capture '{0}{1}': invalid expression")]
    Consecutive(String, String),
    #[error("duplicate capture name ({0}): invalid expression")]
    Duplicate(String),
    #[error("named captures are not allowed: found '{0}'")]
    Named(String),
}

impl Pattern {
    /// For the parser: something must be captured, and nothing twice.
    pub fn for_parser(text: &str) -> Result<Self, InvalidPattern> {
        let parts = split(text.as_bytes());
        if parts.is_empty() {
            return Err(InvalidPattern::Empty);
        }
        let names: Vec<&str> = parts.iter().filter_map(PatternPart::name).collect();
        if names.is_empty() {
            return Err(InvalidPattern::NoCapture);
        }
        refuse_consecutive(&parts)?;
        let mut sorted = names.clone();
        sorted.sort_unstable();
        let is_duplicate = |name: &&str| {
            let first = sorted.partition_point(|other| other < name);
            sorted.get(first + 1) == Some(name)
        };
        if let Some(name) = names.into_iter().find(is_duplicate) {
            return Err(InvalidPattern::Duplicate(name.to_owned()));
        }
        Ok(Self { parts })
    }

    /// For a line filter: nothing may be captured. An empty pattern is one without parts.
    pub fn for_filter(text: &[u8]) -> Result<Self, InvalidPattern> {
        let parts = split(text);
        refuse_consecutive(&parts)?;
        match parts.iter().find(|part| part.name().is_some()) {
            Some(named) => Err(InvalidPattern::Named(named.as_written())),
            None => Ok(Self { parts }),
        }
    }

    pub fn parts(&self) -> &[PatternPart] {
        &self.parts
    }
}

impl PatternPart {
    fn name(&self) -> Option<&str> {
        match self {
            Self::Capture(name) => Some(name),
            Self::Literal(_) | Self::Unnamed => None,
        }
    }

    fn as_written(&self) -> String {
        match self {
            Self::Literal(bytes) => String::from_utf8_lossy(bytes).into_owned(),
            Self::Capture(name) => format!("<{name}>"),
            Self::Unnamed => "<_>".to_owned(),
        }
    }
}

fn split(text: &[u8]) -> Vec<PatternPart> {
    let mut parts = Vec::new();
    let mut literal = Vec::new();
    let mut rest = text;
    while let Some(first) = rest.first() {
        let Some(name) = capture(rest) else {
            literal.push(*first);
            rest = &rest[1..];
            continue;
        };
        if !literal.is_empty() {
            parts.push(PatternPart::Literal(std::mem::take(&mut literal)));
        }
        rest = &rest[name.len() + "<>".len()..];
        parts.push(if name == "_" { PatternPart::Unnamed } else { PatternPart::Capture(name.to_owned()) });
    }
    if !literal.is_empty() {
        parts.push(PatternPart::Literal(literal));
    }
    parts
}

/// The name in `<name>` at the start; any other `<` is a literal.
fn capture(text: &[u8]) -> Option<&str> {
    let body = text.strip_prefix(b"<")?;
    let len = body.iter().take_while(|b| b.is_ascii_alphanumeric() || **b == b'_').count();
    if len == 0 || body[0].is_ascii_digit() || body.get(len) != Some(&b'>') {
        return None;
    }
    std::str::from_utf8(&body[..len]).ok()
}

/// Between two captures there must be something that ends the first.
fn refuse_consecutive(parts: &[PatternPart]) -> Result<(), InvalidPattern> {
    let is_literal = |part: &PatternPart| matches!(part, PatternPart::Literal(_));
    match parts.windows(2).find(|pair| !is_literal(&pair[0]) && !is_literal(&pair[1])) {
        Some(pair) => Err(InvalidPattern::Consecutive(pair[0].as_written(), pair[1].as_written())),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn literal(text: &str) -> PatternPart {
        PatternPart::Literal(text.as_bytes().to_vec())
    }

    #[test]
    fn parts() {
        let pattern = Pattern::for_parser("<ip> - <_> [<ts>] <1> < a><b").unwrap();
        let want = [
            PatternPart::Capture("ip".into()),
            literal(" - "),
            PatternPart::Unnamed,
            literal(" ["),
            PatternPart::Capture("ts".into()),
            literal("] <1> < a><b"),
        ];
        assert_eq!(pattern.parts(), want);
        assert_eq!(Pattern::for_filter(b"").unwrap().parts(), []);
        let bytes = Pattern::for_filter(b"\xff<_>").unwrap();
        assert_eq!(bytes.parts(), [PatternPart::Literal(vec![0xff]), PatternPart::Unnamed]);
    }

    #[test]
    fn refused_by_the_parser() {
        for (text, reason) in [
            (
                "",
                "parse error at line 1, col 1: syntax error: unexpected $end, expecting IDENTIFIER or LITERAL",
            ),
            ("<", "at least one capture is required"),
            ("<_> x", "at least one capture is required"),
            ("<a><b>", "found consecutive capture '<a><b>': invalid expression"),
            ("x<a><_>", "found consecutive capture '<a><_>': invalid expression"),
            ("<dup> <dup>", "duplicate capture name (dup): invalid expression"),
        ] {
            assert_eq!(Pattern::for_parser(text).expect_err(text).to_string(), reason);
        }
    }

    #[test]
    fn refused_by_the_filter() {
        for (text, reason) in [
            ("<x> b", "named captures are not allowed: found '<x>'"),
            ("<_><_>", "found consecutive capture '<_><_>': invalid expression"),
        ] {
            assert_eq!(Pattern::for_filter(text.as_bytes()).expect_err(text).to_string(), reason);
        }
    }
}
