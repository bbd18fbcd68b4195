//! Pattern text to tree, with Go's reading of every doubtful case and its errors.

use crate::regex::ast::{Assertion, Ast, Class, Literal, Pattern, Repeat};
use crate::regex::class::{parse_class, parse_class_escape, parse_escape};
use crate::regex::error::{RegexError, RegexFault};

/// Groups inside one another. Go stops at trees about ten times as high; real patterns have a handful,
/// and what walks the tree recurses.
const MAX_DEPTH: usize = 100;

/// Go's bound for a repetition, and for the product of those inside one another.
const MAX_REPEAT: u32 = 1000;

#[derive(Debug, Clone, Copy)]
pub(super) struct Flags {
    pub(super) fold: bool,
    pub(super) multi_line: bool,
    pub(super) dot_newline: bool,
    pub(super) ungreedy: bool,
}

/// `dot_newline` is whether the dot matches a newline unless the pattern says otherwise.
pub(super) fn parse(pattern: &str, dot_newline: bool) -> Result<Pattern, RegexError> {
    let flags = Flags { fold: false, multi_line: false, dot_newline, ungreedy: false };
    let mut parser = Parser {
        whole: pattern,
        rest: pattern,
        flags,
        frames: vec![Frame::new(None, flags)],
        names: vec![None],
    };
    parser.run()?;
    let Some(frame) = parser.frames.pop().filter(|_| parser.frames.is_empty()) else {
        return Err(RegexError::new(RegexFault::MissingParen, pattern));
    };
    Ok(Pattern { ast: frame.close(), names: parser.names })
}

/// What has been read since a parenthesis opened.
struct Frame {
    capture: Option<usize>,
    outer_flags: Flags,
    branches: Vec<Ast>,
    items: Vec<Ast>,
}

impl Frame {
    fn new(capture: Option<usize>, outer_flags: Flags) -> Self {
        Self { capture, outer_flags, branches: Vec::new(), items: Vec::new() }
    }

    fn end_branch(&mut self) {
        let mut items = std::mem::take(&mut self.items);
        let branch = match items.len() {
            0 => Ast::Empty,
            1 => items.swap_remove(0),
            _ => Ast::Concat(items),
        };
        self.branches.push(branch);
    }

    fn close(mut self) -> Ast {
        self.end_branch();
        let body = if self.branches.len() == 1 {
            self.branches.swap_remove(0)
        } else {
            Ast::Alternate(self.branches)
        };
        if self.capture.is_some() { Ast::Capture(Box::new(body)) } else { body }
    }
}

struct Parser<'p> {
    whole: &'p str,
    rest: &'p str,
    flags: Flags,
    /// Never empty while parsing.
    frames: Vec<Frame>,
    names: Vec<Option<Box<str>>>,
}

impl<'p> Parser<'p> {
    fn run(&mut self) -> Result<(), RegexError> {
        // The text from the last repetition operator on, if it was the last thing read.
        let mut last_repeat = None;
        while let Some(c) = self.rest.chars().next() {
            let before = self.rest;
            let mut repeated = false;
            match c {
                '(' if before.starts_with("(?") => self.perl_group()?,
                '(' => {
                    self.names.push(None);
                    self.open(true, 1)?;
                }
                ')' => self.close_group()?,
                '|' => {
                    self.frame().end_branch();
                    self.advance(1);
                }
                '^' => self.assertion(
                    if self.flags.multi_line { Assertion::LineStart } else { Assertion::TextStart },
                    1,
                ),
                '$' => self.assertion(
                    if self.flags.multi_line { Assertion::LineEnd } else { Assertion::TextEnd },
                    1,
                ),
                '.' => {
                    self.push(Ast::Dot { newline: self.flags.dot_newline });
                    self.advance(1);
                }
                '[' => {
                    let (class, rest) = parse_class(before, self.flags.fold)?;
                    self.push(Ast::Class(class));
                    self.rest = rest;
                }
                '*' => repeated = self.repetition(Count::any(), before, &before[1..], last_repeat)?,
                '+' => repeated = self.repetition(Count::some(), before, &before[1..], last_repeat)?,
                '?' => repeated = self.repetition(Count::optional(), before, &before[1..], last_repeat)?,
                '{' => repeated = self.braces(before, last_repeat)?,
                '\\' => self.escape()?,
                _ => {
                    self.literal(c);
                    self.advance(c.len_utf8());
                }
            }
            last_repeat = repeated.then_some(before);
        }
        Ok(())
    }

    fn advance(&mut self, bytes: usize) {
        self.rest = &self.rest[bytes..];
    }

