//! Template text to tokens.

use crate::go::is_letter;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Error,
    Bool,
    /// Any other printable ASCII character, such as a comma.
    Char,
    CharConstant,
    Complex,
    Assign,
    Declare,
    Eof,
    Field,
    Identifier,
    LeftDelim,
    LeftParen,
    Number,
    Pipe,
    RawString,
    RightDelim,
    RightParen,
    Space,
    String,
    Text,
    Variable,
    // Keywords: printed in angle brackets.
    Block,
    Break,
    Continue,
    Dot,
    Define,
    Else,
    End,
    If,
    Nil,
    Range,
    Template,
    With,
}

#[derive(Debug, Clone)]
pub(crate) struct Token {
    pub(crate) kind: Kind,
    pub(crate) pos: usize,
    /// The token's text, or the message of an error.
    pub(crate) text: Box<str>,
    /// Starts at 1.
    pub(crate) line: usize,
}

const LEFT: &str = "{{";
const RIGHT: &str = "}}";
/// What trimming removes, and what must stand beside a trim marker.
const SPACES: [char; 4] = [' ', '\t', '\r', '\n'];

pub(crate) struct Lexer<'t> {
    input: &'t str,
    pos: usize,
    start: usize,
    inside_action: bool,
    paren_depth: usize,
    failed: bool,
    /// Lines are counted once, up to here.
    counted_to: usize,
    line: usize,
}

impl<'t> Lexer<'t> {
    pub(crate) fn new(input: &'t str) -> Self {
        Self {
            input,
            pos: 0,
            start: 0,
            inside_action: false,
            paren_depth: 0,
            failed: false,
            counted_to: 0,
            line: 1,
        }
    }

    /// After an error or the end, only ends follow.
    pub(crate) fn next(&mut self) -> Token {
        if self.failed {
            return Token { kind: Kind::Eof, pos: 0, text: "EOF".into(), line: 1 };
        }
        if self.inside_action { self.action() } else { self.text() }
    }

