//! From a tree to settings. A scalar becomes what the setting asks for, be it typed or text; a list may
//! be text with commas; keys that a block does not know are stepped over and given back.

use std::cell::RefCell;
use std::fmt;
use std::marker::PhantomData;

use serde::Deserialize;
use serde::de::value::StrDeserializer;
use serde::de::{self, DeserializeSeed, IntoDeserializer, Visitor};
use serde::forward_to_deserialize_any;
use serde_json::Value as Json;

/// Why a tree could not be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Unread {
    /// Empty until the error has passed a place that knows.
    pub(super) path: String,
    pub(super) reason: String,
}

/// Reads a tree that stands at a path, and gives the paths of unknown keys beside it.
pub(super) fn read<T: for<'de> Deserialize<'de>>(
    tree: &Json,
    path: &str,
) -> Result<(T, Vec<String>), Unread> {
    let unknown = RefCell::default();
    let value = Place { tree, path: path.to_owned(), unknown: &unknown }.read(PhantomData)?;
    Ok((value, unknown.into_inner()))
}

impl fmt::Display for Unread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.path, self.reason)
    }
}

impl std::error::Error for Unread {}

impl de::Error for Unread {
    fn custom<T: fmt::Display>(reason: T) -> Self {
        Self { path: String::new(), reason: reason.to_string() }
    }
}

/// A part of the tree and where it stands.
struct Place<'a> {
    tree: &'a Json,
    path: String,
    unknown: &'a RefCell<Vec<String>>,
}

impl Place<'_> {
    fn error(&self, reason: impl Into<String>) -> Unread {
        Unread { path: self.path.clone(), reason: reason.into() }
    }

    fn expected(&self, what: &str) -> Unread {
        let found = match self.tree {
            Json::Null => "nothing".to_owned(),
            Json::Array(_) => "a list".to_owned(),
            Json::Object(_) => "a mapping".to_owned(),
            Json::String(text) => larch_types::quoted(text),
            Json::Bool(_) | Json::Number(_) => self.tree.to_string(),
        };
        self.error(format!("expected {what}, found {found}"))
    }

    /// Reads what is here. Types that parse text give their reasons without a place.
    fn read<'de, T: DeserializeSeed<'de>>(self, seed: T) -> Result<T::Value, Unread> {
        let path = self.path.clone();
        seed.deserialize(self)
            .map_err(|error| if error.path.is_empty() { Unread { path, ..error } } else { error })
    }

    fn below<'a>(&'a self, name: &str, tree: &'a Json) -> Place<'a> {
        Place { tree, path: format!("{}.{name}", self.path), unknown: self.unknown }
    }

    fn text(&self) -> Result<String, Unread> {
        match self.tree {
            Json::Null => Ok(String::new()),
            Json::String(text) => Ok(text.clone()),
            Json::Bool(_) | Json::Number(_) => Ok(self.tree.to_string()),
            Json::Array(_) | Json::Object(_) => Err(self.expected("text")),
        }
    }

    fn number(&self) -> Result<f64, Unread> {
        let number = match self.tree {
            Json::Number(number) => number.as_f64(),
            Json::String(text) => text.parse().ok(),
            _ => None,
        };
        number.filter(|number| !number.is_nan()).ok_or_else(|| self.expected("a number"))
    }

    /// Whole numbers may be written with an exponent, as Helm prints large ones.
    fn whole_number(&self) -> Result<i64, Unread> {
        let exact = match self.tree {
            Json::Number(number) => number.as_i64(),
            Json::String(text) => text.parse().ok(),
            _ => None,
        };
        if let Some(number) = exact {
            return Ok(number);
        }
        // Above 2^53 a float no longer tells whole numbers apart.
        let whole = |number: &f64| number.fract() == 0.0 && number.abs() < 9_007_199_254_740_992.0;
        let number = self.number().ok().filter(whole).ok_or_else(|| self.expected("a whole number"))?;
        Ok(number as i64)
    }

    fn truth(&self) -> Result<bool, Unread> {
        let text = self.text().unwrap_or_default();
        match text.to_ascii_lowercase().as_str() {
            "true" | "yes" | "on" => Ok(true),
            "false" | "no" | "off" => Ok(false),
            _ => Err(self.expected("true or false")),
        }
    }

    fn elements(&self) -> Result<Vec<Json>, Unread> {
        match self.tree {
            Json::Null => Ok(Vec::new()),
            Json::Array(elements) => Ok(elements.clone()),
            Json::String(text) if text.is_empty() => Ok(Vec::new()),
            Json::String(text) => Ok(text.split(',').map(|part| Json::from(part.trim())).collect()),
            Json::Bool(_) | Json::Number(_) => Ok(vec![self.tree.clone()]),
            Json::Object(_) => Err(self.expected("a list")),
        }
    }

    fn entries(&self) -> Result<Vec<(&str, &Json)>, Unread> {
        match self.tree {
            Json::Null => Ok(Vec::new()),
            Json::Object(fields) => Ok(fields.iter().map(|(name, value)| (name.as_str(), value)).collect()),
            _ => Err(self.expected("a mapping")),
        }
    }
}

