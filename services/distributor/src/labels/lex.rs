//! Words of the label grammar, which is the one that Prometheus has for metrics.

use std::fmt;

use larch_types::quoted;

/// What is wrong, and at which byte.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Fault {
    pub(super) at: usize,
    pub(super) reason: String,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Kind {
    End,
    /// Letters, digits, underscores; outside of braces colons too.
    Name,
    /// A quoted string, with what it means.
    Text(String),
    Open,
    Close,
    Comma,
    Equal,
    /// Means nothing in labels, and is named in errors.
    Operator,
    Number,
    Sign,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Token<'t> {
    pub(super) kind: Kind,
    pub(super) at: usize,
    /// As it is written.
    pub(super) text: &'t str,
}

/// More of a string than this is not shown.
const SHOWN_CHARS: usize = 10;

impl fmt::Display for Token<'_> {
    /// As errors name it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = self.text;
        match &self.kind {
            Kind::End => f.write_str("end of input"),
            Kind::Name if text.contains(':') => write!(f, "metric identifier {}", quoted(text)),
            Kind::Name => write!(f, "identifier {}", quoted(text)),
            Kind::Operator => write!(f, "<op:{text}>"),
            Kind::Text(_) => write!(f, "string {}", shortened(text)),
            Kind::Number => write!(f, "number {}", shortened(text)),
            Kind::Open | Kind::Close | Kind::Comma | Kind::Equal | Kind::Sign => f.write_str(&quoted(text)),
        }
    }
}

fn shortened(text: &str) -> String {
    match text.char_indices().nth(SHOWN_CHARS) {
        Some((end, _)) => format!("{}...", quoted(&text[..end])),
        None => quoted(text),
    }
}

#[derive(Debug)]
pub(super) struct Lexer<'t> {
    text: &'t str,
    at: usize,
    in_braces: bool,
}

/// Longest first, so that `=~` is not read as `=`.
const OPERATORS: [&str; 16] =
    ["==", "=~", "!=", "!~", "<=", ">=", "<", ">", "+", "-", "*", "/", "%", "^", "@", "="];

impl<'t> Lexer<'t> {
    pub(super) fn new(text: &'t str) -> Self {
        Self { text, at: 0, in_braces: false }
    }

    pub(super) fn next(&mut self) -> Result<Token<'t>, Fault> {
        self.skip_blanks();
        if self.in_braces { self.inside() } else { self.outside() }
    }

    fn rest(&self) -> &'t str {
        &self.text[self.at..]
    }

    fn skip_blanks(&mut self) {
        loop {
            let rest = self.rest();
            let trimmed = rest.trim_start_matches([' ', '\t', '\n', '\r']);
            self.at += rest.len() - trimmed.len();
            if !trimmed.starts_with('#') {
                return;
            }
            self.at += trimmed.find(['\n', '\r']).unwrap_or(trimmed.len());
        }
    }

    fn inside(&mut self) -> Result<Token<'t>, Fault> {
        let Some(c) = self.rest().chars().next() else {
            return Err(self.fault("unexpected end of input inside braces"));
        };
        match c {
            'a'..='z' | 'A'..='Z' | '_' => Ok(self.name(|c| c.is_ascii_alphanumeric() || c == '_')),
            ',' => Ok(self.token(Kind::Comma, 1)),
            '"' | '\'' | '`' => self.string(c),
            '=' if self.rest().starts_with("=~") => Ok(self.token(Kind::Operator, 2)),
            '=' => Ok(self.token(Kind::Equal, 1)),
            '!' => {
                match self.rest().chars().nth(1) {
                    Some('~' | '=') => Ok(self.token(Kind::Operator, 2)),
                    Some(c) => Err(self
                        .fault(format!("unexpected character after '!' inside braces: {}", quoted_char(c)))),
                    None => Err(self.fault("unexpected end of input inside braces")),
                }
            }
            '{' => Err(self.fault("unexpected left brace '{'")),
            '}' => {
                self.in_braces = false;
                Ok(self.token(Kind::Close, 1))
            }
            c => Err(self.fault(format!("unexpected character inside braces: {}", quoted_char(c)))),
        }
    }

    fn outside(&mut self) -> Result<Token<'t>, Fault> {
        let rest = self.rest();
        let Some(c) = rest.chars().next() else { return Ok(self.token(Kind::End, 0)) };
        match c {
            'a'..='z' | 'A'..='Z' | '_' | ':' => {
                Ok(self.name(|c| c.is_ascii_alphanumeric() || c == '_' || c == ':'))
            }
            ',' => Ok(self.token(Kind::Comma, 1)),
            '"' | '\'' | '`' => self.string(c),
            '{' => {
                self.in_braces = true;
                Ok(self.token(Kind::Open, 1))
            }
            '0'..='9' | '.' => {
                let end = rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '.');
                Ok(self.token(Kind::Number, end.unwrap_or(rest.len())))
            }
            '(' | '[' => Ok(self.token(Kind::Sign, 1)),
            ')' => Err(self.fault("unexpected right parenthesis ')'")),
            ']' => Err(self.fault("unexpected right bracket ']'")),
            '}' => Err(self.fault("unexpected right brace '}'")),
            c => match OPERATORS.iter().find(|operator| rest.starts_with(**operator)) {
                Some(&"=") => Ok(self.token(Kind::Equal, 1)),
                Some(operator) => Ok(self.token(Kind::Operator, operator.len())),
                None => Err(self.fault(format!("unexpected character: {}", quoted_char(c)))),
            },
        }
    }

    fn name(&mut self, belongs: impl Fn(char) -> bool) -> Token<'t> {
        let rest = self.rest();
        let end = rest.find(|c| !belongs(c)).unwrap_or(rest.len());
        self.token(Kind::Name, end)
    }

    fn token(&mut self, kind: Kind, length: usize) -> Token<'t> {
        let at = self.at;
        self.at += length;
        Token { kind, at, text: &self.text[at..self.at] }
    }

    fn fault(&self, reason: impl Into<String>) -> Fault {
        Fault { at: self.at, reason: reason.into() }
    }

    fn string(&mut self, quote: char) -> Result<Token<'t>, Fault> {
        let inner = &self.rest()[1..];
        let (value, length) = if quote == '`' { raw_string(inner) } else { string(inner, quote) }
            .map_err(|reason| self.fault(reason))?;
        Ok(self.token(Kind::Text(value), 1 + length))
    }
}

