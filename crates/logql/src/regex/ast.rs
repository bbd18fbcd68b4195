//! The tree of a pattern.

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Ast {
    /// Matches the empty text.
    Empty,
    Literal(Literal),
    /// The dot; whether it matches a newline too.
    Dot {
        newline: bool,
    },
    Class(Class),
    Assertion(Assertion),
    Capture(Box<Ast>),
    Concat(Vec<Ast>),
    Alternate(Vec<Ast>),
    Repeat(Box<Repeat>),
}

/// Characters one after the other.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Literal {
    pub(super) text: String,
    pub(super) fold: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Class {
    pub(super) negated: bool,
    pub(super) fold: bool,
    pub(super) items: Vec<ClassItem>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum ClassItem {
    Range(char, char),
    /// ASCII ranges such as those of `\d` or `[:alpha:]`.
    Named {
        ranges: &'static [(char, char)],
        negated: bool,
    },
    /// A Unicode property as the other dialect names it.
    Property {
        name: String,
        negated: bool,
    },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Assertion {
    TextStart,
    TextEnd,
    LineStart,
    LineEnd,
    WordBoundary,
    NoWordBoundary,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Repeat {
    pub(super) body: Ast,
    pub(super) min: u32,
    pub(super) max: Option<u32>,
    pub(super) greedy: bool,
    /// Written with braces. Only these count when repetitions inside one another are multiplied.
    pub(super) counted: bool,
}

/// A parsed pattern.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Pattern {
    pub(super) ast: Ast,
    /// By group number; the whole match is number 0 and has no name.
    pub(super) names: Vec<Option<Box<str>>>,
}

impl Ast {
    /// What groups hold, without the groups.
    pub(super) fn bare(&self) -> &Ast {
        let mut ast = self;
        while let Ast::Capture(body) = ast {
            ast = body;
        }
        ast
    }

    /// Whether the test holds for a node of the tree.
    pub(super) fn any(&self, test: fn(&Ast) -> bool) -> bool {
        if test(self) {
            return true;
        }
        match self {
            Ast::Capture(body) => body.any(test),
            Ast::Concat(parts) | Ast::Alternate(parts) => parts.iter().any(|part| part.any(test)),
            Ast::Repeat(repeat) => repeat.body.any(test),
            Ast::Empty | Ast::Literal(_) | Ast::Dot { .. } | Ast::Class(_) | Ast::Assertion(_) => false,
        }
    }

    /// `.*` of either kind; whether its dot matches newlines.
    pub(super) fn dot_star(&self) -> Option<bool> {
        self.dots(0)
    }

    /// The same for `.+`.
    pub(super) fn dot_plus(&self) -> Option<bool> {
        self.dots(1)
    }

    fn dots(&self, min: u32) -> Option<bool> {
        let Ast::Repeat(repeat) = self.bare() else {
            return None;
        };
        match repeat.body.bare() {
            Ast::Dot { newline } if repeat.min == min && repeat.max.is_none() => Some(*newline),
            _ => None,
        }
    }
}
