//! A line in the parts that patterns are made of, and a pattern as text.

use super::json::find_text;

/// Lines of more parts are not mined: what they have in common is rarely what their patterns show.
pub(super) const MAX_TOKENS: usize = 80;

/// Lines of fewer parts say too little of how they vary; they are not mined by Loki either.
const MIN_TOKENS: usize = 4;

/// What stands in patterns for what varies, as LogQL's pattern filters read it.
const ANY: &str = "<_>";

/// Punctuation that parts of a line may hold: names, addresses, paths and times stay whole.
const INSIDE_WORDS: &str = "_-.:/";

/// Fields of key and value whose values are another one in each line.
const CHANGING_KEYS: [&str; 5] = ["ts", "t", "time", "timestamp", "traceID"];

/// How the lines of a stream are cut into parts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Format {
    /// Words and punctuation.
    Plain,
    /// Keys and values.
    Logfmt,
    /// One of the texts in an object.
    Json,
}

/// One part of a line, or of a pattern.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Token<T> {
    Text(T),
    /// It varies.
    Any,
}

/// A line's parts, and behind which of them a space stands: put together they are the line.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Tokens<'l> {
    pub(super) tokens: Vec<Token<&'l str>>,
    pub(super) spaced: Vec<bool>,
}

/// Why a line has no parts to mine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unfit {
    TooFewTokens,
    TooManyTokens,
    /// None of the fields is there that are looked into.
    NoField,
}

impl Format {
    /// By the look of one line.
    pub(super) fn of(line: &str) -> Self {
        if line.starts_with('{') && line.trim_end().ends_with('}') {
            Self::Json
        } else if !line.is_empty() && Pairs::new(line).all(|pair| pair.is_some()) {
            Self::Logfmt
        } else {
            Self::Plain
        }
    }

    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Plain => "unknown",
            Self::Logfmt => "logfmt",
            Self::Json => "json",
        }
    }
}

/// Of objects, the first of the fields that is there is cut; the rest of the line varies.
pub(super) fn tokenize<'l>(line: &'l str, format: Format, fields: &[String]) -> Result<Tokens<'l>, Unfit> {
    let mut tokens = Tokens::default();
    match format {
        Format::Plain => tokens.add_words(line)?,
        Format::Logfmt => tokens.add_pairs(line)?,
        Format::Json => {
            let text = fields.iter().find_map(|field| find_text(line, field)).ok_or(Unfit::NoField)?;
            tokens.push(Token::Any)?;
            tokens.add_words(text)?;
            // Behind the last word goes the rest of the object.
            if let Some(spaced) = tokens.spaced.last_mut().filter(|spaced| **spaced) {
                *spaced = false;
                tokens.push(Token::Text(" "))?;
            }
            tokens.push(Token::Any)?;
        }
    }
    let texts = tokens.tokens.iter().filter(|token| **token != Token::Any).count();
    // What stands for the object around a text says nothing.
    let around = if format == Format::Json { 2 } else { 0 };
    let few = tokens.tokens.len() < MIN_TOKENS + around || texts == 0;
    if few { Err(Unfit::TooFewTokens) } else { Ok(tokens) }
}

impl<'l> Tokens<'l> {
    fn push(&mut self, token: Token<&'l str>) -> Result<(), Unfit> {
        if self.tokens.len() == MAX_TOKENS {
            return Err(Unfit::TooManyTokens);
        }
        self.tokens.push(token);
        self.spaced.push(false);
        Ok(())
    }

    /// One space behind a part is remembered with it; all other spaces are parts.
    fn add_space(&mut self, space: &'l str) -> Result<(), Unfit> {
        match self.spaced.last_mut() {
            Some(spaced) if space == " " && !*spaced => *spaced = true,
            _ => self.push(Token::Text(space))?,
        }
        Ok(())
    }