    fn rest(&self) -> &'t str {
        &self.input[self.pos..]
    }

    /// The line of a position that is not before those asked for earlier.
    fn line_at(&mut self, pos: usize) -> usize {
        let between = &self.input.as_bytes()[self.counted_to..pos];
        self.line += between.iter().filter(|b| **b == b'\n').count();
        self.counted_to = pos;
        self.line
    }

    fn emit(&mut self, kind: Kind) -> Token {
        let line = self.line_at(self.start);
        let text = self.input[self.start..self.pos].into();
        let token = Token { kind, pos: self.start, text, line };
        self.start = self.pos;
        token
    }

    fn error(&mut self, message: impl Into<Box<str>>) -> Token {
        self.failed = true;
        let line = self.line_at(self.start);
        Token { kind: Kind::Error, pos: self.start, text: message.into(), line }
    }

    fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    fn bump(&mut self) -> Option<char> {
        let c = self.peek()?;
        self.pos += c.len_utf8();
        Some(c)
    }

    fn text(&mut self) -> Token {
        loop {
            let Some(found) = self.rest().find(LEFT) else {
                self.pos = self.input.len();
                return if self.pos > self.start { self.emit(Kind::Text) } else { self.end() };
            };
            let delim = self.pos + found;
            let text = &self.input[self.start..delim];
            let kept = if has_left_trim(&self.input[delim + LEFT.len()..]) {
                text.trim_end_matches(SPACES).len()
            } else {
                text.len()
            };
            if kept > 0 {
                self.pos = self.start + kept;
                let token = self.emit(Kind::Text);
                self.pos = delim;
                self.start = delim;
                return token;
            }
            self.pos = delim;
            self.start = delim;
            if let Some(token) = self.left_delim() {
                return token;
            }
        }
    }

    fn end(&mut self) -> Token {
        let line = self.line_at(self.pos);
        Token { kind: Kind::Eof, pos: self.pos, text: "EOF".into(), line }
    }

    /// `None` after a comment.
    fn left_delim(&mut self) -> Option<Token> {
        self.pos += LEFT.len();
        let marker = if has_left_trim(self.rest()) { 2 } else { 0 };
        if self.rest()[marker..].starts_with("/*") {
            self.pos += marker;
            self.start = self.pos;
            return self.comment();
        }
        let token = self.emit(Kind::LeftDelim);
        self.inside_action = true;
        self.paren_depth = 0;
        self.pos += marker;
        self.start = self.pos;
        Some(token)
    }

    /// Only an error is a token.
    fn comment(&mut self) -> Option<Token> {
        let Some(end) = self.rest()[2..].find("*/") else {
            return Some(self.error("unclosed comment"));
        };
        self.pos += 2 + end + 2;
        match self.right_delim_here() {
            None => Some(self.error("comment ends before closing delimiter")),
            Some(trims) => {
                self.skip_right_delim(trims);
                None
            }
        }
    }

    /// Whether a closing delimiter starts here, and whether it trims.
    fn right_delim_here(&self) -> Option<bool> {
        let rest = self.rest();
        if has_right_trim(rest) && rest[2..].starts_with(RIGHT) {
            return Some(true);
        }
        rest.starts_with(RIGHT).then_some(false)
    }

    fn skip_right_delim(&mut self, trims: bool) {
        self.pos += if trims { 2 + RIGHT.len() } else { RIGHT.len() };
        if trims {
            let rest = self.rest();
            self.pos += rest.len() - rest.trim_start_matches(SPACES).len();
        }
        self.start = self.pos;
    }

    fn right_delim(&mut self, trims: bool) -> Token {
        if trims {
            self.start += 2;
        }
        self.pos = self.start + RIGHT.len();
        let token = self.emit(Kind::RightDelim);
        if trims {
            let rest = self.rest();
            self.pos += rest.len() - rest.trim_start_matches(SPACES).len();
            self.start = self.pos;
        }
        self.inside_action = false;
        token
    }

    fn action(&mut self) -> Token {
        if let Some(trims) = self.right_delim_here() {
            if self.paren_depth > 0 {
                return self.error("unclosed left paren");
            }
            return self.right_delim(trims);
        }
        let Some(c) = self.bump() else {
            return self.error("unclosed action");
        };
        match c {
            ' ' | '\t' | '\r' | '\n' => self.space(),
            '=' => self.emit(Kind::Assign),
            ':' => match self.bump() {
                Some('=') => self.emit(Kind::Declare),
                _ => self.error("expected :="),
            },
            '|' => self.emit(Kind::Pipe),
            '"' => self.quoted('"', Kind::String, "unterminated quoted string"),
            '\'' => self.quoted('\'', Kind::CharConstant, "unterminated character constant"),
            '`' => self.raw_string(),
            '$' => self.field_or_variable(Kind::Variable),
            '.' if !self.peek().is_some_and(|c| c.is_ascii_digit()) && self.peek().is_some() => {
                self.field_or_variable(Kind::Field)
            }
            '.' | '+' | '-' | '0'..='9' => {
                self.pos = self.start;
                self.number()
            }
            '(' => {
                self.paren_depth += 1;
                self.emit(Kind::LeftParen)
            }
            ')' if self.paren_depth == 0 => self.error("unexpected right paren"),
            ')' => {
                self.paren_depth -= 1;
                self.emit(Kind::RightParen)
            }
            c if is_alphanumeric(c) => self.identifier(),
            c if c.is_ascii_graphic() => self.emit(Kind::Char),
            c => self.error(format!("unrecognized character in action: {}", unicode_text(c))),
        }
    }

    fn space(&mut self) -> Token {
        while self.peek().is_some_and(|c| SPACES.contains(&c)) {
            self.bump();
        }
        // The last blank may belong to a closing delimiter that trims.
        let last = self.pos - 1;
        let tail = &self.input[last..];
        if has_right_trim(tail) && tail[2..].starts_with(RIGHT) {
            self.pos = last;
            if self.pos == self.start {
                return self.right_delim(true);
            }
        }
        self.emit(Kind::Space)
    }

    fn identifier(&mut self) -> Token {
        while self.peek().is_some_and(is_alphanumeric) {
            self.bump();
        }
        if !self.at_terminator() {
            return self.bad_character();
        }
        let kind = match &self.input[self.start..self.pos] {
            "block" => Kind::Block,
            "break" => Kind::Break,
            "continue" => Kind::Continue,
            "define" => Kind::Define,
            "else" => Kind::Else,
            "end" => Kind::End,
            "if" => Kind::If,
            "nil" => Kind::Nil,
            "range" => Kind::Range,
            "template" => Kind::Template,
            "with" => Kind::With,
            "true" | "false" => Kind::Bool,
            _ => Kind::Identifier,
        };
        self.emit(kind)
    }

    fn field_or_variable(&mut self, kind: Kind) -> Token {
        if self.at_terminator() {
            return self.emit(if kind == Kind::Variable { Kind::Variable } else { Kind::Dot });
        }
        while self.peek().is_some_and(is_alphanumeric) {
            self.bump();
        }
        if !self.at_terminator() {
            return self.bad_character();
        }
        self.emit(kind)
    }

    fn bad_character(&mut self) -> Token {
        let c = self.peek().unwrap_or('\0');
        self.error(format!("bad character {}", unicode_text(c)))
    }

    fn at_terminator(&self) -> bool {
        match self.peek() {
            None | Some(' ' | '\t' | '\r' | '\n' | '.' | ',' | '|' | ':' | ')' | '(') => true,
            Some(_) => self.rest().starts_with(RIGHT),
        }
    }

    fn quoted(&mut self, quote: char, kind: Kind, message: &'static str) -> Token {
        loop {
            match self.bump() {
                Some('\\') => match self.bump() {
                    None | Some('\n') => return self.error(message),
                    Some(_) => {}
                },
                None | Some('\n') => return self.error(message),
                Some(c) if c == quote => return self.emit(kind),
                Some(_) => {}
            }
        }
    }

    fn raw_string(&mut self) -> Token {
        match self.rest().find('`') {
            Some(end) => {
                self.pos += end + 1;
                self.emit(Kind::RawString)
            }
            None => self.error("unterminated raw quoted string"),
        }
    }

    fn number(&mut self) -> Token {
        if !self.scan_number() {
            return self.bad_number();
        }
        if matches!(self.peek(), Some('+' | '-')) {
            if !self.scan_number() || !self.input[..self.pos].ends_with('i') {
                return self.bad_number();
            }
            return self.emit(Kind::Complex);
        }
        self.emit(Kind::Number)
    }

    fn bad_number(&mut self) -> Token {
        let text = larch_types::quoted(&self.input[self.start..self.pos]);
        self.error(format!("bad number syntax: {text}"))
    }

    /// Takes more than a number; the parser looks again.
    fn scan_number(&mut self) -> bool {
        self.accept(&['+', '-']);
        let mut radix = 10;
        if self.accept(&['0']) {
            if self.accept(&['x', 'X']) {
                radix = 16;
            } else if self.accept(&['o', 'O']) {
                radix = 8;
            } else if self.accept(&['b', 'B']) {
                radix = 2;
            }
        }
        self.accept_digits(radix);
        if self.accept(&['.']) {
            self.accept_digits(radix);
        }
        let has_exponent = match radix {
            10 => self.accept(&['e', 'E']),
            16 => self.accept(&['p', 'P']),
            _ => false,
        };
        if has_exponent {
            self.accept(&['+', '-']);
            self.accept_digits(10);
        }
        self.accept(&['i']);
        if self.peek().is_some_and(is_alphanumeric) {
            self.bump();
            return false;
        }
        true
    }

    fn accept(&mut self, any_of: &[char]) -> bool {
        let found = self.peek().is_some_and(|c| any_of.contains(&c));
        if found {
            self.bump();
        }
        found
    }

    fn accept_digits(&mut self, radix: u32) {
        while self.peek().is_some_and(|c| c == '_' || c.is_digit(radix)) {
            self.bump();
        }
    }
}

fn has_left_trim(text: &str) -> bool {
    matches!(text.as_bytes(), [b'-', b' ' | b'\t' | b'\r' | b'\n', ..])
}

fn has_right_trim(text: &str) -> bool {
    matches!(text.as_bytes(), [b' ' | b'\t' | b'\r' | b'\n', b'-', ..])
}

fn is_alphanumeric(c: char) -> bool {
    c == '_' || is_letter(c) || c.is_numeric()
}

/// Go's `%#U`: the number, and the character if it can be shown.
fn unicode_text(c: char) -> String {
    let code = u32::from(c);
    let shown = larch_types::quoted(c.encode_utf8(&mut [0; 4])).contains(c);
    if shown { format!("U+{code:04X} '{c}'") } else { format!("U+{code:04X}") }
}
