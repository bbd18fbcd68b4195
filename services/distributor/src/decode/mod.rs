//! From the body of a push to its streams, one decoder a form.
//!
//! A decoder checks only what it must to read on; what a tenant may push is checked behind all of them
//! alike.

mod json;
mod protobuf;

pub(crate) use json::{Dialect, read_json};
pub(crate) use protobuf::read_protobuf;

/// Streams, rows and pairs of metadata of one push. A row of two bytes takes a hundred in memory; so
/// many of them are some 400 MB, and more than any limit on the rate lets through.
const MAX_ELEMENTS: u32 = 1 << 22;

/// A JSON error may repeat the text that it complains of.
const MAX_TEXT_BYTES: usize = 512;

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum DecodeError {
    /// Says where and why, in the words of whoever read it.
    #[error("{0}")]
    Invalid(String),
    #[error("more than {MAX_ELEMENTS} streams, entries and pairs of metadata")]
    TooMany,
}

impl DecodeError {
    fn invalid(text: impl Into<String>) -> Self {
        let mut text: String = text.into();
        text.truncate(text.floor_char_boundary(MAX_TEXT_BYTES));
        Self::Invalid(text)
    }
}

/// How many elements may still come.
#[derive(Debug)]
pub(crate) struct Allowance(std::cell::Cell<u32>);

impl Allowance {
    fn of(elements: u32) -> Self {
        Self(std::cell::Cell::new(elements))
    }

    fn take_one(&self) -> Result<(), DecodeError> {
        self.0.set(self.0.get().checked_sub(1).ok_or(DecodeError::TooMany)?);
        Ok(())
    }

    fn is_spent(&self) -> bool {
        self.0.get() == 0
    }
}
