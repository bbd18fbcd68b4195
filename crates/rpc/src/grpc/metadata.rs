//! A call's context as gRPC metadata, and back.

use std::str::FromStr;
use std::time::Duration;

use larch_types::{ErrorKind, RequestId, TraceContext};
use tonic::metadata::{Ascii, MetadataMap, MetadataValue};

use crate::{CallContext, CallError, Deadline, TenantContext};

/// The tenant, as Loki's clients send it.
const TENANT: &str = "x-scope-orgid";
/// The time that is left, as gRPC defines it.
const TIMEOUT: &str = "grpc-timeout";

pub(super) fn write_tenant(context: &TenantContext, metadata: &mut MetadataMap) {
    metadata.insert(TENANT, visible(context.tenant.as_str()));
    write_call(&context.call, metadata);
}

pub(super) fn write_call(context: &CallContext, metadata: &mut MetadataMap) {
    metadata.insert(RequestId::HEADER, visible(context.request.as_str()));
    metadata.insert(TraceContext::HEADER, visible(&context.trace.to_string()));
    metadata.insert(TIMEOUT, visible(&timeout_text(context.deadline.time_left())));
}

#[expect(clippy::expect_used, reason = "tenants, request ids and numbers are visible ASCII by their types")]
fn visible(text: &str) -> MetadataValue<Ascii> {
    text.parse().expect("visible ASCII is a metadata value")
}

pub(super) fn read_tenant(metadata: &MetadataMap) -> Result<TenantContext, CallError> {
    let tenant = parsed(metadata, TENANT)?;
    Ok(TenantContext { tenant, call: read_call(metadata)? })
}

pub(super) fn read_call(metadata: &MetadataMap) -> Result<CallContext, CallError> {
    let left = timeout(required(metadata, TIMEOUT)?).ok_or_else(|| {
        refused(TIMEOUT, "not a number of at most 8 digits with a unit of H, M, S, m, u or n")
    })?;
    Ok(CallContext {
        request: parsed(metadata, RequestId::HEADER)?,
        trace: parsed(metadata, TraceContext::HEADER)?,
        deadline: Deadline::after(left),
    })
}

fn parsed<T>(metadata: &MetadataMap, key: &str) -> Result<T, CallError>
where
    T: FromStr,
    T::Err: ToString,
{
    required(metadata, key)?.parse().map_err(|error: T::Err| refused(key, &error.to_string()))
}

/// The one value. Of two, the wrong one could be believed.
fn required<'a>(metadata: &'a MetadataMap, key: &str) -> Result<&'a str, CallError> {
    let mut values = metadata.get_all(key).iter();
    let first = values.next().ok_or_else(|| refused(key, "missing"))?;
    if values.next().is_some() {
        return Err(refused(key, "more than one value"));
    }
    first.to_str().map_err(|_| refused(key, "not visible ASCII"))
}

/// Metadata is made by Larch itself, so a bad one is no user's mistake.
fn refused(key: &str, reason: &str) -> CallError {
    CallError::new(ErrorKind::Internal, format!("metadata {key}: {reason}"))
}

/// gRPC allows eight digits.
const MAX_TIMEOUT: u128 = 99_999_999;

/// Units with their length in nanoseconds, from the finest, which is used if the digits allow it.
const UNITS: [(char, u128); 6] = [
    ('n', 1),
    ('u', 1_000),
    ('m', 1_000_000),
    ('S', 1_000_000_000),
    ('M', 60_000_000_000),
    ('H', 3_600_000_000_000),
];

/// Rounds up: the caller's own timer is exact, and it is to be the first to end the call.
fn timeout_text(left: Duration) -> String {
    let nanos = left.as_nanos();
    for (unit, length) in UNITS {
        let number = nanos.div_ceil(length);
        if number <= MAX_TIMEOUT {
            return format!("{number}{unit}");
        }
    }
    format!("{MAX_TIMEOUT}H")
}

fn timeout(text: &str) -> Option<Duration> {
    let unit = text.chars().next_back()?;
    let (_, length) = UNITS.iter().find(|(name, _)| *name == unit)?;
    let digits = text.strip_suffix(unit)?;
    if digits.is_empty() || digits.len() > 8 || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let nanos = digits.parse::<u128>().ok()? * length;
    // Eight digits of hours do not fit; nobody waits for 584 years.
    Some(Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX)))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn the_other_side_never_has_less_time(nanos in any::<u64>()) {
            let left = Duration::from_nanos(nanos);
            let back = timeout(&timeout_text(left)).unwrap();
            prop_assert!(back >= left);
            // Eight digits leave an error of less than one in ten million, but for the finest unit.
            prop_assert!(back - left <= left / 1_000_000 + Duration::from_nanos(1));
        }

        #[test]
        fn wild_text_never_panics(text in "\\PC{0,10}|[0-9]{0,10}[HMSmun]?") {
            timeout(&text);
        }
    }

    #[test]
    fn timeouts_round_up_and_come_back() {
        for (left, text) in [
            (Duration::ZERO, "0n"),
            (Duration::from_nanos(1), "1n"),
            (Duration::from_millis(99), "99000000n"),
            (Duration::from_millis(100), "100000u"),
            (Duration::from_nanos(100_000_001), "100001u"),
            (Duration::from_secs(100), "100000m"),
            (Duration::from_secs(86_400), "86400000m"),
            (Duration::from_secs(1 << 27), "2236963M"),
            (Duration::MAX, "99999999H"),
        ] {
            assert_eq!(timeout_text(left), text);
            let back = timeout(text).expect(text);
            assert!(back >= left || left == Duration::MAX, "{text}");
        }
        for text in ["", "S", "1", "1s", "1 S", "-1S", "+1S", "123456789n", "1.5S", "ä", "1ä"] {
            assert_eq!(timeout(text), None, "{text}");
        }
    }
}
