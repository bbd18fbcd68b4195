//! The JSON form, read as a stream of tokens like those of Loki.
//!
//! Keys are in lowerCamelCase, or as the .proto files have them; others are passed at any depth without
//! recursion. What is `null` is not there. Bytes behind the first value are not looked at.

mod scalar;

use std::fmt;

use bytes::Bytes;
use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};

use super::{Attribute, RECORD_ELEMENTS, Record, ResourceLogs, Scope, ScopeLogs, Value};
use crate::decode::json::{Key, OrNull, Raw};
use crate::decode::{Allowance, DecodeError, MAX_ELEMENTS};
use scalar::{Base64, Double, HexId, Severity, integer};

/// Reads a whole `ExportLogsServiceRequest`.
pub(crate) fn read_otlp_json(body: &Bytes) -> Result<Vec<ResourceLogs>, DecodeError> {
    read_request(Reading { body, allowance: Allowance::of(MAX_ELEMENTS) })
}

fn read_request(reading: Reading<'_>) -> Result<Vec<ResourceLogs>, DecodeError> {
    let mut request = Request::default();
    let mut deserializer = serde_json::Deserializer::from_slice(reading.body);
    Object(&reading, &mut request).deserialize(&mut deserializer).map_err(|error| {
        if reading.allowance.is_spent() {
            return DecodeError::TooMany;
        }
        DecodeError::invalid(error.to_string())
    })?;
    Ok(request.0)
}

/// What all parts of one reading share.
struct Reading<'b> {
    body: &'b Bytes,
    allowance: Allowance,
}

/// A message that is read key by key.
trait Fields<'de>: Default {
    const KEYS: &'static [&'static str];
    /// What one of them takes of the allowance where it is in a list.
    const ELEMENTS: u32 = 1;

    /// Reads what belongs to the key of this place.
    fn read<A: MapAccess<'de>>(
        &mut self,
        key: usize,
        map: &mut A,
        reading: &Reading<'_>,
    ) -> Result<(), A::Error>;
}

#[derive(Default)]
struct Request(Vec<ResourceLogs>);

impl<'de> Fields<'de> for Request {
    const KEYS: &'static [&'static str] = &["resourceLogs"];

    fn read<A: MapAccess<'de>>(
        &mut self,
        _: usize,
        map: &mut A,
        reading: &Reading<'_>,
    ) -> Result<(), A::Error> {
        map.next_value_seed(List(reading, &mut self.0))
    }
}

impl<'de> Fields<'de> for ResourceLogs {
    const KEYS: &'static [&'static str] = &["resource", "scopeLogs"];

    fn read<A: MapAccess<'de>>(
        &mut self,
        key: usize,
        map: &mut A,
        reading: &Reading<'_>,
    ) -> Result<(), A::Error> {
        match key {
            0 => {
                let mut resource = Resource::default();
                map.next_value_seed(Object(reading, &mut resource))?;
                self.attributes.extend(resource.0);
                Ok(())
            }
            _ => map.next_value_seed(List(reading, &mut self.scopes)),
        }
    }
}

#[derive(Default)]
struct Resource(Vec<Attribute>);

impl<'de> Fields<'de> for Resource {
    const KEYS: &'static [&'static str] = &["attributes"];

    fn read<A: MapAccess<'de>>(
        &mut self,
        _: usize,
        map: &mut A,
        reading: &Reading<'_>,
    ) -> Result<(), A::Error> {
        map.next_value_seed(List(reading, &mut self.0))
    }
}

impl<'de> Fields<'de> for ScopeLogs {
    const KEYS: &'static [&'static str] = &["scope", "logRecords"];

    fn read<A: MapAccess<'de>>(
        &mut self,
        key: usize,
        map: &mut A,
        reading: &Reading<'_>,
    ) -> Result<(), A::Error> {
        match key {
            0 => map.next_value_seed(Object(reading, &mut self.scope)),
            _ => map.next_value_seed(List(reading, &mut self.records)),
        }
    }
}

impl<'de> Fields<'de> for Scope {
    const KEYS: &'static [&'static str] = &["name", "version", "attributes", "droppedAttributesCount"];

    fn read<A: MapAccess<'de>>(
        &mut self,
        key: usize,
        map: &mut A,
        reading: &Reading<'_>,
    ) -> Result<(), A::Error> {
        match key {
            0 => self.name = text(map, reading)?,
            1 => self.version = text(map, reading)?,
            2 => map.next_value_seed(List(reading, &mut self.attributes))?,
            _ => self.dropped_attributes = integer(map)?,
        }
        Ok(())
    }
}

