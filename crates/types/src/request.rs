//! What follows one request through all processes: its id and its trace.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

/// Clients choose request ids too; longer ones would only fill logs.
const MAX_REQUEST_ID_BYTES: usize = 128;

/// The name of one request in the logs of all processes. Visible ASCII.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RequestId(Arc<str>);

#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a request id: 1 to {MAX_REQUEST_ID_BYTES} visible ASCII characters")]
pub struct InvalidRequestId;

impl FromStr for RequestId {
    type Err = InvalidRequestId;

    fn from_str(text: &str) -> Result<Self, InvalidRequestId> {
        let visible = text.bytes().all(|byte| byte.is_ascii_graphic());
        if text.is_empty() || text.len() > MAX_REQUEST_ID_BYTES || !visible {
            return Err(InvalidRequestId);
        }
        Ok(Self(Arc::from(text)))
    }
}

impl RequestId {
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RequestId({})", self.0)
    }
}

/// The caller's place in a distributed trace, as the `traceparent` header of W3C Trace Context has it.
/// Neither id is 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct TraceContext {
    trace_id: u128,
    span_id: u64,
    flags: u8,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a W3C traceparent")]
pub struct InvalidTraceContext;

/// Length of version 00: two digits, 32, 16, two, and three dashes.
const TRACEPARENT_BYTES: usize = 55;

impl TraceContext {
    /// `None` if one of the ids is 0, which names nothing.
    pub const fn new(trace_id: u128, span_id: u64, flags: u8) -> Option<Self> {
        if trace_id == 0 || span_id == 0 {
            return None;
        }
        Some(Self { trace_id, span_id, flags })
    }

    pub const fn trace_id(self) -> u128 {
        self.trace_id
    }

    pub const fn span_id(self) -> u64 {
        self.span_id
    }

    pub const fn flags(self) -> u8 {
        self.flags
    }

    /// Whether the caller keeps its spans.
    pub const fn is_sampled(self) -> bool {
        self.flags & 1 == 1
    }
}

impl FromStr for TraceContext {
    type Err = InvalidTraceContext;

    /// Later versions may only append fields behind a further dash; those are not read.
    fn from_str(text: &str) -> Result<Self, InvalidTraceContext> {
        let version = text.get(..2).and_then(lower_hex).ok_or(InvalidTraceContext)?;
        let known = text.get(..TRACEPARENT_BYTES).ok_or(InvalidTraceContext)?;
        let rest = &text[TRACEPARENT_BYTES..];
        let ends_well = rest.is_empty() || (version > 0 && rest.starts_with('-'));
        if version == 0xff || !ends_well {
            return Err(InvalidTraceContext);
        }
        let fields: Vec<&str> = known.split('-').collect();
        let &[_, trace, span, flags] = fields.as_slice() else { return Err(InvalidTraceContext) };
        if trace.len() != 32 || span.len() != 16 || flags.len() != 2 {
            return Err(InvalidTraceContext);
        }
        let trace_id = lower_hex(trace).ok_or(InvalidTraceContext)?;
        let span_id = lower_hex(span).and_then(|id| u64::try_from(id).ok()).ok_or(InvalidTraceContext)?;
        let flags = lower_hex(flags).and_then(|flags| u8::try_from(flags).ok()).ok_or(InvalidTraceContext)?;
        Self::new(trace_id, span_id, flags).ok_or(InvalidTraceContext)
    }
}

fn lower_hex(digits: &str) -> Option<u128> {
    let is_lower_hex = |byte: u8| byte.is_ascii_digit() || matches!(byte, b'a'..=b'f');
    if !digits.bytes().all(is_lower_hex) {
        return None;
    }
    u128::from_str_radix(digits, 16).ok()
}

impl fmt::Display for TraceContext {
    /// Version 00 of the header.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "00-{:032x}-{:016x}-{:02x}", self.trace_id, self.span_id, self.flags)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn request_ids_are_short_and_visible() {
        assert_eq!("a-1/x".parse::<RequestId>().unwrap().as_str(), "a-1/x");
        for text in ["", "a b", "ä", "a\n", &"x".repeat(129)] {
            assert_eq!(text.parse::<RequestId>(), Err(InvalidRequestId), "{text}");
        }
    }

    #[test]
    fn traceparent_as_the_standard_has_it() {
        let text = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
        let context: TraceContext = text.parse().unwrap();
        assert_eq!(context.to_string(), text);
        assert!(context.is_sampled());
        let later = "cc-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-what-comes";
        assert_eq!(later.parse(), Ok(context));
        for bad in [
            "",
            "00",
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-x",
            "cc-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01x",
            "ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
            "00-0AF7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
            "00-00000000000000000000000000000000-b7ad6b7169203331-01",
            "00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01",
            "00-0af7651916cd43dd8448eb211c80319-cb7ad6b7169203331-01",
            "00-+af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-ä",
        ] {
            assert_eq!(bad.parse::<TraceContext>(), Err(InvalidTraceContext), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn trace_contexts_come_back(trace in 1_u128.., span in 1_u64.., flags in any::<u8>()) {
            let context = TraceContext::new(trace, span, flags).unwrap();
            prop_assert_eq!(context.to_string().parse(), Ok(context));
        }
    }
}
