//! Failures of a part of a call. What fails the whole call is a gRPC status.

use larch_types::ErrorKind;

use crate::wire;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    pub kind: ErrorKind,
    pub text: String,
}

impl From<Failure> for wire::types::Failure {
    fn from(failure: Failure) -> Self {
        Self { status: failure.kind.grpc(), text: failure.text }
    }
}

/// Never refused: kinds that a later version may add read as `Internal`.
impl From<wire::types::Failure> for Failure {
    fn from(failure: wire::types::Failure) -> Self {
        Self { kind: ErrorKind::from_grpc(failure.status), text: failure.text }
    }
}
