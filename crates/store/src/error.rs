//! How a request to the store fails, and whether trying again can help.

use std::error::Error;
use std::fmt;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use larch_types::ErrorKind;
use object_store::client::{HttpError, HttpErrorKind};

use crate::http::{Answer, RequestFailure};

/// What was asked of the store.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Operation {
    Put,
    Get,
    GetRange,
    Head,
    List,
    Delete,
}

/// What went wrong, as far as a caller can act on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Failure {
    /// There is no such object.
    Missing,
    /// The store refuses for ever: credentials, permissions, a bucket that does not exist.
    Refused,
    /// The store cannot at the moment, or cannot be reached.
    Unavailable,
    /// There was no answer in time.
    Late,
    /// The object is shorter than whoever asked was told.
    Short,
    /// The object is larger than whoever asked can use.
    TooLarge,
    /// The last moment at which the object may be written has passed.
    Expired,
    /// What is to be written cannot be read, or another thing of this machine failed.
    Local,
}

impl Failure {
    /// Whether the same request may succeed soon.
    pub const fn is_transient(self) -> bool {
        matches!(self, Self::Unavailable | Self::Late)
    }

    const fn text(self) -> &'static str {
        match self {
            Self::Missing => "no such object",
            Self::Refused => "the store refuses",
            Self::Unavailable => "the store is not available",
            Self::Late => "no answer in time",
            Self::Short => "the object is shorter than was said",
            Self::TooLarge => "the object is too large",
            Self::Expired => "too late to be written",
            Self::Local => "failed on this side",
        }
    }
}

/// A request that failed, its tries included. Cheap to clone, so that all who wait for one request can be
/// told.
#[derive(Debug, Clone)]
pub struct StoreError {
    operation: Operation,
    /// The key or folder, below the store's prefix.
    key: Arc<str>,
    failure: Failure,
    tries: u32,
    source: Option<Arc<dyn Error + Send + Sync>>,
}

impl StoreError {
    pub(crate) fn new(operation: Operation, key: &str, failure: Failure) -> Self {
        Self { operation, key: key.into(), failure, tries: 1, source: None }
    }

    pub(crate) fn caused_by(mut self, source: impl Error + Send + Sync + 'static) -> Self {
        self.source = Some(Arc::new(source));
        self
    }

    pub(crate) fn of(operation: Operation, key: &str, error: object_store::Error) -> Self {
        Self::new(operation, key, classify(&error)).caused_by(error)
    }

    pub(crate) fn after(mut self, tries: u32) -> Self {
        self.tries = tries;
        self
    }

    pub(crate) fn late(operation: Operation, key: &str, limit: Duration) -> Self {
        Self::new(operation, key, Failure::Late).caused_by(RequestFailure::Late(limit))
    }

    /// A range that is not inside what it belongs to.
    pub(crate) fn short(key: &str) -> Self {
        Self::new(Operation::GetRange, key, Failure::Short)
    }

    pub fn operation(&self) -> Operation {
        self.operation
    }

    pub fn key(&self) -> &str {
        &self.key
    }

    pub fn failure(&self) -> Failure {
        self.failure
    }

    pub fn is_missing(&self) -> bool {
        self.failure == Failure::Missing
    }

    /// For whoever passes the failure on to a client. That the store refuses is no fault of the client.
    pub fn kind(&self) -> ErrorKind {
        match self.failure {
            Failure::Missing => ErrorKind::NotFound,
            Failure::Refused | Failure::TooLarge | Failure::Local => ErrorKind::Internal,
            Failure::Unavailable | Failure::Expired => ErrorKind::Unavailable,
            Failure::Late => ErrorKind::Timeout,
            Failure::Short => ErrorKind::Corrupt,
        }
    }
}

impl fmt::Display for StoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}: {}", self.operation.as_str(), self.key, self.failure.text())?;
        if self.tries > 1 {
            write!(f, ", after {} tries", self.tries)?;
        }
        match self.source.as_deref() {
            Some(source) if self.failure != Failure::Missing => write!(f, " ({})", reason(source)),
            _ => Ok(()),
        }
    }
}

/// The source is what the client of the store printed; its chain holds the whole story.
impl Error for StoreError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.source.as_deref().map(|source| source as _)
    }
}

impl Operation {
    /// In errors and logs.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Put => "put",
            Self::Get => "get",
            Self::GetRange => "get range of",
            Self::Head => "head",
            Self::List => "list",
            Self::Delete => "delete",
        }
    }
}