    fn frame(&mut self) -> &mut Frame {
        if self.frames.is_empty() {
            self.frames.push(Frame::new(None, self.flags));
        }
        let last = self.frames.len() - 1;
        &mut self.frames[last]
    }

    fn push(&mut self, ast: Ast) {
        self.frame().items.push(ast);
    }

    fn assertion(&mut self, assertion: Assertion, len: usize) {
        self.push(Ast::Assertion(assertion));
        self.advance(len);
    }

    /// Joins the literal before it.
    fn literal(&mut self, c: char) {
        let fold = self.flags.fold;
        if let Some(Ast::Literal(literal)) = self.frame().items.last_mut()
            && literal.fold == fold
        {
            literal.text.push(c);
            return;
        }
        self.push(Ast::Literal(Literal { text: c.to_string(), fold }));
    }

    fn open(&mut self, capture: bool, len: usize) -> Result<(), RegexError> {
        if self.frames.len() > MAX_DEPTH {
            return Err(RegexError::new(RegexFault::Nesting, self.whole));
        }
        let capture = capture.then(|| self.names.len() - 1);
        self.frames.push(Frame::new(capture, self.flags));
        self.advance(len);
        Ok(())
    }

    fn close_group(&mut self) -> Result<(), RegexError> {
        if self.frames.len() < 2 {
            return Err(RegexError::new(RegexFault::UnexpectedParen, self.whole));
        }
        let Some(frame) = self.frames.pop() else {
            return Ok(());
        };
        self.flags = frame.outer_flags;
        self.push(frame.close());
        self.advance(1);
        Ok(())
    }

    /// Named groups, groups without a number, and flags. The text starts with `(?`.
    fn perl_group(&mut self) -> Result<(), RegexError> {
        let text = self.rest;
        let name_at = if text.len() > 4 && text.starts_with("(?P<") {
            Some(4)
        } else if text.len() > 3 && text.starts_with("(?<") {
            Some(3)
        } else {
            None
        };
        let Some(name_at) = name_at else {
            return self.perl_flags();
        };
        let Some(end) = text.find('>') else {
            return Err(RegexError::new(RegexFault::NamedCapture, text));
        };
        let name = &text[name_at..end];
        if name.is_empty() || !name.bytes().all(|b| b == b'_' || b.is_ascii_alphanumeric()) {
            return Err(RegexError::new(RegexFault::NamedCapture, &text[..=end]));
        }
        self.names.push(Some(name.into()));
        self.open(true, end + 1)
    }

    fn perl_flags(&mut self) -> Result<(), RegexError> {
        let text = self.rest;
        let mut flags = self.flags;
        let mut value = true;
        let mut seen = false;
        for (at, c) in text.char_indices().skip(2) {
            match c {
                'i' => flags.fold = value,
                'm' => flags.multi_line = value,
                's' => flags.dot_newline = value,
                'U' => flags.ungreedy = value,
                '-' if value => {
                    value = false;
                    seen = false;
                    continue;
                }
                ':' | ')' if value || seen => {
                    if c == ':' {
                        self.open(false, 0)?;
                    }
                    self.flags = flags;
                    self.advance(at + 1);
                    return Ok(());
                }
                _ => return Err(RegexError::new(RegexFault::PerlSyntax, &text[..at + c.len_utf8()])),
            }
            seen = true;
        }
        Err(RegexError::new(RegexFault::PerlSyntax, text))
    }

    /// A brace that begins no repetition is itself. True if it was one.
    fn braces(&mut self, before: &'p str, last_repeat: Option<&'p str>) -> Result<bool, RegexError> {
        let Some((count, after)) = parse_braces(before) else {
            self.literal('{');
            self.advance(1);
            return Ok(false);
        };
        let Some(count) = count else {
            let fragment = &before[..before.len() - after.len()];
            return Err(RegexError::new(RegexFault::RepeatCount, fragment));
        };
        self.repetition(count, before, after, last_repeat)
    }

    fn repetition(
        &mut self,
        count: Count,
        before: &'p str,
        after: &'p str,
        last_repeat: Option<&'p str>,
    ) -> Result<bool, RegexError> {
        let (lazy, after) = match after.strip_prefix('?') {
            Some(after) => (true, after),
            None => (false, after),
        };
        let up_to = |text: &'p str| &text[..text.len() - after.len()];
        if let Some(last) = last_repeat {
            return Err(RegexError::new(RegexFault::NestedRepetition, up_to(last)));
        }
        let Some(body) = self.take_last() else {
            return Err(RegexError::new(RegexFault::MissingRepeatArgument, up_to(before)));
        };
        let large = count.counted && (count.min >= 2 || count.max.is_some_and(|max| max >= 2));
        let repeat = Repeat {
            body,
            min: count.min,
            max: count.max,
            greedy: lazy == self.flags.ungreedy,
            counted: count.counted,
        };
        if large && !product_fits(&repeat, MAX_REPEAT) {
            return Err(RegexError::new(RegexFault::RepeatCount, up_to(before)));
        }
        self.push(Ast::Repeat(Box::new(repeat)));
        self.rest = after;
        Ok(true)
    }

