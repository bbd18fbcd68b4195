//! The header `traceparent` of the W3C recommendation "Trace Context".
//!
//! ```text
//! 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01
//! version, trace id, id of the calling span, flags: all in lower-case hexadecimal digits
//! ```

use std::fmt;
use std::num::{NonZeroU64, NonZeroU128};
use std::str::FromStr;

/// Of version 00. Later versions may add to it behind another hyphen.
const LENGTH: usize = 55;

/// The only flag that is defined: the caller keeps its span of this trace.
const SAMPLED: u8 = 1;

/// What all spans of one request share.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct TraceId(NonZeroU128);

impl TraceId {
    /// Randomness is the caller's. Zero means "no id", so it is not taken.
    pub const fn from_random(random: u128) -> Self {
        match NonZeroU128::new(random) {
            Some(id) => Self(id),
            None => Self(NonZeroU128::MIN),
        }
    }

    pub const fn as_u128(self) -> u128 {
        self.0.get()
    }
}

impl fmt::Display for TraceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

/// A span as other processes name it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TraceParent {
    pub trace_id: TraceId,
    pub span_id: NonZeroU64,
    /// Whether the span is kept by the process that it runs in.
    pub sampled: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a traceparent header")]
pub struct InvalidTraceParent;

impl FromStr for TraceParent {
    type Err = InvalidTraceParent;

    /// Takes any version; of later ones the part that version 00 has.
    fn from_str(text: &str) -> Result<Self, InvalidTraceParent> {
        let (known, more) = text.split_at_checked(LENGTH).ok_or(InvalidTraceParent)?;
        let mut parts = known.split('-');
        let mut part = |digits| hex(parts.next().unwrap_or_default(), digits);
        let (version, trace_id, span_id, flags) = (part(2)?, part(32)?, part(16)?, part(2)?);
        let fits = match version {
            0x00 => more.is_empty(),
            0xff => false,
            _ => more.is_empty() || more.starts_with('-'),
        };
        if !fits {
            return Err(InvalidTraceParent);
        }
        Ok(Self {
            trace_id: TraceId(NonZeroU128::new(trace_id).ok_or(InvalidTraceParent)?),
            span_id: NonZeroU64::new(span_id as u64).ok_or(InvalidTraceParent)?,
            sampled: flags as u8 & SAMPLED != 0,
        })
    }
}

/// Exactly so many lower-case digits.
fn hex(text: &str, digits: usize) -> Result<u128, InvalidTraceParent> {
    let lower_case = text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    if text.len() != digits || !lower_case {
        return Err(InvalidTraceParent);
    }
    u128::from_str_radix(text, 16).map_err(|_| InvalidTraceParent)
}

impl fmt::Display for TraceParent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let flags = if self.sampled { SAMPLED } else { 0 };
        write!(f, "00-{}-{:016x}-{flags:02x}", self.trace_id, self.span_id)
    }
}

/// For fuzzing: what is taken comes back the same.
pub fn fuzz_trace_parent(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let Ok(parent) = text.parse::<TraceParent>() else { return };
    assert_eq!(parent.to_string().parse(), Ok(parent));
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::testing::mutations;

    const GOOD: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

    #[test]
    fn takes_what_the_recommendation_allows() {
        let parent: TraceParent = GOOD.parse().unwrap();
        assert_eq!(parent.trace_id.to_string(), "4bf92f3577b34da6a3ce929d0e0e4736");
        assert_eq!(parent.span_id.get(), 0x00f0_67aa_0ba9_02b7);
        assert!(parent.sampled);
        assert_eq!(parent.to_string(), GOOD);
        for (text, sampled) in [
            ("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00", false),
            ("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-fe", false),
            ("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-03", true),
            ("01-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", true),
            ("cc-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-what the future holds", true),
        ] {
            assert_eq!(text.parse(), Ok(TraceParent { sampled, ..parent }), "{text}");
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
            "cc-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01.more",
            "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
            "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
            "00-+bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "00_4bf92f3577b34da6a3ce929d0e0e4736_00f067aa0ba902b7_01",
            "00-4bf92f3577b34da6a3ce929d0e0e47-3600f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e473é-00f067aa0ba902b7-0",
        ] {
            assert_eq!(text.parse::<TraceParent>(), Err(InvalidTraceParent), "{text}");
        }
    }

    #[test]
    fn any_bytes_are_taken_or_refused() {
        let future = b"cc-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-x";
        mutations(&[GOOD.as_bytes(), future, b"", b"-"], fuzz_trace_parent);
    }

    proptest! {
        #[test]
        fn text_comes_back(trace in any::<u128>(), span in any::<NonZeroU64>(), sampled in any::<bool>()) {
            let parent = TraceParent { trace_id: TraceId::from_random(trace), span_id: span, sampled };
            prop_assert_eq!(parent.to_string().parse(), Ok(parent));
        }
    }
}
