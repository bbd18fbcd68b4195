//! What Go says about a pattern that it refuses.

use larch_types::ErrorKind;

#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum RegexFault {
    #[error("invalid character class range")]
    ClassRange,
    #[error("invalid escape sequence")]
    Escape,
    #[error("invalid UTF-8")]
    Utf8,
    #[error("invalid named capture")]
    NamedCapture,
    #[error("invalid or unsupported Perl syntax")]
    PerlSyntax,
    #[error("invalid nested repetition operator")]
    NestedRepetition,
    #[error("invalid repeat count")]
    RepeatCount,
    #[error("missing closing ]")]
    MissingBracket,
    #[error("missing closing )")]
    MissingParen,
    #[error("missing argument to repetition operator")]
    MissingRepeatArgument,
    #[error("trailing backslash at end of expression")]
    TrailingBackslash,
    #[error("unexpected )")]
    UnexpectedParen,
    #[error("expression nests too deeply")]
    Nesting,
    #[error("expression too large")]
    TooLarge,
}

/// The reason and the part of the pattern that it is about.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("error parsing regexp: {fault}: `{fragment}`")]
pub struct RegexError {
    pub fault: RegexFault,
    pub fragment: String,
}

impl RegexError {
    pub(super) fn new(fault: RegexFault, fragment: impl Into<String>) -> Self {
        Self { fault, fragment: fragment.into() }
    }

    pub fn kind(&self) -> ErrorKind {
        ErrorKind::Invalid
    }
}
