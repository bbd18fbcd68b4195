//! Calls for rows as they arrive.

use async_trait::async_trait;
use larch_proto::{SubscribeRequest, TailEvent, TailStart};

use crate::{CallError, Headed, TenantContext};

/// Sends rows from a position of one node's WAL on.
///
/// # Cancel safety
/// Dropping the stream ends the subscription.
#[async_trait]
pub trait Tail: Send + Sync {
    /// Ends with the deadline; the caller subscribes again from the last position that it saw.
    async fn subscribe(
        &self,
        context: TenantContext,
        request: SubscribeRequest,
    ) -> Result<Headed<TailStart, TailEvent>, CallError>;
}
