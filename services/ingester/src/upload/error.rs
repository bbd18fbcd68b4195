//! Why a file is not uploaded, and whether it may be soon.

use larch_rpc::CallError;
use larch_segment::Corrupt;
use larch_store::{CatalogError, StoreError};
use larch_types::ErrorKind;

use super::rewrite::RewriteError;
use crate::note::NoteError;

#[derive(Debug, thiserror::Error)]
pub(crate) enum UploadError {
    #[error("read the file")]
    File(#[source] CallError),
    #[error("read what the segment holds")]
    Segment(#[from] Corrupt),
    #[error("write the segment under another id")]
    Rewrite(#[from] RewriteError),
    #[error("upload the segment")]
    Put(#[from] StoreError),
    #[error("look for what was announced")]
    Find(#[source] CatalogError),
    #[error("announce the segment")]
    Add(#[source] CatalogError),
    #[error("log it")]
    Note(#[from] NoteError),
    #[error("it has to be written again, and the store did not take the last one that was")]
    Waits,
    #[error("it takes longer than a try may")]
    Late,
}

impl UploadError {
    pub(crate) fn kind(&self) -> ErrorKind {
        match self {
            Self::File(error) => error.kind(),
            Self::Segment(error) => error.kind(),
            Self::Rewrite(error) => error.kind(),
            Self::Put(error) => error.kind(),
            Self::Find(error) | Self::Add(error) => error.kind(),
            Self::Note(error) => error.kind(),
            Self::Waits => ErrorKind::Unavailable,
            Self::Late => ErrorKind::Timeout,
        }
    }

    /// Whether the same may succeed soon without anybody doing something about it.
    pub(crate) fn is_transient(&self) -> bool {
        self.kind().row().retryable
    }

    /// With its causes.
    pub(crate) fn text(&self) -> String {
        let mut text = self.to_string();
        let mut cause = std::error::Error::source(self);
        // The first says it all: a failed request prints what the store said.
        if let Some(error) = cause.take() {
            text.push_str(": ");
            text.push_str(&error.to_string());
        }
        text
    }

    /// For whoever waits for the upload. A client is not at fault, whatever it is.
    pub(crate) fn into_call_error(self) -> CallError {
        let kind = if self.is_transient() { ErrorKind::Unavailable } else { ErrorKind::Internal };
        CallError::new(kind, self.text())
    }
}
