//! How a call fails.

use std::convert::Infallible;

use larch_proto::{Failure, InvalidMessage};
use larch_types::ErrorKind;

/// A text is for people, and crosses a network as a header: 8 KiB hold Loki's longest lists of refused
/// entries, and stay below the header limit of `grpc::channel` when every byte is percent-encoded.
pub const MAX_ERROR_TEXT_BYTES: usize = 8 << 10;

/// What stands in place of the rest of a text that was too long.
const CUT: &str = "...";

/// What kind of failure it was, for the caller, and its text, for people. Both arrive unchanged,
/// whether the call went through memory or through a network.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text}")]
pub struct CallError {
    kind: ErrorKind,
    text: String,
}

impl CallError {
    /// A text over [`MAX_ERROR_TEXT_BYTES`] is cut, so that it is the same wherever it is read.
    pub fn new(kind: ErrorKind, text: impl Into<String>) -> Self {
        let mut text: String = text.into();
        if text.len() > MAX_ERROR_TEXT_BYTES {
            text.truncate(text.floor_char_boundary(MAX_ERROR_TEXT_BYTES - CUT.len()));
            text.push_str(CUT);
        }
        Self { kind, text }
    }

    pub fn kind(&self) -> ErrorKind {
        self.kind
    }

    pub fn text(&self) -> &str {
        &self.text
    }

    pub(crate) fn deadline_exceeded() -> Self {
        Self::new(ErrorKind::Timeout, "deadline exceeded")
    }
}

impl From<InvalidMessage> for CallError {
    fn from(error: InvalidMessage) -> Self {
        Self::new(error.kind(), error.to_string())
    }
}

impl From<Failure> for CallError {
    fn from(failure: Failure) -> Self {
        Self::new(failure.kind, failure.text)
    }
}

impl From<CallError> for Failure {
    fn from(error: CallError) -> Self {
        Self { kind: error.kind, text: error.text }
    }
}

/// For messages in which nothing can be wrong.
impl From<Infallible> for CallError {
    fn from(never: Infallible) -> Self {
        match never {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_texts_are_cut_between_characters() {
        let fits = "x".repeat(MAX_ERROR_TEXT_BYTES);
        assert_eq!(CallError::new(ErrorKind::Invalid, fits.clone()).text(), fits);
        for character in ["x", "ä", "日", "😀"] {
            let error = CallError::new(ErrorKind::Invalid, character.repeat(MAX_ERROR_TEXT_BYTES + 1));
            let shown = error.text().strip_suffix(CUT).expect("a cut text says so");
            assert!(error.text().len() <= MAX_ERROR_TEXT_BYTES);
            assert!(error.text().len() > MAX_ERROR_TEXT_BYTES - CUT.len() - 3);
            assert!(shown.chars().all(|c| character.contains(c)));
        }
    }
}
