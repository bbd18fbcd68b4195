//! Numbers and sizes as texts that a query can hold.

use crate::float::{shortest, six_decimals};

/// A number that is an operand. What is no literal is written as the operation that makes it.
pub(super) fn literal(value: f64) -> String {
    if value.is_nan() {
        return "(0 / 0)".to_owned();
    }
    if value.is_infinite() {
        return if value > 0.0 { "(1e+308 * 10)" } else { "(-1e+308 * 10)" }.to_owned();
    }
    if is_negative_zero(value) {
        return NEGATIVE_ZERO.to_owned();
    }
    shortest(value)
}

/// A number without an exponent.
pub(super) fn plain(value: f64) -> String {
    if is_negative_zero(value) { NEGATIVE_ZERO.to_owned() } else { format!("{value}") }
}

/// A number with six decimals, or with as many as it needs.
pub(super) fn decimals(value: f64) -> String {
    let six = six_decimals(value);
    if six.parse() == Ok(value) { six } else { plain(value) }
}

/// Rounded to what people read if that loses nothing, else in bytes.
pub(super) fn size(bytes: u64) -> String {
    const UNITS: [(&str, u64); 6] = [
        ("PB", 1_000_000_000_000_000),
        ("TB", 1_000_000_000_000),
        ("GB", 1_000_000_000),
        ("MB", 1_000_000),
        ("kB", 1_000),
        ("B", 1),
    ];
    let Some((name, unit)) = UNITS.into_iter().find(|(_, unit)| bytes >= *unit) else {
        return "0B".to_owned();
    };
    let (whole, rest) = (bytes / unit, bytes % unit);
    // Below ten of a unit there is one decimal.
    if unit > 1 && whole < 10 && rest.is_multiple_of(unit / 10) {
        let number = format!("{whole}.{}", rest / (unit / 10));
        // Reading it multiplies floats, which may miss.
        if number.parse::<f64>().is_ok_and(|number| (number * unit as f64) as u64 == bytes) {
            return number + name;
        }
    }
    // From a thousand of the largest unit on, Loki uses one that queries cannot hold.
    if rest == 0 && (unit == 1 || (10..1000).contains(&whole)) {
        return format!("{whole}{name}");
    }
    format!("{bytes}B")
}

/// `-0` would be read as a duration.
const NEGATIVE_ZERO: &str = "-0.0";

fn is_negative_zero(value: f64) -> bool {
    value == 0.0 && value.is_sign_negative()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes() {
        for (bytes, text) in [
            (0, "0B"),
            (7, "7B"),
            (999, "999B"),
            (1000, "1.0kB"),
            (1500, "1.5kB"),
            (1536, "1536B"),
            (5_000_000, "5.0MB"),
            (12_000, "12kB"),
            (12_300, "12300B"),
            (999_000_000_000_000_000, "999PB"),
            (1_000_000_000_000_000_000, "1000000000000000000B"),
        ] {
            assert_eq!(size(bytes), text);
        }
    }

    #[test]
    fn numbers() {
        for (value, text) in [(5.0, "5.000000"), (0.25, "0.250000"), (1e-9, "0.000000001")] {
            assert_eq!(decimals(value), text);
        }
        assert_eq!(literal(f64::NAN), "(0 / 0)");
        assert_eq!(literal(-0.0), "-0.0");
        assert_eq!(plain(1e21), "1000000000000000000000");
    }
}
