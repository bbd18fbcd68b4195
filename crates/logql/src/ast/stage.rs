//! The stages of a pipeline.

use larch_types::Matcher;

use super::{LabelFilter, Text};

/// One step that a line goes through. Regexes, templates, patterns, addresses and paths are kept as
/// written; whoever runs the stage builds its machine from them.
#[derive(Debug, Clone, PartialEq)]
pub enum Stage {
    LineFilter(LineFilter),
    /// Without extractions: every member becomes a label.
    Json(Vec<Extraction>),
    Logfmt(Logfmt),
    /// The regex compiles and names at least one capture.
    Regexp(String),
    /// The pattern has at least one named capture, none twice and none next to another.
    Pattern(String),
    Unpack,
    LabelFilter(LabelFilter),
    /// A template.
    LineFormat(String),
    LabelFormat(Vec<LabelFormat>),
    Decolorize,
    Drop(Vec<LabelTarget>),
    Keep(Vec<LabelTarget>),
}

/// `|= "a" or "b"`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct LineFilter {
    pub op: LineOp,
    /// At least one. Several are joined by `or`, which only operators that keep what they match have:
    /// `!= "a" or "b"` is two filters.
    pub operands: Vec<LineOperand>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum LineOp {
    Contains,
    NotContains,
    Regex,
    NotRegex,
    Pattern,
    NotPattern,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum LineOperand {
    Text(Text),
    /// An address, a network or a range of addresses.
    Ip(String),
}

/// `label="path"` of `json` and `logfmt`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Extraction {
    pub label: String,
    pub path: String,
}

/// `logfmt --strict --keep-empty a="b"`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct Logfmt {
    pub strict: bool,
    pub keep_empty: bool,
    /// None: every pair becomes a label.
    pub extractions: Vec<Extraction>,
}

/// One item of `label_format`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct LabelFormat {
    pub label: String,
    pub value: FormatValue,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum FormatValue {
    /// Takes another label's value and removes that label.
    Rename(String),
    Template(String),
}

/// One item of `drop` or `keep`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum LabelTarget {
    Name(String),
    /// The label, if its value matches.
    Matching(Matcher),
}

impl LineOp {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Contains => "|=",
            Self::NotContains => "!=",
            Self::Regex => "|~",
            Self::NotRegex => "!~",
            Self::Pattern => "|>",
            Self::NotPattern => "!>",
        }
    }

    /// Whether lines that match are dropped.
    pub const fn is_negative(self) -> bool {
        matches!(self, Self::NotContains | Self::NotRegex | Self::NotPattern)
    }
}

impl LabelTarget {
    pub fn name(&self) -> &str {
        match self {
            Self::Name(name) => name,
            Self::Matching(matcher) => &matcher.name,
        }
    }
}
