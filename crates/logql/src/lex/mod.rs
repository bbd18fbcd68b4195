//! Text to tokens, one at a time, so that text behind the first mistake is never looked at.
//!
//! Loki reads with a scanner for Go source and adds durations, sizes and ranges by hand. What follows from
//! that (Go's numbers and escapes, comments, the texts of lexical errors) is part of the language.

mod number;
mod string;
mod token;
mod unit;
mod word;

use std::borrow::Cow;

pub(crate) use token::{Flag, Keyword, Symbol, Token, TokenKind};

pub(crate) struct Lexer<'a> {
    text: &'a str,
    at: usize,
}

/// Why the text at an offset is no token.
struct Broken {
    at: usize,
    reason: String,
    has_line: bool,
}

impl Broken {
    fn new(at: usize, reason: impl Into<String>) -> Self {
        Self { at, reason: reason.into(), has_line: true }
    }

    /// See [`TokenKind::has_line`].
    fn without_line(self) -> Self {
        Self { has_line: false, ..self }
    }
}

impl<'a> Lexer<'a> {
    pub(crate) fn new(text: &'a str) -> Self {
        // A byte-order mark counts as a column but is no token.
        let at = if text.starts_with('\u{feff}') { '\u{feff}'.len_utf8() } else { 0 };
        Self { text, at }
    }