    /// The last character, class or group of the branch.
    fn take_last(&mut self) -> Option<Ast> {
        let items = &mut self.frame().items;
        if let Some(Ast::Literal(literal)) = items.last_mut()
            && literal.text.chars().nth(1).is_some()
            && let Some(c) = literal.text.pop()
        {
            return Some(Ast::Literal(Literal { text: c.to_string(), fold: literal.fold }));
        }
        items.pop()
    }

    fn escape(&mut self) -> Result<(), RegexError> {
        let text = self.rest;
        match text.as_bytes().get(1) {
            Some(b'A') => self.assertion(Assertion::TextStart, 2),
            Some(b'z') => self.assertion(Assertion::TextEnd, 2),
            Some(b'b') => self.assertion(Assertion::WordBoundary, 2),
            Some(b'B') => self.assertion(Assertion::NoWordBoundary, 2),
            Some(b'C') => return Err(RegexError::new(RegexFault::Escape, r"\C")),
            Some(b'Q') => {
                let (quoted, rest) = text[2..].split_once(r"\E").unwrap_or((&text[2..], ""));
                for c in quoted.chars() {
                    self.literal(c);
                }
                self.rest = rest;
            }
            _ => match parse_class_escape(text)? {
                Some((item, rest)) => {
                    self.push(Ast::Class(Class { negated: false, fold: self.flags.fold, items: vec![item] }));
                    self.rest = rest;
                }
                None => {
                    let (c, rest) = parse_escape(text)?;
                    self.escaped_literal(c);
                    self.rest = rest;
                }
            },
        }
        Ok(())
    }

    /// A surrogate is written but never found in a text.
    fn escaped_literal(&mut self, code: u32) {
        match char::from_u32(code) {
            Some(c) => self.literal(c),
            None => self.push(Ast::Class(Class { negated: false, fold: false, items: Vec::new() })),
        }
    }
}

#[derive(Debug, Clone, Copy)]
struct Count {
    min: u32,
    max: Option<u32>,
    counted: bool,
}

impl Count {
    fn any() -> Self {
        Self { min: 0, max: None, counted: false }
    }

    fn some() -> Self {
        Self { min: 1, max: None, counted: false }
    }

    fn optional() -> Self {
        Self { min: 0, max: Some(1), counted: false }
    }
}

/// `{2}`, `{2,}`, `{2,5}`. The outer `None`: no repetition; the inner one: a count out of range.
fn parse_braces(text: &str) -> Option<(Option<Count>, &str)> {
    let (min, rest) = parse_number(text.strip_prefix('{')?)?;
    let (max, rest) = match rest.strip_prefix(',') {
        None => (Some(min), rest),
        Some(rest) if rest.starts_with('}') => (None, rest),
        Some(rest) => {
            let (max, rest) = parse_number(rest)?;
            (Some(max), rest)
        }
    };
    let rest = rest.strip_prefix('}')?;
    let fits = min <= MAX_REPEAT && max.is_none_or(|max| max <= MAX_REPEAT && min <= max);
    Some((fits.then_some(Count { min, max, counted: true }), rest))
}

/// Without leading zeros. What is too large for any use is cut.
fn parse_number(text: &str) -> Option<(u32, &str)> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    if digits == 0 || (digits > 1 && text.starts_with('0')) {
        return None;
    }
    Some((text[..digits].parse().unwrap_or(u32::MAX), &text[digits..]))
}

/// Whether the counted repetitions inside one another stay below the bound when multiplied.
fn product_fits(repeat: &Repeat, bound: u32) -> bool {
    if !repeat.counted {
        return ast_fits(&repeat.body, bound);
    }
    match repeat.max.unwrap_or(repeat.min) {
        0 if repeat.max == Some(0) => true,
        0 => ast_fits(&repeat.body, bound),
        times if times > bound => false,
        times => ast_fits(&repeat.body, bound / times),
    }
}

fn ast_fits(ast: &Ast, bound: u32) -> bool {
    match ast {
        Ast::Repeat(repeat) => product_fits(repeat, bound),
        Ast::Capture(body) => ast_fits(body, bound),
        Ast::Concat(parts) | Ast::Alternate(parts) => parts.iter().all(|part| ast_fits(part, bound)),
        _ => true,
    }
}
