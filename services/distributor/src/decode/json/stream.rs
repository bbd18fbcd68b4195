//! One stream, with its labels.

use std::collections::BTreeMap;
use std::fmt;

use bytes::Bytes;
use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

use super::entry::{EntrySeed, LegacyEntrySeed};
use super::{Dialect, Key, Raw, Reading};
use crate::pushed::{PushedEntry, PushedLabels, PushedStream};

const LABELS: usize = 0;
const ENTRIES: usize = 1;
const STREAM: usize = 2;
const VALUES: usize = 3;

impl Dialect {
    fn key(self) -> Key {
        match self {
            Self::V1 => Key::exactly(&["labels", "entries", "stream", "values"]),
            Self::Legacy => Key::in_any_case(&["labels", "entries"]),
        }
    }
}

pub(super) struct StreamSeed<'r>(pub(super) &'r Reading<'r>);

impl<'de> DeserializeSeed<'de> for StreamSeed<'_> {
    type Value = PushedStream;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<PushedStream, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for StreamSeed<'_> {
    type Value = PushedStream;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a stream")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<PushedStream, A::Error> {
        let Self(reading) = self;
        let mut labels = PushedLabels::Text(Bytes::new());
        let mut entries = Vec::new();
        while let Some(key) = map.next_key_seed(reading.dialect.key())? {
            match key {
                Some(LABELS) => labels = PushedLabels::Text(map.next_value_seed(Raw(reading.body))?),
                Some(STREAM) => labels = PushedLabels::Pairs(map.next_value_seed(LabelsSeed)?),
                Some(ENTRIES) => {
                    map.next_value_seed(EntriesSeed { reading, legacy: true, entries: &mut entries })?;
                }
                Some(VALUES) => {
                    map.next_value_seed(EntriesSeed { reading, legacy: false, entries: &mut entries })?;
                }
                _ => drop(map.next_value::<IgnoredAny>()?),
            }
        }
        Ok(PushedStream { labels, entries })
    }
}

/// `null` or an array of rows, in either form.
struct EntriesSeed<'r> {
    reading: &'r Reading<'r>,
    legacy: bool,
    entries: &'r mut Vec<PushedEntry>,
}

impl<'de> DeserializeSeed<'de> for EntriesSeed<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for EntriesSeed<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an array of entries")
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<(), A::Error> {
        loop {
            let entry = if self.legacy {
                list.next_element_seed(LegacyEntrySeed(self.reading))?
            } else {
                list.next_element_seed(EntrySeed(self.reading))?
            };
            match entry {
                None => return Ok(()),
                // An element that is `null` is no row.
                Some(None) => {}
                Some(Some(entry)) => {
                    self.reading.take_one()?;
                    self.entries.push(entry);
                }
            }
        }
    }
}

/// An object whose values are strings, or anything else in JSON, which stands for its own text. Of a name
/// that comes twice the last value counts.
struct LabelsSeed;

impl<'de> DeserializeSeed<'de> for LabelsSeed {
    type Value = Vec<(String, String)>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for LabelsSeed {
    type Value = Vec<(String, String)>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object of labels")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut labels = BTreeMap::new();
        while let Some(name) = map.next_key::<String>()? {
            let value = map.next_value::<&RawValue>()?.get();
            let value = match value.as_bytes().first() {
                Some(b'"') => serde_json::from_str(value).map_err(A::Error::custom)?,
                _ => value.to_owned(),
            };
            labels.insert(name, value);
        }
        Ok(labels.into_iter().collect())
    }
}
