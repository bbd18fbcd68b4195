//! One row, in either form.

use std::fmt;

use bytes::Bytes;
use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};

use super::{Key, Raw, Reading};
use crate::pushed::{PushedEntry, PushedPair, PushedTime};

/// `[time, line, metadata, …]`, or `null`.
pub(super) struct EntrySeed<'r>(pub(super) &'r Reading<'r>);

impl<'de> DeserializeSeed<'de> for EntrySeed<'_> {
    type Value = Option<PushedEntry>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for EntrySeed<'_> {
    type Value = Option<PushedEntry>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an array of a time and a line")
    }

    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Self::Value, A::Error> {
        let time = list.next_element_seed(Nanos)?.unwrap_or(PushedTime::MISSING);
        let line = list.next_element_seed(Raw(self.0.body))?.unwrap_or_default();
        let metadata = list.next_element_seed(MetadataSeed(self.0))?.unwrap_or_default();
        while list.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Some(PushedEntry { time, line, metadata }))
    }
}

/// A string that holds a whole number of nanoseconds.
struct Nanos;

impl<'de> DeserializeSeed<'de> for Nanos {
    type Value = PushedTime;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<PushedTime, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl Visitor<'_> for Nanos {
    type Value = PushedTime;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a string of nanoseconds")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<PushedTime, E> {
        // Rust reads a plus before it, and Loki does not.
        let number = text.parse().ok().filter(|_| !text.starts_with('+'));
        number.map(PushedTime::from_nanos).ok_or_else(|| E::custom("a time is no whole number"))
    }
}

/// An object whose values are strings. A name that comes twice is there twice.
struct MetadataSeed<'r>(&'r Reading<'r>);

impl<'de> DeserializeSeed<'de> for MetadataSeed<'_> {
    type Value = Vec<PushedPair>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for MetadataSeed<'_> {
    type Value = Vec<PushedPair>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object of metadata")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut pairs = Vec::new();
        while let Some(name) = map.next_key_seed(Raw(self.0.body))? {
            let value = map.next_value_seed(Raw(self.0.body))?;
            self.0.take_one()?;
            pairs.push(PushedPair { name, value });
        }
        Ok(pairs)
    }
}

/// `{"ts": …, "line": …, "structuredMetadata": …}`, or `null`. A field that is `null` is not there.
pub(super) struct LegacyEntrySeed<'r>(pub(super) &'r Reading<'r>);

impl<'de> DeserializeSeed<'de> for LegacyEntrySeed<'_> {
    type Value = Option<PushedEntry>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for LegacyEntrySeed<'_> {
    type Value = Option<PushedEntry>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object with the keys ts and line")
    }

    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut entry = PushedEntry { time: PushedTime::MISSING, line: Bytes::new(), metadata: Vec::new() };
        while let Some(key) = map.next_key_seed(Key::in_any_case(&["ts", "line", "structuredMetadata"]))? {
            match key {
                Some(0) => entry.time = map.next_value_seed(OrNull(Rfc3339))?.unwrap_or(PushedTime::MISSING),
                Some(1) => entry.line = map.next_value_seed(OrNull(Raw(self.0.body)))?.unwrap_or_default(),
                Some(2) => {
                    entry.metadata = map.next_value_seed(OrNull(MetadataSeed(self.0)))?.unwrap_or_default();
                }
                _ => drop(map.next_value::<IgnoredAny>()?),
            }
        }
        Ok(Some(entry))
    }
}

/// `null`, or what the seed reads.
pub(in crate::decode) struct OrNull<S>(pub(in crate::decode) S);

impl<'de, S: DeserializeSeed<'de>> DeserializeSeed<'de> for OrNull<S> {
    type Value = Option<S::Value>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_option(self)
    }
}

impl<'de, S: DeserializeSeed<'de>> Visitor<'de> for OrNull<S> {
    type Value = Option<S::Value>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value or null")
    }

    fn visit_none<E>(self) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        self.0.deserialize(deserializer).map(Some)
    }
}

/// A string that holds a time with any offset and up to nine digits behind the second.
struct Rfc3339;

impl<'de> DeserializeSeed<'de> for Rfc3339 {
    type Value = PushedTime;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<PushedTime, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl Visitor<'_> for Rfc3339 {
    type Value = PushedTime;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a string with an RFC 3339 time")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<PushedTime, E> {
        let time: jiff::Timestamp = text.parse().map_err(|_| E::custom("a time is not of RFC 3339"))?;
        let nanos = time.as_nanosecond();
        let seconds = nanos.div_euclid(NANOS_PER_SECOND);
        let below_second = nanos.rem_euclid(NANOS_PER_SECOND);
        // Both are in range: jiff's years are -9999 to 9999.
        PushedTime::new(seconds as i64, below_second as i32).map_err(E::custom)
    }
}

const NANOS_PER_SECOND: i128 = 1_000_000_000;
