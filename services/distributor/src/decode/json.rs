//! The two JSON forms, read as a stream of tokens: nothing is built but what is pushed.
//!
//! Bytes behind the first value are not looked at. Unknown keys are passed at any depth without recursion.
//! Strings need not be UTF-8; those without escapes are slices of the body.

mod entry;
mod stream;

use std::fmt;

use bytes::Bytes;
use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};

use super::{Allowance, DecodeError, MAX_ELEMENTS};
use crate::pushed::PushedStream;
pub(super) use entry::OrNull;
use stream::StreamSeed;

/// Which keys a stream may have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Dialect {
    /// `stream` and `values`, and `labels` and `entries` too: a client that sends the old form to the new
    /// path loses nothing.
    V1,
    /// `labels` and `entries`.
    Legacy,
}

/// Reads a whole push.
pub(crate) fn read_json(body: &Bytes, dialect: Dialect) -> Result<Vec<PushedStream>, DecodeError> {
    read_push(Reading { body, dialect, allowance: Allowance::of(MAX_ELEMENTS) })
}

fn read_push(reading: Reading<'_>) -> Result<Vec<PushedStream>, DecodeError> {
    let mut deserializer = serde_json::Deserializer::from_slice(reading.body);
    PushSeed(&reading).deserialize(&mut deserializer).map_err(|error| {
        if reading.allowance.is_spent() {
            return DecodeError::TooMany;
        }
        DecodeError::invalid(error.to_string())
    })
}

/// What all parts of one reading share.
struct Reading<'b> {
    body: &'b Bytes,
    dialect: Dialect,
    allowance: Allowance,
}

impl Reading<'_> {
    fn take_one<E: Error>(&self) -> Result<(), E> {
        self.allowance.take_one().map_err(E::custom)
    }
}

/// `null` or an object.
struct PushSeed<'r>(&'r Reading<'r>);

impl<'de> DeserializeSeed<'de> for PushSeed<'_> {
    type Value = Vec<PushedStream>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for PushSeed<'_> {
    type Value = Vec<PushedStream>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object with the key streams")
    }

    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        Ok(Vec::new())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut streams = Vec::new();
        while let Some(key) = map.next_key_seed(Key::in_any_case(&["streams"]))? {
            match key {
                Some(_) => map.next_value_seed(StreamsSeed(self.0, &mut streams))?,
                None => drop(map.next_value::<IgnoredAny>()?),
            }
        }
        Ok(streams)
    }
}

/// `null` or an array of streams.
struct StreamsSeed<'r>(&'r Reading<'r>, &'r mut Vec<PushedStream>);

impl<'de> DeserializeSeed<'de> for StreamsSeed<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for StreamsSeed<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an array of streams")
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<(), A::Error> {
        while let Some(stream) = list.next_element_seed(StreamSeed(self.0))? {
            self.0.take_one()?;
            self.1.push(stream);
        }
        Ok(())
    }
}

/// A key of an object, as its place among those that are known.
pub(super) struct Key {
    pub(super) known: &'static [&'static str],
    /// Whether a known key is the one that came.
    pub(super) is: fn(&[u8], &[u8]) -> bool,
}

impl Key {
    fn exactly(known: &'static [&'static str]) -> Self {
        Self { known, is: |known, key| known == key }
    }

    /// Where Loki reads a key into a field of that name, as Go does.
    fn in_any_case(known: &'static [&'static str]) -> Self {
        Self { known, is: |known, key| known.eq_ignore_ascii_case(key) }
    }
}

impl<'de> DeserializeSeed<'de> for Key {
    type Value = Option<usize>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Option<usize>, D::Error> {
        deserializer.deserialize_bytes(self)
    }
}

impl Visitor<'_> for Key {
    type Value = Option<usize>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key")
    }

    fn visit_bytes<E: Error>(self, key: &[u8]) -> Result<Option<usize>, E> {
        Ok(self.known.iter().position(|known| (self.is)(known.as_bytes(), key)))
    }

    fn visit_str<E: Error>(self, key: &str) -> Result<Option<usize>, E> {
        self.visit_bytes(key.as_bytes())
    }
}

/// A string as bytes, a slice of the body if it holds no escapes.
pub(super) struct Raw<'r>(pub(super) &'r Bytes);

impl<'de> DeserializeSeed<'de> for Raw<'_> {
    type Value = Bytes;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Bytes, D::Error> {
        deserializer.deserialize_bytes(self)
    }
}

impl<'de> Visitor<'de> for Raw<'_> {
    type Value = Bytes;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a string")
    }

    fn visit_borrowed_bytes<E: Error>(self, bytes: &'de [u8]) -> Result<Bytes, E> {
        // What is borrowed lies in the body.
        Ok(self.0.slice_ref(bytes))
    }

    fn visit_bytes<E: Error>(self, bytes: &[u8]) -> Result<Bytes, E> {
        Ok(Bytes::copy_from_slice(bytes))
    }

    fn visit_borrowed_str<E: Error>(self, text: &'de str) -> Result<Bytes, E> {
        self.visit_borrowed_bytes(text.as_bytes())
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Bytes, E> {
        self.visit_bytes(text.as_bytes())
    }
}

#[cfg(test)]
mod tests;
