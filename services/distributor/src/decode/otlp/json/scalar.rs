//! Numbers, ids and bytes, as the JSON form writes them.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, Visitor};

/// Reads a whole number that fits.
pub(super) fn integer<'de, A: MapAccess<'de>, T: TryFrom<i128>>(map: &mut A) -> Result<T, A::Error> {
    let number = map.next_value_seed(Integer)?;
    T::try_from(number).map_err(|_| A::Error::custom(format_args!("the number {number} is out of range")))
}

/// A whole number, which may stand in a string; `null` is 0.
struct Integer;

impl<'de> DeserializeSeed<'de> for Integer {
    type Value = i128;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<i128, D::Error> {
        deserializer.deserialize_any(self)
    }
}

/// Doubles are whole numbers of themselves up to here, and what is larger fits nowhere.
const END_OF_INTEGERS: f64 = 18_446_744_073_709_551_616.0;

impl Visitor<'_> for Integer {
    type Value = i128;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a whole number")
    }

    fn visit_unit<E>(self) -> Result<i128, E> {
        Ok(0)
    }

    fn visit_i64<E>(self, number: i64) -> Result<i128, E> {
        Ok(number.into())
    }

    fn visit_u64<E>(self, number: u64) -> Result<i128, E> {
        Ok(number.into())
    }

    /// `1.7e18` is a whole number too.
    fn visit_f64<E: Error>(self, number: f64) -> Result<i128, E> {
        if number.fract() != 0.0 || number.abs() > END_OF_INTEGERS {
            return Err(E::custom(format_args!("{number} is no whole number of 64 bits")));
        }
        Ok(number as i128)
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<i128, E> {
        text.parse().map_err(|_| E::custom("a string holds no whole number"))
    }
}

/// A number, which may stand in a string, and need not be finite there; `null` is 0.
pub(super) struct Double;

impl<'de> DeserializeSeed<'de> for Double {
    type Value = f64;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<f64, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl Visitor<'_> for Double {
    type Value = f64;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a number")
    }

    fn visit_unit<E>(self) -> Result<f64, E> {
        Ok(0.0)
    }

    fn visit_i64<E>(self, number: i64) -> Result<f64, E> {
        Ok(number as f64)
    }

    fn visit_u64<E>(self, number: u64) -> Result<f64, E> {
        Ok(number as f64)
    }

    fn visit_f64<E>(self, number: f64) -> Result<f64, E> {
        Ok(number)
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<f64, E> {
        text.parse().map_err(|_| E::custom("a string holds no number"))
    }
}

/// `SeverityNumber`: a number, or its name.
pub(super) struct Severity;

impl<'de> DeserializeSeed<'de> for Severity {
    type Value = i32;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<i32, D::Error> {
        deserializer.deserialize_any(self)
    }
}

/// Each is there four times: `INFO` is 9, `INFO2` to `INFO4` are 10 to 12.
const SEVERITIES: [&str; 6] = ["TRACE", "DEBUG", "INFO", "WARN", "ERROR", "FATAL"];

impl Visitor<'_> for Severity {
    type Value = i32;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a severity")
    }

    fn visit_unit<E>(self) -> Result<i32, E> {
        Ok(0)
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<i32, E> {
        number.try_into().map_err(|_| E::custom(format_args!("the number {number} is out of range")))
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<i32, E> {
        number.try_into().map_err(|_| E::custom(format_args!("the number {number} is out of range")))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<i32, E> {
        severity(text)
            .or_else(|| text.parse().ok())
            .ok_or_else(|| E::custom("a severity has an unknown name"))
    }
}

fn severity(name: &str) -> Option<i32> {
    let name = name.strip_prefix("SEVERITY_NUMBER_")?;
    if name == "UNSPECIFIED" {
        return Some(0);
    }
    for (first, severity) in (1..).step_by(4).zip(SEVERITIES) {
        let Some(step) = name.strip_prefix(severity) else { continue };
        return match step {
            "" => Some(first),
            "2" => Some(first + 1),
            "3" => Some(first + 2),
            "4" => Some(first + 3),
            _ => None,
        };
    }
    None
}

/// A string of so many hexadecimal digits, or of none for an id that is not set.
pub(super) struct HexId {
    pub(super) digits: usize,
}

impl<'de> DeserializeSeed<'de> for HexId {
    type Value = u128;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<u128, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl Visitor<'_> for HexId {
    type Value = u128;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a string of {} hexadecimal digits", self.digits)
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<u128, E> {
        if text.is_empty() {
            return Ok(0);
        }
        let is_id = text.len() == self.digits && text.bytes().all(|byte| byte.is_ascii_hexdigit());
        let id = u128::from_str_radix(text, 16).ok().filter(|_| is_id);
        id.ok_or_else(|| E::custom(format_args!("an id is no {} hexadecimal digits", self.digits)))
    }
}

/// A string of bytes in base64.
pub(super) struct Base64;

impl<'de> DeserializeSeed<'de> for Base64 {
    type Value = Bytes;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Bytes, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl Visitor<'_> for Base64 {
    type Value = Bytes;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a string in base64")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Bytes, E> {
        STANDARD.decode(text).map(Bytes::from).map_err(|_| E::custom("a string is not in base64"))
    }
}
