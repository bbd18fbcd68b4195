//! Numbers as clients of Loki read them.

use std::io::Write;

use larch_types::Timestamp;

/// Appends a whole number.
pub(crate) fn whole(out: &mut Vec<u8>, number: impl std::fmt::Display) {
    let written = write!(out, "{number}");
    debug_assert!(written.is_ok(), "writing to memory does not fail");
}

/// Seconds with at most three digits behind the point: never an exponent, no zeros at the end.
pub(super) fn seconds(out: &mut Vec<u8>, time: Timestamp) {
    // Milliseconds of times before 1970 are counted down from the second, as Prometheus counts them.
    let millis = time.millis();
    if millis < 0 {
        out.push(b'-');
    }
    let millis = millis.unsigned_abs();
    whole(out, millis / 1000);
    let fraction = millis % 1000;
    if fraction > 0 {
        let digits = format!("{fraction:03}");
        out.push(b'.');
        out.extend_from_slice(digits.trim_end_matches('0').as_bytes());
    }
}

/// The shortest decimal that reads as the same number, without an exponent.
pub fn sample_value(value: f64) -> String {
    if value.is_nan() {
        "NaN".to_owned()
    } else if value.is_infinite() {
        if value > 0.0 { "+Inf".to_owned() } else { "-Inf".to_owned() }
    } else {
        value.to_string()
    }
}

/// A fraction as a JSON number. What is no number is nothing.
pub(super) fn fraction(out: &mut Vec<u8>, value: f64) {
    whole(out, if value.is_finite() { value } else { 0.0 });
}

/// Bytes for people in powers of 1000, as Loki's logs and detected fields have them: `82kB`, `1.2MB`.
pub fn byte_text(bytes: u64) -> String {
    const UNITS: [&str; 7] = ["B", "kB", "MB", "GB", "TB", "PB", "EB"];
    if bytes < 10 {
        return format!("{bytes}B");
    }
    let mut value = bytes as f64;
    let mut unit = 0;
    while value >= 1000.0 && unit + 1 < UNITS.len() {
        value /= 1000.0;
        unit += 1;
    }
    let rounded = (value * 10.0 + 0.5).floor() / 10.0;
    if rounded < 10.0 {
        format!("{rounded:.1}{}", UNITS[unit])
    } else {
        format!("{rounded:.0}{}", UNITS[unit])
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn shown(time: Timestamp) -> String {
        let mut out = Vec::new();
        seconds(&mut out, time);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn times() {
        for (millis, text) in [
            (1_790_812_800_000, "1790812800"),
            (1_790_812_800_500, "1790812800.5"),
            (1_790_812_800_123, "1790812800.123"),
            (1_790_812_800_010, "1790812800.01"),
            (0, "0"),
            (-500, "-0.5"),
            (-1500, "-1.5"),
            (-2000, "-2"),
        ] {
            assert_eq!(shown(Timestamp::from_millis(millis)), text);
        }
        assert_eq!(shown(Timestamp::from_nanos(1_999_999)), "0.001");
        assert_eq!(shown(Timestamp::MAX), "9223372036.854");
    }

    #[test]
    fn values() {
        for (value, text) in [
            (12.0, "12"),
            (0.1, "0.1"),
            (1e23, "100000000000000000000000"),
            (1e-9, "0.000000001"),
            (f64::NAN, "NaN"),
            (f64::INFINITY, "+Inf"),
            (f64::NEG_INFINITY, "-Inf"),
            (-0.0, "-0"),
            (0.005, "0.005"),
            (0.0016666666666666668, "0.0016666666666666668"),
        ] {
            assert_eq!(sample_value(value), text);
        }
    }

    #[test]
    fn sizes() {
        for (bytes, text) in [
            (0, "0B"),
            (9, "9B"),
            (10, "10B"),
            (999, "999B"),
            (1000, "1.0kB"),
            (1500, "1.5kB"),
            (82_854, "83kB"),
            (12_000_000, "12MB"),
            (u64::MAX, "18EB"),
        ] {
            assert_eq!(byte_text(bytes), text, "{bytes}");
        }
    }

    proptest! {
        #[test]
        fn values_come_back(bits in any::<u64>()) {
            let value = f64::from_bits(bits);
            let text = sample_value(value);
            prop_assert!(!text.contains('e'));
            let read: f64 = text.parse().unwrap();
            prop_assert!(read.to_bits() == value.to_bits() || (read.is_nan() && value.is_nan()));
        }

        #[test]
        fn times_are_json_numbers(nanos in any::<i64>()) {
            let text = shown(Timestamp::from_nanos(nanos));
            let read: f64 = serde_json::from_str(&text).unwrap();
            prop_assert!((read * 1000.0 - nanos.div_euclid(1_000_000) as f64).abs() <= 1.0);
        }
    }
}
