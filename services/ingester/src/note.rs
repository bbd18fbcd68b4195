//! What the log is told besides pushes: which files there are, and what became of them.

use bytes::Bytes;
use larch_proto::WalPosition;
use larch_types::ErrorKind;
use larch_wal::AppendError;
use tokio::sync::oneshot;

use crate::append::Waiting;
use crate::node::Node;

/// Why the log does not say it.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NoteError {
    #[error(transparent)]
    Log(#[from] AppendError),
    #[error("the process stops")]
    Stopped,
}

/// A record on its way into the log.
pub(crate) struct Noting(oneshot::Receiver<Result<WalPosition, AppendError>>);

impl NoteError {
    pub(crate) fn kind(&self) -> ErrorKind {
        match self {
            Self::Log(error) => error.kind(),
            Self::Stopped => ErrorKind::Unavailable,
        }
    }
}

impl Noting {
    /// Where it is, once it is durable.
    pub(crate) async fn done(self) -> Result<WalPosition, NoteError> {
        Ok(self.0.await.map_err(|_| NoteError::Stopped)??)
    }
}

/// Puts a record behind all that were given to the log before. What is noted makes room, and may use what is
/// kept for that.
pub(crate) fn begin_note(node: &Node, record: Bytes) -> Result<Noting, NoteError> {
    let (answer, logged) = oneshot::channel();
    node.log.append_reserved(record, Waiting::Note(answer)).map_err(|(problem, _)| problem)?;
    Ok(Noting(logged))
}

pub(crate) async fn note(node: &Node, record: Bytes) -> Result<WalPosition, NoteError> {
    begin_note(node, record)?.done().await
}
