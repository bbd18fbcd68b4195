//! Sizes in bytes as configuration writes them: `256KB`, `3MB`, `1024`; KB is 1024 bytes.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A number of bytes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ByteSize(u64);

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not a valid size: {}, expected a whole number of bytes or one with a unit such as 256KB or 3MB", crate::quoted(.0))]
pub struct InvalidByteSize(String);

/// From the largest down, so that printing finds the largest unit that divides.
const UNITS: [(&str, u32); 6] = [("E", 60), ("P", 50), ("T", 40), ("G", 30), ("M", 20), ("K", 10)];

impl ByteSize {
    pub const fn bytes(bytes: u64) -> Self {
        Self(bytes)
    }

    pub const fn kib(kib: u64) -> Self {
        Self(kib << 10)
    }

    pub const fn mib(mib: u64) -> Self {
        Self(mib << 20)
    }

    pub const fn gib(gib: u64) -> Self {
        Self(gib << 30)
    }

    pub const fn as_u64(self) -> u64 {
        self.0
    }

    /// As a length in memory; more than the machine can address is as much as it can address.
    pub fn as_usize(self) -> usize {
        usize::try_from(self.0).unwrap_or(usize::MAX)
    }

    /// `5.0 GiB`, `93 MiB`, `17 B`, as Loki's limits print sizes: one digit behind the point below ten.
    pub fn to_iec(self) -> String {
        const UNITS: [&str; 7] = ["B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];
        if self.0 < 10 {
            return format!("{} B", self.0);
        }
        let mut unit = 0;
        let mut value = self.0 as f64;
        while value >= 1024.0 && unit + 1 < UNITS.len() {
            value /= 1024.0;
            unit += 1;
        }
        // Rounded to one digit first, so that 9.96 is 10 and not 10.0.
        let value = (value * 10.0 + 0.5).floor() / 10.0;
        if value < 10.0 {
            format!("{value:.1} {}", UNITS[unit])
        } else {
            format!("{value:.0} {}", UNITS[unit])
        }
    }
}

impl FromStr for ByteSize {
    type Err = InvalidByteSize;

    fn from_str(text: &str) -> Result<Self, InvalidByteSize> {
        let invalid = || InvalidByteSize(text.to_owned());
        let digits = text.bytes().take_while(u8::is_ascii_digit).count();
        let suffix = text[digits..].trim_start_matches(' ').to_ascii_uppercase();
        let number: u64 = match text[..digits].parse() {
            Ok(number) => number,
            Err(_) => return Err(invalid()),
        };
        let shift = match suffix.strip_suffix('B').unwrap_or(&suffix).trim_end_matches('I') {
            "" if suffix.is_empty() || suffix == "B" => 0,
            unit => match UNITS.iter().find(|(name, _)| *name == unit) {
                Some((_, shift)) => *shift,
                None => return scientific(text).map(Self).ok_or_else(invalid),
            },
        };
        number.checked_mul(1 << shift).map(Self).ok_or_else(invalid)
    }
}

/// Helm prints large whole numbers as `1.572864e+06`.
fn scientific(text: &str) -> Option<u64> {
    let number: f64 = text.parse().ok()?;
    let whole = number.fract() == 0.0 && (0.0..9.007_199_254_740_992e15).contains(&number);
    whole.then_some(number as u64)
}

impl fmt::Display for ByteSize {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (name, shift) in UNITS {
            if self.0 != 0 && self.0.is_multiple_of(1 << shift) {
                return write!(f, "{}{name}B", self.0 >> shift);
            }
        }
        write!(f, "{}B", self.0)
    }
}

impl Serialize for ByteSize {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for ByteSize {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_limits_print_them() {
        for (bytes, text) in [
            (0, "0 B"),
            (9, "9 B"),
            (10, "10 B"),
            (1023, "1023 B"),
            (1024, "1.0 KiB"),
            (10 << 10, "10 KiB"),
            (5 << 30, "5.0 GiB"),
            (150 << 30, "150 GiB"),
            (10_445, "10 KiB"),
            (u64::MAX, "16 EiB"),
        ] {
            assert_eq!(ByteSize::bytes(bytes).to_iec(), text, "{bytes}");
        }
    }

    #[test]
    fn forms() {
        for (text, bytes, printed) in [
            ("0", 0, "0B"),
            ("7", 7, "7B"),
            ("7b", 7, "7B"),
            ("256KB", 256 << 10, "256KB"),
            ("256kb", 256 << 10, "256KB"),
            ("1536KB", 1536 << 10, "1536KB"),
            ("3 MB", 3 << 20, "3MB"),
            ("1024k", 1 << 20, "1MB"),
            ("4GiB", 4 << 30, "4GB"),
            ("15EB", 15 << 60, "15EB"),
            ("1.572864e+06", 1_572_864, "1536KB"),
        ] {
            let size: ByteSize = text.parse().expect(text);
            assert_eq!(size.as_u64(), bytes, "{text}");
            assert_eq!(size.to_string(), printed);
        }
        for text in
            ["", "MB", "1.5MB", "-1", "1XB", "16EB", "99999999999999999999", "1e30", "0.5", "3 M B", "5I"]
        {
            assert!(text.parse::<ByteSize>().is_err(), "{text}");
        }
    }
}
