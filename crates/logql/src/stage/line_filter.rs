//! Line filters: `|=`, `!=`, `|~`, `!~`, `|>`, `!>` with their chains of `or`.

use aho_corasick::AhoCorasick;
use memchr::memmem;

use crate::regex::{Flavor, Regex, searcher};
use crate::stage::pattern::PatternTest;
use crate::stage::{IpPattern, PatternPart, Row, StageError};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LineFilterOp {
    Contains,
    NotContains,
    Matches,
    NotMatches,
    Fits,
    NotFits,
}

/// What an operator applies to. Bytes are searched for, are a regex, or are a pattern without gaps, as the
/// operator has it; which of the others go with it is checked when the filter is built.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LineOperand {
    /// A query may spell out bytes that are not UTF-8.
    Text(Vec<u8>),
    Ip(String),
    Pattern(Vec<PatternPart>),
}

/// A chain: one of the operands holds, or none of them.
#[derive(Debug, Clone)]
pub struct LineFilter {
    negated: bool,
    tests: Vec<Test>,
}

#[derive(Debug, Clone)]
enum Test {
    Always,
    Contains(Box<memmem::Finder<'static>>),
    ContainsAny(AhoCorasick),
    Regex(Box<Regex>),
    Ip(IpPattern),
    Pattern(PatternTest),
}

impl LineFilter {
    /// An operator and its operands, the first and those behind `or`. Operators that negate hold if none
    /// of the operands does.
    pub fn new(op: LineFilterOp, operands: &[LineOperand]) -> Result<Self, StageError> {
        let negated =
            matches!(op, LineFilterOp::NotContains | LineFilterOp::NotMatches | LineFilterOp::NotFits);
        let mut tests = Vec::new();
        let mut texts: Vec<Box<[u8]>> = Vec::new();
        for operand in operands {
            match operand {
                LineOperand::Text(text) if is_pattern(op) => {
                    let literal = PatternPart::Literal(text.clone());
                    let parts = if text.is_empty() { vec![] } else { vec![literal] };
                    tests.push(Test::Pattern(PatternTest::new(&parts)));
                }
                LineOperand::Text(text) if text.is_empty() => tests.push(Test::Always),
                LineOperand::Text(text) if is_regex(op) => {
                    tests.push(Test::Regex(Box::new(Regex::from_bytes(text, Flavor::Search)?)));
                }
                LineOperand::Text(text) => texts.push(text.as_slice().into()),
                LineOperand::Ip(_) if is_regex(op) || is_pattern(op) => return Err(StageError::IpOperation),
                LineOperand::Ip(pattern) => tests.push(Test::Ip(IpPattern::parse(pattern)?)),
                LineOperand::Pattern(parts) => tests.push(Test::Pattern(PatternTest::new(parts))),
            }
        }
        // Cheap, so first.
        let mut all = contains(texts);
        all.append(&mut tests);
        Ok(Self { negated, tests: all })
    }

    /// Whether the row stays.
    pub fn run(&self, row: &Row<'_>) -> bool {
        self.keeps(row.line())
    }

    pub fn keeps(&self, line: &[u8]) -> bool {
        self.tests.iter().any(|test| test.holds(line)) != self.negated
    }
}

fn is_regex(op: LineFilterOp) -> bool {
    matches!(op, LineFilterOp::Matches | LineFilterOp::NotMatches)
}

fn is_pattern(op: LineFilterOp) -> bool {
    matches!(op, LineFilterOp::Fits | LineFilterOp::NotFits)
}

/// One test for all the texts. Only texts of gigabytes are too much for one automaton.
fn contains(texts: Vec<Box<[u8]>>) -> Vec<Test> {
    let one = |text: &[u8]| Test::Contains(Box::new(memmem::Finder::new(text).into_owned()));
    if texts.len() > 1
        && let Ok(searcher) = searcher(&texts)
    {
        return vec![Test::ContainsAny(searcher)];
    }
    texts.iter().map(|text| one(text)).collect()
}

impl Test {
    fn holds(&self, line: &[u8]) -> bool {
        match self {
            Self::Always => true,
            Self::Contains(finder) => finder.find(line).is_some(),
            Self::ContainsAny(searcher) => searcher.is_match(line),
            Self::Regex(regex) => regex.is_match(line),
            Self::Ip(pattern) => pattern.is_in(line),
            Self::Pattern(pattern) => pattern.matches(line),
        }
    }
}