    pub(crate) fn next_token(&mut self) -> Token<'a> {
        let found = self.skip_blanks().and_then(|()| self.scan());
        match found {
            Ok(token) => {
                self.at = token.end;
                token
            }
            Err(broken) => {
                // Nothing behind it is read.
                self.at = self.text.len();
                let kind = TokenKind::Broken { reason: broken.reason, has_line: broken.has_line };
                Token { kind, start: broken.at, end: self.text.len() }
            }
        }
    }

    fn rest(&self) -> &'a str {
        &self.text[self.at..]
    }

    /// Blanks and comments.
    fn skip_blanks(&mut self) -> Result<(), Broken> {
        loop {
            let rest = self.rest();
            let blanks = rest.bytes().take_while(|b| matches!(b, b' ' | b'\t' | b'\n' | b'\r')).count();
            self.at += blanks;
            let rest = &rest[blanks..];
            if rest.starts_with('#') || rest.starts_with("//") {
                self.at += rest.find('\n').unwrap_or(rest.len());
            } else if let Some(body) = rest.strip_prefix("/*") {
                let end = body.find("*/").ok_or(Broken::new(self.at, "comment not terminated"))?;
                self.at += end + "/*".len() + "*/".len();
            } else {
                return Ok(());
            }
        }
    }

    fn scan(&self) -> Result<Token<'a>, Broken> {
        let rest = self.rest();
        let Some(first) = rest.chars().next() else {
            return Ok(self.token(TokenKind::End, 0));
        };
        let second = rest.as_bytes().get(1).copied();
        match first {
            '0'..='9' => self.number(),
            '.' if second.is_some_and(|b| b.is_ascii_digit()) => self.number(),
            '-' => Ok(self.minus()),
            '"' | '`' => self.string(first),
            '\'' => self.character(),
            '[' => self.range(),
            _ if word::starts_name(first) => Ok(self.word()),
            _ => Ok(self.symbol(first)),
        }
    }

    fn token(&self, kind: TokenKind<'a>, len: usize) -> Token<'a> {
        Token { kind, start: self.at, end: self.at + len }
    }

    fn broken(&self, reason: impl Into<String>) -> Broken {
        Broken::new(self.at, reason)
    }

    /// A duration, a size or a number, whichever the longest run of fitting characters is.
    fn number(&self) -> Result<Token<'a>, Broken> {
        let rest = self.rest();
        let number = number::scan(rest);
        if let Some(reason) = number.error {
            return match self.mistaken_size(number.len) {
                Some(size) => Ok(size),
                None => Err(self.broken(reason)),
            };
        }
        if let Some((span, len)) = unit::duration(rest, number.len) {
            return Ok(self.token(TokenKind::Duration(span), len));
        }
        if let Some((size, len)) = unit::bytes(rest, number.len) {
            return Ok(self.token(TokenKind::Bytes(size), len));
        }
        Ok(self.token(TokenKind::Number(&rest[..number.len]), number.len))
    }

    /// To Go, `0B` begins a binary number and `5P` ends in an exponent. Here they can only be sizes.
    fn mistaken_size(&self, number_len: usize) -> Option<Token<'a>> {
        let rest = self.rest();
        let digits = rest.bytes().take_while(|b| b.is_ascii_digit() || *b == b'.').count();
        if digits == number_len {
            return None;
        }
        unit::bytes(rest, digits).map(|(size, len)| self.token(TokenKind::Bytes(size), len))
    }

    /// A flag, a negative duration or a minus.
    fn minus(&self) -> Token<'a> {
        let rest = self.rest();
        let flag_len = rest.find(|c: char| c != '-' && !c.is_alphabetic()).unwrap_or(rest.len());
        match &rest[..flag_len] {
            "--strict" => return self.token(TokenKind::Flag(Flag::Strict), flag_len),
            "--keep-empty" => return self.token(TokenKind::Flag(Flag::KeepEmpty), flag_len),
            _ => {}
        }
        match unit::duration(rest, 1) {
            Some((span, len)) => self.token(TokenKind::Duration(span), len),
            None => self.token(TokenKind::Symbol(Symbol::Minus), 1),
        }
    }

    fn string(&self, quote: char) -> Result<Token<'a>, Broken> {
        let rest = self.rest();
        if quote == '`' {
            let body = &rest[1..];
            let len = body.find('`').ok_or_else(|| self.broken("literal not terminated"))?;
            let value = Cow::Borrowed(&body.as_bytes()[..len]);
            return Ok(self.token(TokenKind::String(value), len + 2));
        }
        let literal = string::scan(rest, '"').map_err(|reason| self.broken(reason))?;
        let value = string::unquote(&rest[1..literal.len - 1]).map_err(|reason| self.broken(reason))?;
        Ok(self.token(TokenKind::String(value), literal.len))
    }

    /// `'x'` is a character in Go and a name that nothing has here.
    fn character(&self) -> Result<Token<'a>, Broken> {
        let rest = self.rest();
        let literal = string::scan(rest, '\'').map_err(|reason| self.broken(reason))?;
        if literal.chars != 1 {
            return Err(self.broken("invalid char literal"));
        }
        Ok(self.token(TokenKind::Identifier(&rest[..literal.len]), literal.len))
    }

    /// `[5m]`. The token begins at the bracket, whatever is wrong behind it.
    fn range(&self) -> Result<Token<'a>, Broken> {
        let body = &self.rest()[1..];
        let Some(len) = body.find(']') else {
            return Err(self.broken("missing closing ']' in duration").without_line());
        };
        match unit::range(&body[..len]) {
            Ok(span) => Ok(self.token(TokenKind::Range(span), len + 2)),
            Err(reason) => Err(self.broken(reason).without_line()),
        }
    }

    fn word(&self) -> Token<'a> {
        let rest = self.rest();
        let len = word::name_len(rest);
        let name = &rest[..len];
        let kind = word::keyword(name)
            .or_else(|| word::function(name).filter(|_| word::is_called(&rest[len..])))
            .unwrap_or(TokenKind::Identifier(name));
        self.token(kind, len)
    }

    fn symbol(&self, first: char) -> Token<'a> {
        let rest = self.rest();
        if let Some(symbol) = rest.get(..2).and_then(Symbol::of_two) {
            return self.token(TokenKind::Symbol(symbol), 2);
        }
        let len = first.len_utf8();
        match Symbol::of_one(first) {
            Some(symbol) => self.token(TokenKind::Symbol(symbol), len),
            None => self.token(TokenKind::Identifier(&rest[..len]), len),
        }
    }
}
