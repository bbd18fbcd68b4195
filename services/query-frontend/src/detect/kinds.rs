//! What a value looks like.

use larch_types::Span;

/// In the order in which they are tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum FieldKind {
    Integer,
    Number,
    Switch,
    Duration,
    Bytes,
    Text,
}

impl FieldKind {
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Integer => "int",
            Self::Number => "float",
            Self::Switch => "boolean",
            Self::Duration => "duration",
            Self::Bytes => "bytes",
            Self::Text => "string",
        }
    }
}

/// Words that Go reads as true or false. Their digits are numbers before.
const SWITCHES: [&str; 10] = ["t", "T", "TRUE", "true", "True", "f", "F", "FALSE", "false", "False"];

pub(super) fn kind_of(value: &str) -> FieldKind {
    if value.parse::<i64>().is_ok() {
        FieldKind::Integer
    } else if is_number(value) {
        FieldKind::Number
    } else if SWITCHES.contains(&value) {
        FieldKind::Switch
    } else if Span::parse_go(value).is_ok() {
        FieldKind::Duration
    } else if parse_bytes(value).is_some() {
        FieldKind::Bytes
    } else {
        FieldKind::Text
    }
}

pub(super) fn is_number(value: &str) -> bool {
    value.parse::<f64>().is_ok()
}

/// Thirty-two hexadecimal digits with dashes where ids have them.
pub(super) fn is_uuid(value: &str) -> bool {
    value.len() == 36
        && value.bytes().enumerate().all(|(place, byte)| match place {
            8 | 13 | 18 | 23 => byte == b'-',
            _ => byte.is_ascii_hexdigit(),
        })
}

/// A size as people write it: `12 MB`, `3KiB`, `1,024 b`.
pub(super) fn parse_bytes(value: &str) -> Option<u64> {
    let digits = value.find(|c: char| !c.is_ascii_digit() && c != '.' && c != ',').unwrap_or(value.len());
    let number: f64 = value[..digits].replace(',', "").parse().ok()?;
    let unit = value[digits..].trim().to_ascii_lowercase();
    let power = match unit.trim_end_matches('b').trim_end_matches('i') {
        "" if unit.is_empty() || unit == "b" => 0,
        "k" => 1,
        "m" => 2,
        "g" => 3,
        "t" => 4,
        "p" => 5,
        "e" => 6,
        _ => return None,
    };
    let base: f64 = if unit.contains('i') { 1024.0 } else { 1000.0 };
    let bytes = number * base.powi(power);
    // 2^64, the first size that does not fit.
    (bytes < 18_446_744_073_709_551_616.0).then_some(bytes as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds() {
        for (value, name) in [
            ("0", "int"),
            ("-9223372036854775808", "int"),
            ("9223372036854775808", "float"),
            ("1.5", "float"),
            ("1e3", "float"),
            ("NaN", "float"),
            ("true", "boolean"),
            ("F", "boolean"),
            ("TrUe", "string"),
            ("1.5s", "duration"),
            ("-2h45m", "duration"),
            ("5m", "duration"),
            ("12MB", "bytes"),
            ("3 KiB", "bytes"),
            ("1,024 b", "bytes"),
            ("5 M", "bytes"),
            ("12XB", "string"),
            ("MB", "string"),
            ("", "string"),
            ("x", "string"),
        ] {
            assert_eq!(kind_of(value).name(), name, "{value}");
        }
    }

    #[test]
    fn sizes() {
        for (value, bytes) in [("12 MB", 12_000_000), ("3KiB", 3072), ("1.5kb", 1500), ("7", 7), ("2 b", 2)] {
            assert_eq!(parse_bytes(value), Some(bytes), "{value}");
        }
        for value in ["1 bi", "1ib", "20EiB", "b", ".", "1 kbb b"] {
            assert_eq!(parse_bytes(value), None, "{value}");
        }
    }

    #[test]
    fn ids() {
        assert!(is_uuid("f81d4fae-7dec-11d0-a765-00a0c91e6bf6"));
        assert!(!is_uuid("f81d4fae-7dec-11d0-a765-00a0c91e6bfg"));
        assert!(!is_uuid("f81d4fae07dec-11d0-a765-00a0c91e6bf6"));
        assert!(!is_uuid(""));
    }
}