/// What a string means, and how long it is with its closing quote.
type Unquoted = Result<(String, usize), String>;

fn raw_string(inner: &str) -> Unquoted {
    let end = inner.find('`').ok_or("unterminated raw string")?;
    Ok((inner[..end].to_owned(), end + 1))
}

fn string(inner: &str, quote: char) -> Unquoted {
    let mut value = Vec::new();
    let mut chars = inner.chars();
    loop {
        match chars.next() {
            None | Some('\n') => return Err("unterminated quoted string".into()),
            Some(c) if c == quote => break,
            Some('\\') => escape(&mut chars, quote, &mut value)?,
            Some(c) => value.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes()),
        }
    }
    // Escapes can name single bytes.
    let value = String::from_utf8(value).map_err(|_| "invalid UTF-8 rune")?;
    Ok((value, inner.len() - chars.as_str().len()))
}

fn escape(chars: &mut std::str::Chars<'_>, quote: char, value: &mut Vec<u8>) -> Result<(), String> {
    let c = chars.next().ok_or("escape sequence not terminated")?;
    let byte = match c {
        'a' => 0x07,
        'b' => 0x08,
        'f' => 0x0c,
        'n' => b'\n',
        'r' => b'\r',
        't' => b'\t',
        'v' => 0x0b,
        '\\' => b'\\',
        c if c == quote => c as u8,
        '0'..='7' => return octal(c, chars, value),
        'x' => {
            value.push(digits(chars, 2)? as u8);
            return Ok(());
        }
        'u' => return code_point(digits(chars, 4)?, value),
        'U' => return code_point(digits(chars, 8)?, value),
        c => return Err(format!("unknown escape sequence {}", code(c))),
    };
    value.push(byte);
    Ok(())
}

fn octal(first: char, chars: &mut std::str::Chars<'_>, value: &mut Vec<u8>) -> Result<(), String> {
    let mut number = first.to_digit(8).unwrap_or_default();
    for _ in 0..2 {
        number = number * 8 + digit(chars, 8)?;
    }
    value.push(u8::try_from(number).map_err(|_| "escape sequence is an invalid Unicode code point")?);
    Ok(())
}

/// At most eight hexadecimal digits.
fn digits(chars: &mut std::str::Chars<'_>, count: usize) -> Result<u32, String> {
    let mut number = 0;
    for _ in 0..count {
        number = number << 4 | digit(chars, 16)?;
    }
    Ok(number)
}

fn digit(chars: &mut std::str::Chars<'_>, base: u32) -> Result<u32, String> {
    let c = chars.next().ok_or("escape sequence not terminated")?;
    c.to_digit(base).ok_or_else(|| format!("illegal character {} in escape sequence", code(c)))
}

fn code_point(number: u32, value: &mut Vec<u8>) -> Result<(), String> {
    let c = char::from_u32(number).ok_or("escape sequence is an invalid Unicode code point")?;
    value.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
    Ok(())
}

/// `U+0071 'q'`.
fn code(c: char) -> String {
    format!("U+{:04X} '{c}'", u32::from(c))
}

/// The character as Go quotes one.
pub(super) fn quoted_char(c: char) -> String {
    match c {
        '\'' => r"'\''".to_owned(),
        '"' => "'\"'".to_owned(),
        c => {
            let quoted = quoted(c.encode_utf8(&mut [0; 4]));
            format!("'{}'", &quoted[1..quoted.len() - 1])
        }
    }
}
