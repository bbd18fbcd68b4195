//! Failures as gRPC statuses. The numbers come from the one table of kinds in `larch-types`.

use std::error::Error;

use larch_types::ErrorKind;
use tonic::{Code, Status};

use crate::CallError;

pub(super) fn to_status(error: &CallError) -> Status {
    Status::new(Code::from_i32(error.kind().grpc()), error.text())
}

/// A status that a peer sent has no source. One with a source was made here, because the connection
/// failed: then its number tells how, which is of no use to a caller who can only try elsewhere.
pub(super) fn from_status(status: &Status) -> CallError {
    if let Some(source) = status.source() {
        return CallError::new(ErrorKind::Unavailable, chain(status.message(), source));
    }
    let number = status.code().into();
    let kind = ErrorKind::from_grpc(number);
    if kind.grpc() == number {
        return CallError::new(kind, status.message());
    }
    // Not sent by Larch, and perhaps without a word.
    CallError::new(kind, format!("{}: {}", status.code().description(), status.message()))
}

/// The message and its causes, each said once.
fn chain(message: &str, source: &(dyn Error + 'static)) -> String {
    let mut text = message.to_owned();
    let mut cause = Some(source);
    while let Some(error) = cause {
        let said = error.to_string();
        if !text.contains(&said) {
            text.push_str(": ");
            text.push_str(&said);
        }
        cause = error.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use std::io;

    use super::*;

    #[test]
    fn every_kind_comes_back() {
        for row in ErrorKind::table() {
            let error = CallError::new(row.kind, "why: ä 日 %41");
            assert_eq!(from_status(&to_status(&error)), error);
        }
    }

    #[test]
    fn failures_of_the_connection_are_unavailable() {
        let refused = io::Error::new(io::ErrorKind::ConnectionRefused, "connection refused");
        let error = from_status(&Status::from_error(Box::new(refused)));
        assert_eq!(error, CallError::new(ErrorKind::Unavailable, "connection refused"));
    }

    #[test]
    fn numbers_that_larch_never_sends() {
        for code in [Code::Unknown, Code::Unimplemented] {
            let error = from_status(&Status::new(code, "x"));
            assert_eq!(error, CallError::new(ErrorKind::Internal, format!("{}: x", code.description())));
        }
    }
}
