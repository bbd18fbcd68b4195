//! Where the parts of an answer go.

use larch_proto::ResultPart;
use larch_rpc::CallError;
use larch_types::ErrorKind;
use tokio::sync::mpsc;

/// A bounded way to whoever takes the report: an answer that nobody takes is not made.
pub(crate) struct Output(mpsc::Sender<Result<ResultPart, CallError>>);

/// Bounds of one part, of entries, samples or texts: it stays far below the bound of a message, and the one
/// who takes it never waits long for the next.
pub(crate) const PART_ITEMS: usize = 4096;
pub(crate) const PART_BYTES: usize = 1 << 20;

impl Output {
    pub(crate) fn new(sender: mpsc::Sender<Result<ResultPart, CallError>>) -> Self {
        Self(sender)
    }

    /// Waits for room.
    pub(crate) async fn send(&self, part: ResultPart) -> Result<(), CallError> {
        self.0
            .send(Ok(part))
            .await
            .map_err(|_| CallError::new(ErrorKind::Cancelled, "nobody takes the answer"))
    }

    /// The last part, if somebody still takes it.
    pub(crate) async fn end(self, end: Result<ResultPart, CallError>) {
        self.0.send(end).await.ok();
    }
}
