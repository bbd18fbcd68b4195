//! Patterns ready to run on bytes.

use aho_corasick::{AhoCorasick, BuildError, MatchKind};
use larch_template::Readable;
use memchr::memmem;
use regex::bytes::{Regex as Matcher, RegexBuilder};

use crate::regex::ast::{Assertion, Ast, Pattern};
use crate::regex::emit::emit;
use crate::regex::error::{RegexError, RegexFault};
use crate::regex::parse::parse;
use crate::regex::required::Required;
use crate::regex::shape::Shape;

/// One compiled pattern. Ten times what the largest sensible ones need.
const MAX_PROGRAM_BYTES: usize = 10 << 20;
/// A template may build its patterns from each line, so that they are compiled as often: the largest one
/// takes milliseconds.
const MAX_TEMPLATE_PROGRAM_BYTES: usize = 512 << 10;

/// The emitted text nests at most this deep for the parser's own bound.
const EMITTED_NEST_LIMIT: u32 = 2_000;

/// Where a pattern stands decides what it means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flavor {
    /// Anywhere in the text: line filters, the regexp parser, template functions.
    Search,
    /// The whole text, the dot without newlines: label filters, `label_replace`.
    Whole,
    /// The whole text, the dot with newlines: stream selectors, `drop` and `keep`.
    WholeDotAll,
}

#[derive(Debug, Clone)]
pub struct Regex {
    test: Test,
    /// Compiled also where `test` needs none, if groups are asked for.
    matcher: Option<Matcher>,
    names: Vec<Option<Box<str>>>,
    /// A byte that is not UTF-8 may be part of a match, as one U+FFFD.
    sees_bad_bytes: bool,
    /// `\B` also holds between the bytes of one character, where no match may be.
    splits_characters: bool,
    /// Empty or `.*`.
    trivial: bool,
    required: Required,
}

/// The cheapest exact way to tell whether a text matches.
#[derive(Debug, Clone)]
enum Test {
    Always,
    /// `.+`, which many selectors are: there is something. Compiling it takes longer than most reads.
    NotEmpty {
        whole: bool,
        newlines: bool,
    },
    Contains(Box<memmem::Finder<'static>>),
    ContainsAny(AhoCorasick),
    /// The whole text is one of a few literals, or begins or ends with it or contains it.
    Anchored(Shape),
    Automaton,
}

impl Regex {
    pub fn new(pattern: &str, flavor: Flavor) -> Result<Self, RegexError> {
        let parsed = parse(pattern, flavor == Flavor::WholeDotAll)?;
        let test = test_of(&parsed.ast, flavor);
        let matcher = match test {
            Test::Automaton => Some(compile(&parsed.ast, flavor, pattern, MAX_PROGRAM_BYTES)?),
            _ => None,
        };
        Ok(Self::assembled(parsed, test, matcher))
    }

    /// A pattern that may not be text.
    pub fn from_bytes(pattern: &[u8], flavor: Flavor) -> Result<Self, RegexError> {
        match str::from_utf8(pattern) {
            Ok(pattern) => Self::new(pattern, flavor),
            Err(_) => Err(RegexError::new(RegexFault::Utf8, String::from_utf8_lossy(pattern))),
        }
    }

    /// Also able to give groups.
    pub fn with_groups(pattern: &str, flavor: Flavor) -> Result<Self, RegexError> {
        let parsed = parse(pattern, flavor == Flavor::WholeDotAll)?;
        let matcher = compile(&parsed.ast, flavor, pattern, MAX_PROGRAM_BYTES)?;
        Ok(Self::assembled(parsed, Test::Automaton, Some(matcher)))
    }

    fn assembled(parsed: Pattern, test: Test, matcher: Option<Matcher>) -> Self {
        let Pattern { ast, names } = parsed;
        Self {
            test,
            matcher,
            names,
            sees_bad_bytes: ast.any(can_match_replacement),
            splits_characters: ast.any(is_no_word_boundary),
            trivial: *ast.bare() == Ast::Empty || ast.dot_star().is_some(),
            required: Required::of(&ast),
        }
    }

    pub fn is_match(&self, text: &[u8]) -> bool {
        match &self.test {
            Test::Always => true,
            Test::NotEmpty { whole, newlines } => {
                let counts = |byte: &u8| *newlines || *byte != b'\n';
                !text.is_empty() && if *whole { text.iter().all(counts) } else { text.iter().any(counts) }
            }
            Test::Contains(finder) => finder.find(text).is_some(),
            Test::ContainsAny(searcher) => searcher.is_match(text),
            Test::Anchored(shape) => anchored_match(shape, text),
            Test::Automaton => self.automaton_match(text),
        }
    }

    /// What matches without looking at bad bytes matches with them; the rest is tried a second time.
    fn automaton_match(&self, text: &[u8]) -> bool {
        let Some(matcher) = &self.matcher else {
            return false;
        };
        if self.splits_characters {
            let text = Readable::new(text);
            return matcher.find_iter(text.bytes()).any(|m| text.is_boundary(m.start()));
        }
        if matcher.is_match(text) {
            return true;
        }
        self.sees_bad_bytes && str::from_utf8(text).is_err() && matcher.is_match(Readable::new(text).bytes())
    }

