//! What can be wrong with a stage before it sees a row, and how rows name what went wrong on them.

use larch_template::ParseError;
use larch_types::ErrorKind;

use crate::regex::RegexError;

/// The value of the error label.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ErrorName {
    Json,
    Logfmt,
    SampleExtraction,
    LabelFilter,
    TemplateFormat,
}

impl ErrorName {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Json => "JSONParserErr",
            Self::Logfmt => "LogfmtParserErr",
            Self::SampleExtraction => "SampleExtractionErr",
            Self::LabelFilter => "LabelFilterErr",
            Self::TemplateFormat => "TemplateFormatErr",
        }
    }
}

/// A stage that cannot be built. The texts stand behind the stage in what users see.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StageError {
    #[error(transparent)]
    Regex(#[from] RegexError),
    #[error("ip: invalid operation")]
    IpOperation,
    #[error("ip: invalid pattern: {}", larch_types::quoted(.0))]
    IpPattern(String),
    #[error("invalid line template: {0}")]
    LineTemplate(ParseError),
    #[error("invalid template for label '{label}': {error}")]
    LabelTemplate { label: String, error: ParseError },
    #[error("multiple label name '{0}' not allowed in a single format operation")]
    FormattedTwice(String),
    #[error("{0} cannot be formatted")]
    FormattedError(String),
    #[error("at least one named capture must be supplied")]
    NoNamedCapture,
    #[error("duplicate extracted label name '{0}'")]
    DuplicateCapture(String),
    #[error("invalid extracted label name '{0}'")]
    CaptureName(String),
    #[error("cannot parse expression [{path}]: {why}")]
    Path { path: String, why: InvalidPath },
}

impl StageError {
    pub fn kind(&self) -> ErrorKind {
        ErrorKind::Invalid
    }
}

/// What is wrong with the path of an extraction.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidPath {
    #[error("syntax error: unexpected {found}{}", expecting(.expected))]
    Unexpected { found: &'static str, expected: &'static [&'static str] },
    #[error("unexpected char {0}")]
    Char(char),
}

fn expecting(expected: &[&str]) -> String {
    if expected.is_empty() { String::new() } else { format!(", expecting {}", expected.join(" or ")) }
}