    fn add_words(&mut self, text: &'l str) -> Result<(), Unfit> {
        let mut word = 0;
        for (place, found) in text.match_indices(is_separator) {
            if word < place {
                self.push(Token::Text(&text[word..place]))?;
            }
            if found.starts_with(char::is_whitespace) {
                self.add_space(found)?;
            } else {
                self.push(Token::Text(found))?;
            }
            word = place + found.len();
        }
        if word < text.len() {
            self.push(Token::Text(&text[word..]))?;
        }
        Ok(())
    }

    /// A line that does not go on as pairs goes on as words.
    fn add_pairs(&mut self, line: &'l str) -> Result<(), Unfit> {
        let mut pairs = Pairs::new(line);
        loop {
            let rest = pairs.rest;
            match pairs.next() {
                None => return Ok(()),
                Some(None) => return self.add_words(rest),
                Some(Some(Pair { key, value, space })) => {
                    self.push(Token::Text(key))?;
                    if is_changing(key) {
                        self.push(Token::Any)?;
                    } else if !value.is_empty() {
                        self.push(Token::Text(value))?;
                    }
                    if !space.is_empty() {
                        self.add_space(space)?;
                    }
                }
            }
        }
    }
}

fn is_separator(c: char) -> bool {
    c.is_whitespace() || (c.is_ascii_punctuation() && !INSIDE_WORDS.contains(c))
}

/// The key comes with its equals sign.
fn is_changing(key: &str) -> bool {
    key.strip_suffix('=').is_some_and(|name| CHANGING_KEYS.contains(&name))
}

/// `key=value`, `key="a value"` and so on, one space between two of them.
struct Pairs<'l> {
    rest: &'l str,
}

struct Pair<'l> {
    /// With the equals sign.
    key: &'l str,
    /// With its quotes.
    value: &'l str,
    space: &'l str,
}

impl<'l> Pairs<'l> {
    fn new(line: &'l str) -> Self {
        Self { rest: line }
    }

    fn read(&self) -> Option<Pair<'l>> {
        let equals = self.rest.find('=')?;
        let (key, behind) = self.rest.split_at(equals + 1);
        let is_name = |c: char| c.is_alphanumeric() || INSIDE_WORDS.contains(c);
        if equals == 0 || !key[..equals].chars().all(is_name) {
            return None;
        }
        let end = match behind.strip_prefix('"') {
            Some(quoted) => end_of_quoted(quoted)? + 2,
            None => behind.find(' ').unwrap_or(behind.len()),
        };
        let (value, behind) = behind.split_at(end);
        if !value.starts_with('"') && value.contains(['"', '=']) {
            return None;
        }
        match behind.chars().next() {
            None => Some(Pair { key, value, space: "" }),
            Some(' ') => Some(Pair { key, value, space: &behind[..1] }),
            Some(_) => None,
        }
    }
}

impl<'l> Iterator for Pairs<'l> {
    /// Nothing where the line does not go on as pairs.
    type Item = Option<Pair<'l>>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        let pair = self.read();
        let taken = pair.as_ref().map(|pair| pair.key.len() + pair.value.len() + pair.space.len());
        self.rest = &self.rest[taken.unwrap_or(self.rest.len())..];
        Some(pair)
    }
}

/// Where the closing quote is.
fn end_of_quoted(text: &str) -> Option<usize> {
    let mut is_escaped = false;
    for (place, byte) in text.bytes().enumerate() {
        match byte {
            _ if is_escaped => is_escaped = false,
            b'\\' => is_escaped = true,
            b'"' => return Some(place),
            _ => {}
        }
    }
    None
}