impl<'de> Fields<'de> for Record {
    const KEYS: &'static [&'static str] = &[
        "timeUnixNano",
        "observedTimeUnixNano",
        "severityNumber",
        "severityText",
        "body",
        "attributes",
        "droppedAttributesCount",
        "flags",
        "traceId",
        "spanId",
        "eventName",
    ];
    const ELEMENTS: u32 = RECORD_ELEMENTS;

    fn read<A: MapAccess<'de>>(
        &mut self,
        key: usize,
        map: &mut A,
        reading: &Reading<'_>,
    ) -> Result<(), A::Error> {
        match key {
            0 => self.time = integer(map)?,
            1 => self.observed = integer(map)?,
            2 => self.severity_number = map.next_value_seed(Severity)?,
            3 => self.severity_text = text(map, reading)?,
            4 => map.next_value_seed(Object(reading, &mut self.body))?,
            5 => map.next_value_seed(List(reading, &mut self.attributes))?,
            6 => self.dropped_attributes = integer(map)?,
            7 => self.flags = integer(map)?,
            8 => self.trace_id = map.next_value_seed(OrNull(HexId { digits: 32 }))?.unwrap_or(0),
            // As many digits as fit.
            9 => self.span_id = map.next_value_seed(OrNull(HexId { digits: 16 }))?.unwrap_or(0) as u64,
            _ => self.event_name = text(map, reading)?,
        }
        Ok(())
    }
}

impl<'de> Fields<'de> for Attribute {
    const KEYS: &'static [&'static str] = &["key", "value"];

    fn read<A: MapAccess<'de>>(
        &mut self,
        key: usize,
        map: &mut A,
        reading: &Reading<'_>,
    ) -> Result<(), A::Error> {
        match key {
            0 => self.key = text(map, reading)?,
            _ => map.next_value_seed(Object(reading, &mut self.value))?,
        }
        Ok(())
    }
}

impl<'de> Fields<'de> for Value {
    const KEYS: &'static [&'static str] =
        &["stringValue", "boolValue", "intValue", "doubleValue", "arrayValue", "kvlistValue", "bytesValue"];

    fn read<A: MapAccess<'de>>(
        &mut self,
        key: usize,
        map: &mut A,
        reading: &Reading<'_>,
    ) -> Result<(), A::Error> {
        match key {
            0 => *self = Self::Text(text(map, reading)?),
            1 => *self = Self::Bool(map.next_value::<Option<bool>>()?.unwrap_or_default()),
            2 => *self = Self::Int(integer(map)?),
            3 => *self = Self::Double(map.next_value_seed(Double)?),
            4 => {
                let mut list = Values::default();
                map.next_value_seed(Object(reading, &mut list))?;
                *self = Self::List(list.0);
            }
            5 => {
                let mut list = Values::default();
                map.next_value_seed(Object(reading, &mut list))?;
                *self = Self::Map(list.0);
            }
            _ => *self = Self::Bytes(map.next_value_seed(OrNull(Base64))?.unwrap_or_default()),
        }
        Ok(())
    }
}

/// `ArrayValue` and `KeyValueList`.
struct Values<T>(Vec<T>);

impl<T> Default for Values<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<'de, T: Fields<'de>> Fields<'de> for Values<T> {
    const KEYS: &'static [&'static str] = &["values"];

    fn read<A: MapAccess<'de>>(
        &mut self,
        _: usize,
        map: &mut A,
        reading: &Reading<'_>,
    ) -> Result<(), A::Error> {
        map.next_value_seed(List(reading, &mut self.0))
    }
}

fn text<'de, A: MapAccess<'de>>(map: &mut A, reading: &Reading<'_>) -> Result<Bytes, A::Error> {
    Ok(map.next_value_seed(OrNull(Raw(reading.body)))?.unwrap_or_default())
}

/// `null` or an object.
struct Object<'r, T>(&'r Reading<'r>, &'r mut T);

impl<'de, T: Fields<'de>> DeserializeSeed<'de> for Object<'_, T> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de, T: Fields<'de>> Visitor<'de> for Object<'_, T> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "an object with the keys {}", T::KEYS.join(", "))
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let Self(reading, message) = self;
        while let Some(key) = map.next_key_seed(Key { known: T::KEYS, is: is_key })? {
            match key {
                Some(key) => message.read(key, &mut map, reading)?,
                None => drop(map.next_value::<IgnoredAny>()?),
            }
        }
        Ok(())
    }
}

/// `null` or an array of objects.
struct List<'r, T>(&'r Reading<'r>, &'r mut Vec<T>);

impl<'de, T: Fields<'de>> DeserializeSeed<'de> for List<'_, T> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de, T: Fields<'de>> Visitor<'de> for List<'_, T> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an array")
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<(), A::Error> {
        loop {
            let mut element = T::default();
            if list.next_element_seed(Object(self.0, &mut element))?.is_none() {
                return Ok(());
            }
            self.0.allowance.take(T::ELEMENTS).map_err(A::Error::custom)?;
            self.1.push(element);
        }
    }
}

/// Whether it is a key in lowerCamelCase, or the same in lower case with underscores.
fn is_key(camel: &[u8], key: &[u8]) -> bool {
    if camel == key {
        return true;
    }
    let snake = camel.iter().flat_map(|byte| {
        let underscore = byte.is_ascii_uppercase().then_some(b'_');
        underscore.into_iter().chain([byte.to_ascii_lowercase()])
    });
    snake.eq(key.iter().copied())
}

#[cfg(test)]
mod tests;