    /// The groups of the leftmost match, by number; `None` for a group that took no part. Only with
    /// `with_groups`.
    pub fn first_match<'t>(&self, text: &'t [u8], mut group: impl FnMut(usize, Option<&'t [u8]>)) -> bool {
        let Some(matcher) = &self.matcher else {
            return false;
        };
        let text = if self.sees_bad_bytes { Readable::new(text) } else { Readable::unchanged(text) };
        let mut slots = matcher.capture_locations();
        let mut from = 0;
        loop {
            match matcher.captures_read_at(&mut slots, text.bytes(), from) {
                None => return false,
                Some(found) if text.is_boundary(found.start()) => break,
                Some(found) => from = found.start() + 1,
            }
        }
        // A group inside `{0}` has a number but no place in the program.
        for index in 0..self.names.len() {
            group(index, slots.get(index).map(|(start, end)| text.original(start..end)));
        }
        true
    }

    /// By group number; the whole match has no name.
    pub fn names(&self) -> &[Option<Box<str>>] {
        &self.names
    }

    pub fn required(&self) -> &Required {
        &self.required
    }

    /// The empty pattern and `.*`, which label filters take for no condition at all.
    pub(crate) fn is_trivial(&self) -> bool {
        self.trivial
    }
}

/// The compiler that templates use.
pub fn compile_for_template(pattern: &str) -> Result<larch_template::Regex, String> {
    let parsed = parse(pattern, false).map_err(|error| error.to_string())?;
    let matcher = compile(&parsed.ast, Flavor::Search, pattern, MAX_TEMPLATE_PROGRAM_BYTES)
        .map_err(|error| error.to_string())?;
    Ok(larch_template::Regex { matcher, names: parsed.names })
}

fn compile(ast: &Ast, flavor: Flavor, pattern: &str, max_bytes: usize) -> Result<Matcher, RegexError> {
    let mut text = String::with_capacity(2 * pattern.len() + 16);
    if flavor == Flavor::Search {
        emit(&mut text, ast);
    } else {
        text.push_str(r"\A(?:");
        emit(&mut text, ast);
        text.push_str(r")\z");
    }
    // The text is valid, so that only its size can be wrong.
    RegexBuilder::new(&text)
        .size_limit(max_bytes)
        .nest_limit(EMITTED_NEST_LIMIT)
        .build()
        .map_err(|_| RegexError::new(RegexFault::TooLarge, pattern))
}

fn test_of(ast: &Ast, flavor: Flavor) -> Test {
    if let Some(newlines) = ast.dot_plus() {
        return Test::NotEmpty { whole: flavor != Flavor::Search, newlines };
    }
    let Some(shape) = Shape::of(ast) else {
        return Test::Automaton;
    };
    if flavor != Flavor::Search {
        let open = shape.open_start && shape.open_end && shape.literals == [b""];
        return if open && shape.newlines { Test::Always } else { Test::Anchored(shape) };
    }
    if shape.literals.iter().any(Vec::is_empty) {
        return Test::Always;
    }
    match shape.literals.as_slice() {
        [literal] => Test::Contains(Box::new(memmem::Finder::new(literal).into_owned())),
        literals => searcher(literals).map_or(Test::Automaton, Test::ContainsAny),
    }
}

/// Looks for any of the texts. Which of them it finds makes no difference, but only searchers that prefer
/// one may compare many bytes at once.
pub(crate) fn searcher(texts: &[impl AsRef<[u8]>]) -> Result<AhoCorasick, BuildError> {
    AhoCorasick::builder().match_kind(MatchKind::LeftmostFirst).build(texts)
}

fn anchored_match(shape: &Shape, text: &[u8]) -> bool {
    let allowed = |rest: &[u8]| shape.newlines || memchr::memchr(b'\n', rest).is_none();
    for literal in &shape.literals {
        let found = match (shape.open_start, shape.open_end) {
            (false, false) => text == literal,
            (false, true) => text.strip_prefix(literal.as_slice()).is_some_and(allowed),
            (true, false) => text.strip_suffix(literal.as_slice()).is_some_and(allowed),
            (true, true) => contains_within(text, literal, shape.newlines),
        };
        if found {
            return true;
        }
    }
    false
}

/// Without newlines in the open ends, the literal must hold all newlines of the text.
fn contains_within(text: &[u8], literal: &[u8], newlines: bool) -> bool {
    if newlines || memchr::memchr(b'\n', text).is_none() {
        return memmem::find(text, literal).is_some();
    }
    memmem::find_iter(text, literal).any(|at| {
        let rest = [&text[..at], &text[at + literal.len()..]];
        rest.iter().all(|part| memchr::memchr(b'\n', part).is_none())
    })
}

/// Dots and classes can match U+FFFD; of the rest only that character itself.
fn can_match_replacement(ast: &Ast) -> bool {
    match ast {
        Ast::Literal(literal) => literal.text.contains(char::REPLACEMENT_CHARACTER),
        Ast::Dot { .. } | Ast::Class(_) => true,
        _ => false,
    }
}

fn is_no_word_boundary(ast: &Ast) -> bool {
    matches!(ast, Ast::Assertion(Assertion::NoWordBoundary))
}

/// Any bytes, as a pattern and as the text it runs on.
pub fn fuzz_regex(bytes: &[u8]) {
    let (pattern, text) = bytes.split_at(bytes.len() / 2);
    let pattern = String::from_utf8_lossy(pattern);
    for flavor in [Flavor::Search, Flavor::Whole, Flavor::WholeDotAll] {
        let Ok(regex) = Regex::new(&pattern, flavor) else {
            continue;
        };
        assert!(!regex.is_match(text) || regex.required().may_match(text), "what is required is there");
        if let Ok(regex) = Regex::with_groups(&pattern, flavor) {
            let found = regex.first_match(text, |_, _| {});
            assert_eq!(found, regex.is_match(text), "both ways agree");
        }
    }
}
