//! What a query is made of.

use std::borrow::Cow;

use larch_types::Span;

use crate::ast::{Conversion, RangeOp, VectorOp};

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Token<'a> {
    pub(crate) kind: TokenKind<'a>,
    /// Byte offsets into the query.
    pub(crate) start: usize,
    pub(crate) end: usize,
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) enum TokenKind<'a> {
    End,
    /// Where the text stops being made of tokens. It is a token so that it is only reported if the parser
    /// gets that far.
    Broken {
        reason: String,
        has_line: bool,
    },
    /// A name, or a character that means nothing.
    Identifier(&'a str),
    String(Cow<'a, [u8]>),
    /// As written: whether it converts to a number is not the lexer's business.
    Number(&'a str),
    Duration(Span),
    Bytes(u64),
    /// `[5m]`.
    Range(Span),
    Flag(Flag),
    Keyword(Keyword),
    RangeOp(RangeOp),
    VectorOp(VectorOp),
    Conversion(Conversion),
    LabelReplace,
    Vector,
    Ip,
    Symbol(Symbol),
}

/// Flags of `logfmt`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Flag {
    Strict,
    KeepEmpty,
}

/// Words that are never names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Keyword {
    Unwrap,
    By,
    Without,
    Bool,
    Offset,
    On,
    Ignoring,
    GroupLeft,
    GroupRight,
    Or,
    And,
    Unless,
    Json,
    Regexp,
    Logfmt,
    Unpack,
    Pattern,
    LabelFormat,
    LineFormat,
    Decolorize,
    Drop,
    Keep,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Symbol {
    OpenBrace,
    CloseBrace,
    OpenParen,
    CloseParen,
    CloseBracket,
    Comma,
    Dot,
    Equal,
    Pipe,
    Plus,
    Minus,
    Star,
    Slash,
    Percent,
    Caret,
    Less,
    Greater,
    LessOrEqual,
    GreaterOrEqual,
    DoubleEqual,
    NotEqual,
    Match,
    NotMatch,
    PipeEqual,
    PipeMatch,
    PipePattern,
    NotPattern,
}

impl TokenKind<'_> {
    /// How a syntax error names it: classes and functions in capitals, the rest as written.
    pub(crate) fn display(&self) -> Cow<'static, str> {
        let name = match self {
            Self::End | Self::Broken { .. } => "$end",
            Self::Identifier(_) => "IDENTIFIER",
            Self::String(_) => "STRING",
            Self::Number(_) => "NUMBER",
            Self::Duration(_) => "DURATION",
            Self::Bytes(_) => "BYTES",
            Self::Range(_) => "RANGE",
            Self::Flag(_) => "FUNCTION_FLAG",
            Self::Keyword(keyword) => keyword.as_str(),
            Self::RangeOp(op) => return op.as_str().to_uppercase().into(),
            Self::VectorOp(op) => return op.as_str().to_uppercase().into(),
            Self::Conversion(Conversion::Bytes) => "BYTES_CONV",
            Self::Conversion(Conversion::Duration) => "DURATION_CONV",
            Self::Conversion(Conversion::DurationSeconds) => "DURATION_SECONDS_CONV",
            Self::Conversion(Conversion::Number) => "NUMBER",
            Self::LabelReplace => "LABEL_REPLACE",
            Self::Vector => "VECTOR",
            Self::Ip => "ip",
            Self::Symbol(symbol) => symbol.as_str(),
        };
        name.into()
    }

    /// Loki loses the line (not the column) of tokens for which its scanner looks ahead by hand, and
    /// reports line 0. Clients parse these texts, so Larch does the same.
    pub(crate) fn has_line(&self) -> bool {
        match self {
            Self::Duration(_) | Self::Bytes(_) | Self::Range(_) | Self::Flag(_) => false,
            Self::Symbol(symbol) => symbol.as_str().len() == 1,
            Self::Broken { has_line, .. } => *has_line,
            _ => true,
        }
    }
}

impl Keyword {
    pub(crate) const ALL: [Self; 22] = [
        Self::Unwrap,
        Self::By,
        Self::Without,
        Self::Bool,
        Self::Offset,
        Self::On,
        Self::Ignoring,
        Self::GroupLeft,
        Self::GroupRight,
        Self::Or,
        Self::And,
        Self::Unless,
        Self::Json,
        Self::Regexp,
        Self::Logfmt,
        Self::Unpack,
        Self::Pattern,
        Self::LabelFormat,
        Self::LineFormat,
        Self::Decolorize,
        Self::Drop,
        Self::Keep,
    ];

    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Unwrap => "unwrap",
            Self::By => "by",
            Self::Without => "without",
            Self::Bool => "bool",
            Self::Offset => "offset",
            Self::On => "on",
            Self::Ignoring => "ignoring",
            Self::GroupLeft => "group_left",
            Self::GroupRight => "group_right",
            Self::Or => "or",
            Self::And => "and",
            Self::Unless => "unless",
            Self::Json => "json",
            Self::Regexp => "regexp",
            Self::Logfmt => "logfmt",
            Self::Unpack => "unpack",
            Self::Pattern => "pattern",
            Self::LabelFormat => "label_format",
            Self::LineFormat => "line_format",
            Self::Decolorize => "decolorize",
            Self::Drop => "drop",
            Self::Keep => "keep",
        }
    }
}

impl Symbol {
    pub(crate) fn of_one(c: char) -> Option<Self> {
        Some(match c {
            '{' => Self::OpenBrace,
            '}' => Self::CloseBrace,
            '(' => Self::OpenParen,
            ')' => Self::CloseParen,
            ']' => Self::CloseBracket,
            ',' => Self::Comma,
            '.' => Self::Dot,
            '=' => Self::Equal,
            '|' => Self::Pipe,
            '+' => Self::Plus,
            '-' => Self::Minus,
            '*' => Self::Star,
            '/' => Self::Slash,
            '%' => Self::Percent,
            '^' => Self::Caret,
            '<' => Self::Less,
            '>' => Self::Greater,
            _ => return None,
        })
    }

    pub(crate) fn of_two(text: &str) -> Option<Self> {
        Some(match text {
            "<=" => Self::LessOrEqual,
            ">=" => Self::GreaterOrEqual,
            "==" => Self::DoubleEqual,
            "!=" => Self::NotEqual,
            "=~" => Self::Match,
            "!~" => Self::NotMatch,
            "|=" => Self::PipeEqual,
            "|~" => Self::PipeMatch,
            "|>" => Self::PipePattern,
            "!>" => Self::NotPattern,
            _ => return None,
        })
    }

    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::OpenBrace => "{",
            Self::CloseBrace => "}",
            Self::OpenParen => "(",
            Self::CloseParen => ")",
            Self::CloseBracket => "]",
            Self::Comma => ",",
            Self::Dot => ".",
            Self::Equal => "=",
            Self::Pipe => "|",
            Self::Plus => "+",
            Self::Minus => "-",
            Self::Star => "*",
            Self::Slash => "/",
            Self::Percent => "%",
            Self::Caret => "^",
            Self::Less => "<",
            Self::Greater => ">",
            Self::LessOrEqual => "<=",
            Self::GreaterOrEqual => ">=",
            Self::DoubleEqual => "==",
            Self::NotEqual => "!=",
            Self::Match => "=~",
            Self::NotMatch => "!~",
            Self::PipeEqual => "|=",
            Self::PipeMatch => "|~",
            Self::PipePattern => "|>",
            Self::NotPattern => "!>",
        }
    }
}
