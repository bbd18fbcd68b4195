//! `pattern` and the line filters `|>` and `!>`: literals with gaps between them.

use memchr::memmem;

use crate::stage::{Hints, Row};

/// A pattern as its own small language writes it, already read and checked: no two captures stand side by
/// side.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PatternPart {
    Literal(Vec<u8>),
    /// `<name>`
    Capture(String),
    /// `<_>`
    Unnamed,
}

#[derive(Debug, Clone)]
enum Step {
    Literal(Box<memmem::Finder<'static>>),
    Gap(Option<Box<str>>),
}

#[derive(Debug, Clone)]
pub struct Pattern {
    steps: Vec<Step>,
    hints: Hints,
}

impl Pattern {
    pub fn new(parts: &[PatternPart], hints: Hints) -> Self {
        Self { steps: parts.iter().map(step).collect(), hints }
    }

    /// Literals are found one after the other; a gap takes what is before the next literal. A gap without
    /// its literal takes the whole rest, and those behind it get nothing.
    pub fn run(&self, row: &mut Row<'_>) {
        let Row { line, labels, .. } = row;
        let mut rest = line.bytes();
        if self.hints.is_nothing() || rest.is_empty() {
            return;
        }
        let mut steps = self.steps.as_slice();
        if let Some((Step::Literal(first), behind)) = steps.split_first() {
            let Some(tail) = rest.strip_prefix(first.needle()) else {
                return;
            };
            rest = tail;
            steps = behind;
        }
        let mut steps = steps.iter();
        while let Some(step) = steps.next() {
            let Step::Gap(name) = step else {
                return;
            };
            let (value, tail) = match steps.next() {
                Some(Step::Literal(literal)) => match literal.find(rest) {
                    Some(at) => (&rest[..at], Some(&rest[at + literal.needle().len()..])),
                    None => (rest, None),
                },
                _ => (rest, None),
            };
            if let Some(name) = name {
                labels.extract(name, &self.hints, |out| out.extend_from_slice(value));
            }
            match tail {
                Some(tail) => rest = tail,
                None => return,
            }
        }
    }
}

fn step(part: &PatternPart) -> Step {
    match part {
        PatternPart::Literal(text) => Step::Literal(Box::new(memmem::Finder::new(text).into_owned())),
        PatternPart::Capture(name) => Step::Gap(Some(name.as_str().into())),
        PatternPart::Unnamed => Step::Gap(None),
    }
}

/// Whether a line fits a pattern of literals and unnamed gaps. Gaps hold at least one byte, only the first
/// occurrence of each literal counts, and the first one need not be at the start.
#[derive(Debug, Clone)]
pub(super) struct PatternTest {
    steps: Vec<Step>,
}

impl PatternTest {
    pub(super) fn new(parts: &[PatternPart]) -> Self {
        Self { steps: parts.iter().map(step).collect() }
    }

    pub(super) fn matches(&self, line: &[u8]) -> bool {
        if line.is_empty() || self.steps.is_empty() {
            return line.is_empty() && self.steps.is_empty();
        }
        let mut rest = line;
        for (index, step) in self.steps.iter().enumerate() {
            let Step::Literal(literal) = step else {
                continue;
            };
            match literal.find(rest) {
                None => return false,
                // An empty gap.
                Some(0) if index > 0 => return false,
                Some(at) => rest = &rest[at + literal.needle().len()..],
            }
        }
        let ends_with_gap = matches!(self.steps.last(), Some(Step::Gap(_)));
        ends_with_gap != rest.is_empty()
    }
}
