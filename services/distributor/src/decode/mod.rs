//! From the body of a push to its streams, one decoder a form.
//!
//! A decoder checks only what it must to read on; what a tenant may push is checked behind all of them
//! alike.

mod json;
mod message;
pub(crate) mod otlp;
mod protobuf;

pub(crate) use json::{Dialect, read_json};
pub(crate) use otlp::{Mapping, ResourceLogs, read_otlp_json, read_otlp_protobuf, streams_of};
pub(crate) use protobuf::read_protobuf;

/// Streams, rows and pairs of metadata of one push. A row of two bytes takes a hundred in memory; so
/// many of them are some 400 MB, and more than any limit on the rate lets through.
const MAX_ELEMENTS: u32 = 1 << 22;

/// Bytes that are not in the body but made of what is: the names of nested attributes, which repeat the
/// names around them, and labels of streams, which repeat those of the resource.
const MAX_MADE_BYTES: usize = 64 << 20;

/// A JSON error may repeat the text that it complains of.
const MAX_TEXT_BYTES: usize = 512;

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum DecodeError {
    /// Says where and why, in the words of whoever read it.
    #[error("{0}")]
    Invalid(String),
    #[error("more than {MAX_ELEMENTS} streams, entries and pairs of metadata")]
    TooMany,
    #[error("labels and nested names of attributes come to more than {MAX_MADE_BYTES} bytes")]
    TooLong,
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
        self.take(1)
    }

    fn take(&self, elements: u32) -> Result<(), DecodeError> {
        let left = self.0.get().checked_sub(elements);
        self.0.set(left.unwrap_or(0));
        left.map(|_| ()).ok_or(DecodeError::TooMany)
    }

    fn is_spent(&self) -> bool {
        self.0.get() == 0
    }
}
