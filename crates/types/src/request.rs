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
    /// The header that carries it, in lower case as HTTP/2 wants it.
    pub const HEADER: &str = "x-request-id";

    /// For a request that brings none of its own. Randomness is the caller's.
    pub fn from_random(random: u64) -> Self {
        Self(Arc::from(format!("{random:016x}")))
    }

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

/// A span as other processes name it: the caller's place in a distributed trace, as the `traceparent`
/// header of W3C Trace Context has it. Neither id is 0.
///
/// ```text
/// 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01
/// version, trace id, id of the calling span, flags: all in lower-case hexadecimal digits
/// ```
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
    /// The header that carries it.
    pub const HEADER: &str = "traceparent";

    /// The flag of a caller that keeps its spans.
    pub const SAMPLED: u8 = 1;

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
        self.flags & Self::SAMPLED != 0
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

/// For fuzzing: what is taken comes back the same.
pub fn fuzz_trace_context(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let Ok(context) = text.parse::<TraceContext>() else { return };
    assert_eq!(context.to_string().parse(), Ok(context));
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const GOOD: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

    #[test]
    fn request_ids_are_short_and_visible() {
        assert_eq!("a-1/x".parse::<RequestId>().unwrap().as_str(), "a-1/x");
        for text in ["", "a b", "ä", "a\n", &"x".repeat(129)] {
            assert_eq!(text.parse::<RequestId>(), Err(InvalidRequestId), "{text}");
        }
    }

    #[test]
    fn request_ids_are_made_of_any_number() {
        for (random, text) in [(0, "0000000000000000"), (u64::MAX, "ffffffffffffffff")] {
            let id = RequestId::from_random(random);
            assert_eq!(id.as_str(), text);
            assert_eq!(text.parse(), Ok(id), "it is what the check allows");
        }
    }

    #[test]
    fn takes_what_the_standard_allows() {
        let context: TraceContext = GOOD.parse().unwrap();
        assert_eq!(context.trace_id(), 0x4bf9_2f35_77b3_4da6_a3ce_929d_0e0e_4736);
        assert_eq!(context.span_id(), 0x00f0_67aa_0ba9_02b7);
        assert!(context.is_sampled());
        assert_eq!(context.to_string(), GOOD);
        for (text, flags, sampled) in [
            ("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00", 0, false),
            ("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-fe", 0xfe, false),
            ("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-03", 3, true),
            ("01-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", 1, true),
            ("cc-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-what the future holds", 1, true),
        ] {
            let parsed: TraceContext = text.parse().unwrap();
            assert_eq!(parsed, TraceContext { flags, ..context }, "{text}");
            assert_eq!(parsed.is_sampled(), sampled, "{text}");
        }
    }

    #[test]
    fn refuses_the_rest() {
        for text in [
            "",
            "00",
            &GOOD[..54],
            &format!("{GOOD} "),
            &format!("{GOOD}-01"),
            "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "cc-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01x",
            "cc-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01.more",
            "00-4BF92F3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
            "00-+bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "00_4bf92f3577b34da6a3ce929d0e0e4736_00f067aa0ba902b7_01",
            "00-4bf92f3577b34da6a3ce929d0e0e473-600f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e47-3600f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e473é-00f067aa0ba902b7-0",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-ä",
        ] {
            assert_eq!(text.parse::<TraceContext>(), Err(InvalidTraceContext), "{text}");
        }
    }

    /// 20,000 mutations of headers, the same ones in every run.
    #[test]
    fn any_bytes_are_taken_or_refused() {
        let future = b"cc-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-x";
        let corpus = [GOOD.as_bytes(), future, b"", b"-"];
        for seed in corpus {
            fuzz_trace_context(seed);
        }
        let mut random = 0x9e37_79b9_7f4a_7c15_u64;
        let mut next = move |below: usize| {
            // xorshift64: any sequence will do, as long as it is always this one.
            random ^= random << 13;
            random ^= random >> 7;
            random ^= random << 17;
            usize::try_from(random % below as u64).unwrap_or_default()
        };
        for _ in 0..20_000 {
            let mut data = corpus[next(corpus.len())].to_vec();
            for _ in 0..=next(8) {
                let at = next(data.len() + 1);
                match next(4) {
                    0 => data.insert(at, next(256) as u8),
                    1 => data.truncate(at),
                    2 if at < data.len() => data[at] ^= 1 << next(8),
                    _ => data.extend_from_within(at..),
                }
            }
            fuzz_trace_context(&data);
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
