//! The bound on what is sent.

use larch_types::ErrorKind;
use prost::Message;

use crate::{CallError, MessageLimits};

/// The message, if it may be sent. Looked at before tonic does, because a request that tonic refuses
/// breaks off like a lost connection, and would be sent again and again.
pub(super) fn sendable<W: Message>(message: W, limits: MessageLimits) -> Result<W, CallError> {
    let bytes = message.encoded_len();
    if bytes <= limits.max_send_bytes {
        return Ok(message);
    }
    let text = format!("message of {bytes} bytes, the limit is {}", limits.max_send_bytes);
    Err(CallError::new(ErrorKind::TooLarge, text))
}