/// All whole numbers are read alike; the visitor of each type knows its own range.
macro_rules! whole_numbers {
    ($($method:ident)*) => {$(
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Unread> {
            visitor.visit_i64(self.whole_number()?)
        }
    )*};
}

impl<'de> de::Deserializer<'de> for Place<'_> {
    type Error = Unread;

    whole_numbers!(
        deserialize_i8 deserialize_i16 deserialize_i32 deserialize_i64
        deserialize_u8 deserialize_u16 deserialize_u32 deserialize_u64
    );

    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Unread> {
        visitor.visit_bool(self.truth()?)
    }

    fn deserialize_f64<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Unread> {
        visitor.visit_f64(self.number()?)
    }

    fn deserialize_str<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Unread> {
        visitor.visit_string(self.text()?)
    }

    fn deserialize_string<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Unread> {
        visitor.visit_string(self.text()?)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Unread> {
        if self.tree.is_null() { visitor.visit_none() } else { visitor.visit_some(self) }
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Unread> {
        let elements = self.elements()?;
        visitor.visit_seq(Elements { list: &self, elements: &elements, next: 0 })
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Unread> {
        visitor.visit_map(Fields { block: &self, fields: self.entries()?, next: 0 })
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        known: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Unread> {
        let mut fields = Vec::new();
        for (name, value) in self.entries()? {
            if !known.contains(&name) {
                self.unknown.borrow_mut().push(format!("{}.{name}", self.path));
            } else if !value.is_null() {
                fields.push((name, value));
            }
        }
        visitor.visit_map(Fields { block: &self, fields, next: 0 })
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Unread> {
        let text = self.text()?;
        let variant: StrDeserializer<'_, Unread> = text.as_str().into_deserializer();
        visitor.visit_enum(variant)
    }

    fn deserialize_any<V: Visitor<'de>>(self, _: V) -> Result<V::Value, Unread> {
        // Every setting asks for a type.
        Err(self.error("there is no setting of this kind"))
    }

    forward_to_deserialize_any! {
        i128 u128 f32 char bytes byte_buf unit unit_struct newtype_struct tuple tuple_struct identifier
        ignored_any
    }
}

struct Elements<'a> {
    list: &'a Place<'a>,
    elements: &'a [Json],
    next: usize,
}

impl<'de> de::SeqAccess<'de> for Elements<'_> {
    type Error = Unread;

    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>, Unread> {
        let Some(element) = self.elements.get(self.next) else { return Ok(None) };
        let place = self.list.below(&self.next.to_string(), element);
        self.next += 1;
        place.read(seed).map(Some)
    }
}

struct Fields<'a> {
    block: &'a Place<'a>,
    fields: Vec<(&'a str, &'a Json)>,
    next: usize,
}

impl<'de> de::MapAccess<'de> for Fields<'_> {
    type Error = Unread;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, Unread> {
        let Some((name, _)) = self.fields.get(self.next) else { return Ok(None) };
        let name: StrDeserializer<'_, Unread> = (*name).into_deserializer();
        seed.deserialize(name).map(Some)
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Unread> {
        let Some((name, value)) = self.fields.get(self.next) else {
            return Err(de::Error::custom("a value was asked for before its key"));
        };
        self.next += 1;
        self.block.below(name, value).read(seed)
    }
}
