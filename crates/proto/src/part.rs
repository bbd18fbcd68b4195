//! Streams that begin with one head.

/// One message of such a stream. The head is the first and comes once; `larch-rpc` sees to that.
#[derive(Debug, Clone, PartialEq)]
pub enum Part<H, B> {
    Head(H),
    Body(B),
}