/// What the store answered, or the innermost words of the chain: those around them repeat what they hold.
fn reason(error: &(dyn Error + Send + Sync + 'static)) -> String {
    let mut link: Option<&(dyn Error + 'static)> = Some(error);
    while let Some(error) = link {
        if let Some(answer) = error.downcast_ref::<Answer>() {
            return answer.to_string();
        }
        link = error.source();
    }
    innermost(error).to_string()
}

fn innermost<'a>(error: &'a (dyn Error + 'static)) -> &'a (dyn Error + 'static) {
    let mut error = error;
    while let Some(source) = error.source() {
        error = source;
    }
    error
}

/// The kinds that `object_store` tells apart, and for the rest what is in its chain of causes.
pub(crate) fn classify(error: &object_store::Error) -> Failure {
    match error {
        object_store::Error::NotFound { .. } => Failure::Missing,
        object_store::Error::Generic { source, .. } => classify_chain(source.as_ref()),
        object_store::Error::JoinError { .. } => Failure::Local,
        // Nothing is written under conditions here: the store is busy with the same key.
        object_store::Error::AlreadyExists { .. } => Failure::Unavailable,
        _ => Failure::Refused,
    }
}

fn classify_chain(error: &(dyn Error + 'static)) -> Failure {
    let mut link = Some(error);
    let mut connection = None;
    while let Some(error) = link {
        if let Some(answer) = error.downcast_ref::<Answer>() {
            return classify_answer(answer);
        }
        if let Some(failure) = error.downcast_ref::<RequestFailure>() {
            return match failure {
                RequestFailure::Plain => Failure::Refused,
                RequestFailure::Late(_) => Failure::Late,
            };
        }
        if let Some(error) = error.downcast_ref::<HttpError>() {
            connection = Some(if error.kind() == HttpErrorKind::Timeout {
                Failure::Late
            } else {
                Failure::Unavailable
            });
        } else if let (None, Some(error)) = (connection, error.downcast_ref::<io::Error>()) {
            return classify_io(error);
        }
        link = error.source();
    }
    connection.unwrap_or(Failure::Refused)
}

fn classify_answer(answer: &Answer) -> Failure {
    match answer.status {
        408 | 425 | 429 | 500 | 502..=599 => Failure::Unavailable,
        // Of a client's bad requests one is the store's impatience with a slow network.
        400 if answer.code == "RequestTimeout" => Failure::Unavailable,
        416 => Failure::Short,
        _ => Failure::Refused,
    }
}

/// Of a local disk. A file that is not there may be one with credentials: it says nothing of the object.
pub(crate) fn classify_io(error: &io::Error) -> Failure {
    match error.kind() {
        io::ErrorKind::NotFound | io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => {
            Failure::Refused
        }
        // Somebody may make room.
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::FileTooLarge => {
            Failure::Unavailable
        }
        io::ErrorKind::Interrupted | io::ErrorKind::ResourceBusy | io::ErrorKind::TimedOut => {
            Failure::Unavailable
        }
        _ => Failure::Local,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn generic(source: impl Error + Send + Sync + 'static) -> object_store::Error {
        object_store::Error::Generic { store: "test", source: Box::new(source) }
    }

    fn answer(status: u16, code: &str) -> object_store::Error {
        let xml = format!("<Error><Code>{code}</Code><Message>why</Message></Error>");
        generic(HttpError::new(HttpErrorKind::Unknown, Answer::parse(status, xml.as_bytes())))
    }

    #[test]
    fn only_what_may_pass_is_tried_again() {
        let io = |kind| generic(io::Error::from(kind));
        for (error, want) in [
            (answer(500, "InternalError"), Failure::Unavailable),
            (answer(503, "SlowDown"), Failure::Unavailable),
            (answer(429, ""), Failure::Unavailable),
            (answer(400, "RequestTimeout"), Failure::Unavailable),
            (answer(400, "InvalidArgument"), Failure::Refused),
            (answer(403, "InvalidAccessKeyId"), Failure::Refused),
            (answer(404, "NoSuchBucket"), Failure::Refused),
            (answer(501, "NotImplemented"), Failure::Refused),
            (answer(416, "InvalidRange"), Failure::Short),
            (
                generic(HttpError::new(HttpErrorKind::Timeout, RequestFailure::Late(Duration::ZERO))),
                Failure::Late,
            ),
            (
                generic(HttpError::new(HttpErrorKind::Connect, io::Error::from(io::ErrorKind::NotFound))),
                Failure::Unavailable,
            ),
            (generic(HttpError::new(HttpErrorKind::Unknown, RequestFailure::Plain)), Failure::Refused),
            (io(io::ErrorKind::NotFound), Failure::Refused),
            (io(io::ErrorKind::PermissionDenied), Failure::Refused),
            (io(io::ErrorKind::StorageFull), Failure::Unavailable),
            (io(io::ErrorKind::Other), Failure::Local),
            (generic(fmt::Error), Failure::Refused),
        ] {
            assert_eq!(classify(&error), want, "{error:?}");
        }
    }

    #[test]
    fn says_what_the_store_said() {
        let error = StoreError::of(Operation::Get, "t/seg/x", answer(403, "AccessDenied")).after(3);
        assert_eq!(
            error.to_string(),
            "get t/seg/x: the store refuses, after 3 tries (the store answers 403 AccessDenied: why)"
        );
        let error = StoreError::late(Operation::List, "t/cat/", Duration::from_secs(30));
        assert_eq!(error.to_string(), "list t/cat/: no answer in time (no answer within 30s)");
        assert_eq!(error.kind(), ErrorKind::Timeout);
        assert_eq!(
            StoreError::new(Operation::Head, "x", Failure::Missing).to_string(),
            "head x: no such object"
        );
    }
}