/// Parts that vary side by side are one, with the space between them.
pub(super) fn rendered(tokens: &[Token<Box<str>>], spaced: &[bool]) -> String {
    let mut text = String::new();
    for (place, (token, spaced)) in tokens.iter().zip(spaced).enumerate() {
        let goes_on = tokens.get(place + 1) == Some(&Token::Any);
        match token {
            Token::Any if goes_on => continue,
            Token::Any => text.push_str(ANY),
            Token::Text(part) => text.push_str(part),
        }
        if *spaced {
            text.push(' ');
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn fields() -> Vec<String> {
        vec!["log".to_owned(), "msg".to_owned()]
    }

    #[track_caller]
    fn check(line: &str, format: Format, want: &str) {
        assert_eq!(Format::of(line), format, "{line}");
        let tokens = match tokenize(line, format, &fields()) {
            Ok(tokens) => tokens,
            Err(unfit) => return assert_eq!(format!("{unfit:?}"), want, "{line}"),
        };
        let shown: Vec<&str> = tokens
            .tokens
            .iter()
            .map(|token| match token {
                Token::Text(text) => text,
                Token::Any => ANY,
            })
            .collect();
        assert_eq!(shown.join("|"), want, "{line}");
    }

    #[test]
    fn lines_in_parts() {
        check("order 17 was accepted", Format::Plain, "order|17|was|accepted");
        check("order 17 accepted", Format::Plain, "TooFewTokens");
        check("GET /api/v1/x?id=7 200", Format::Plain, "GET|/api/v1/x|?|id|=|7|200");
        check("[main] took 1.5s, ok", Format::Plain, "[|main|]|took|1.5s|,|ok");
        check("a  b\tc", Format::Plain, "a| |b|\t|c");
        check(" a b c", Format::Plain, " |a|b|c");
        check("alone", Format::Plain, "TooFewTokens");
        check("", Format::Plain, "TooFewTokens");
        check(
            "level=info msg=\"order 17\" took=1ms",
            Format::Logfmt,
            "level=|info|msg=|\"order 17\"|took=|1ms",
        );
        check("ts=2026-01-01 a=1 b=", Format::Logfmt, "ts=|<_>|a=|1|b=");
        check("level=info then words", Format::Plain, "level|=|info|then|words");
        check("a=\"x\\\" y\" b=2", Format::Logfmt, "a=|\"x\\\" y\"|b=|2");
        check(r#"{"msg":"order 17 was accepted","id":1}"#, Format::Json, "<_>|order|17|was|accepted|<_>");
        check(r#"{"msg":"order 17 ","log":"the first of all"}"#, Format::Json, "<_>|the|first|of|all|<_>");
        check(r#"{"msg":"order 17 was "}"#, Format::Json, "<_>|order|17|was| |<_>");
        check(r#"{"msg":"order 17 accepted","id":1}"#, Format::Json, "TooFewTokens");
        check(r#"{"other":"order 17 accepted"}"#, Format::Json, "NoField");
        check(r#"{"msg":"","log":17}"#, Format::Json, "TooFewTokens");
        check(&"x ".repeat(81), Format::Plain, "TooManyTokens");
    }

    #[test]
    fn another_format_than_that_of_the_line() {
        let tokens = tokenize("level=info then words", Format::Logfmt, &[]).unwrap();
        let text = |text| Token::Text(text);
        assert_eq!(tokens.tokens, [text("level="), text("info"), text("then"), text("words")]);
        assert_eq!(tokenize("no object", Format::Json, &fields()), Err(Unfit::NoField));
    }

    #[test]
    fn what_varies_side_by_side_is_one() {
        let text = |text: &str| Token::Text(text.into());
        for (tokens, spaced, want) in [
            (vec![text("a"), Token::Any, Token::Any, text("b")], [true, true, true, false], "a <_> b"),
            (vec![Token::Any, text("["), Token::Any, text("]")], [true, false, false, true], "<_> [<_>] "),
        ] {
            assert_eq!(rendered(&tokens, &spaced), want);
        }
    }

    proptest! {
        #[test]
        fn parts_put_together_are_the_line(line in "[a-c=\" \\\\{}0-9é\t,]{0,60}") {
            for format in [Format::Plain, Format::Logfmt] {
                let Ok(tokens) = tokenize(&line, format, &[]) else { continue };
                if tokens.tokens.contains(&Token::Any) {
                    continue;
                }
                let mut text = String::new();
                for (token, spaced) in tokens.tokens.iter().zip(&tokens.spaced) {
                    if let Token::Text(part) = token {
                        text.push_str(part);
                    }
                    if *spaced {
                        text.push(' ');
                    }
                }
                prop_assert_eq!(text, &*line);
            }
        }
    }
}
