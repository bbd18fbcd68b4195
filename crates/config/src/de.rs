//! From a node to a setting: a serde deserializer that knows places.
//!
//! Scalars are text until a setting asks for a type. Unknown keys are collected and stepped over, so
//! that one look shows them all; a value that does not fit ends its block.

use std::cell::RefCell;
use std::fmt;

use serde::de::{self, DeserializeSeed, Visitor};

use crate::nearest::nearest;
use crate::node::{Entry, Node, Value};
use crate::tree::elements_of;
use crate::{Origin, Problem};

/// What the whole descent shares.
pub(crate) struct Context<'a> {
    pub(crate) unknown: RefCell<Vec<Problem>>,
    /// Where else a key of this name is valid.
    pub(crate) elsewhere: &'a dyn Fn(&str) -> Option<String>,
}

#[derive(Clone, Copy)]
pub(crate) struct NodeDeserializer<'a> {
    node: &'a Node,
    path: Path<'a>,
    context: &'a Context<'a>,
}

/// The way down, as a chain on the stack.
#[derive(Clone, Copy)]
struct Path<'a> {
    parent: Option<&'a Path<'a>>,
    name: &'a str,
}

impl fmt::Display for Path<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(parent) = self.parent {
            parent.fmt(f)?;
            if !parent.name.is_empty() || parent.parent.is_some() {
                f.write_str(".")?;
            }
        }
        f.write_str(self.name)
    }
}

/// A value that does not fit. It gets its place where the place is known.
#[derive(Debug)]
pub(crate) struct Misfit {
    text: String,
    place: Option<(Origin, String)>,
}

impl Misfit {
    pub(crate) fn into_problem(self, origin: &Origin, path: &str) -> Problem {
        let (origin, path) = self.place.unwrap_or_else(|| (origin.clone(), path.to_owned()));
        Problem::new(origin, path, self.text)
    }
}

impl fmt::Display for Misfit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl std::error::Error for Misfit {}

impl de::Error for Misfit {
    fn custom<T: fmt::Display>(text: T) -> Self {
        Self { text: text.to_string(), place: None }
    }

    fn unknown_variant(variant: &str, expected: &'static [&'static str]) -> Self {
        let choices = expected.join(", ");
        Self::custom(format!("{} is not one of {choices}", larch_types::quoted(variant)))
    }

    fn missing_field(field: &'static str) -> Self {
        Self::custom(format!("{field} is missing"))
    }
}

impl<'a> NodeDeserializer<'a> {
    /// `path` names the node in messages.
    pub(crate) fn new(node: &'a Node, path: &'a str, context: &'a Context<'a>) -> Self {
        Self { node, path: Path { parent: None, name: path }, context }
    }

    fn misfit(&self, expected: &str) -> Misfit {
        self.placed(format!("expected {expected}, found {}", self.node.describe()))
    }

    fn placed(&self, text: String) -> Misfit {
        Misfit { text, place: Some((self.node.origin.clone(), self.path.to_string())) }
    }

    fn place(&self, error: Misfit) -> Misfit {
        if error.place.is_some() {
            return error;
        }
        self.placed(error.text)
    }

    fn text(&self, expected: &str) -> Result<&'a str, Misfit> {
        match &self.node.value {
            Value::Scalar(scalar) => Ok(&scalar.text),
            // A key without a value, inside a list or a free mapping.
            Value::Null => Ok(""),
            Value::List(_) | Value::Map(_) => Err(self.misfit(expected)),
        }
    }

    fn whole_number(&self, min: i128, max: i128) -> Result<i128, Misfit> {
        const EXPECTED: &str = "a whole number";
        let text = self.text(EXPECTED)?;
        let number = match text.parse::<i128>() {
            Ok(number) => number,
            Err(_) => from_scientific(text).ok_or_else(|| self.misfit(EXPECTED))?,
        };
        if number < min || number > max {
            return Err(self.placed(format!("{text} is not between {min} and {max}")));
        }
        Ok(number)
    }

    fn entries(&self) -> Result<&'a [Entry], Misfit> {
        match &self.node.value {
            Value::Map(entries) => Ok(entries),
            Value::Null => Ok(&[]),
            Value::Scalar(scalar) if scalar.text.is_empty() => Ok(&[]),
            Value::Scalar(_) | Value::List(_) => Err(self.misfit("a mapping of keys")),
        }
    }

    fn report_unknown(&self, entry: &Entry, fields: &'static [&'static str]) {
        let hint = match nearest(&entry.key, fields.iter().copied()) {
            Some(near) => format!("; the nearest valid key is {near}"),
            None => match (self.context.elsewhere)(&entry.key) {
                Some(path) => format!("; a key of this name exists as {path}"),
                None => String::new(),
            },
        };
        let path = Path { parent: Some(&self.path), name: &entry.key }.to_string();
        let problem = Problem::new(entry.origin.clone(), path, format!("unknown key{hint}"));
        self.context.unknown.borrow_mut().push(problem);
    }
}

/// Helm writes large whole numbers as `1.572864e+06`.
fn from_scientific(text: &str) -> Option<i128> {
    let number: f64 = text.parse().ok()?;
    // Above 2^53 a float no longer tells whole numbers apart.
    let whole = number.fract() == 0.0 && number.abs() < 9_007_199_254_740_992.0;
    (whole && text.contains(['e', 'E'])).then_some(number as i128)
}

fn parse_bool(text: &str) -> Option<bool> {
    match text.to_ascii_lowercase().as_str() {
        "true" | "yes" | "on" | "t" | "y" | "1" => Some(true),
        "false" | "no" | "off" | "f" | "n" | "0" => Some(false),
        _ => None,
    }
}

/// One method for each width of whole number.
macro_rules! whole_numbers {
    ($($method:ident $visit:ident $type:ty),*) => {$(
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Misfit> {
            let number = self.whole_number(<$type>::MIN as i128, <$type>::MAX as i128)?;
            visitor.$visit(number as $type).map_err(|error| self.place(error))
        }
    )*};
}

impl<'de> de::Deserializer<'de> for NodeDeserializer<'_> {
    type Error = Misfit;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Misfit> {
        let json = self.node.to_json();
        de::Deserializer::deserialize_any(json, visitor).map_err(|error| self.place(de::Error::custom(error)))
    }

    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Misfit> {
        const EXPECTED: &str = "true or false";
        let value = parse_bool(self.text(EXPECTED)?).ok_or_else(|| self.misfit(EXPECTED))?;
        visitor.visit_bool(value).map_err(|error| self.place(error))
    }

    whole_numbers!(
        deserialize_i8 visit_i8 i8, deserialize_i16 visit_i16 i16, deserialize_i32 visit_i32 i32,
        deserialize_i64 visit_i64 i64, deserialize_u8 visit_u8 u8, deserialize_u16 visit_u16 u16,
        deserialize_u32 visit_u32 u32, deserialize_u64 visit_u64 u64
    );

    fn deserialize_f32<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Misfit> {
        self.deserialize_f64(visitor)
    }

    fn deserialize_f64<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Misfit> {
        const EXPECTED: &str = "a number";
        let number: f64 = self.text(EXPECTED)?.parse().map_err(|_| self.misfit(EXPECTED))?;
        if number.is_nan() {
            return Err(self.misfit(EXPECTED));
        }
        visitor.visit_f64(number).map_err(|error| self.place(error))
    }

    fn deserialize_char<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Misfit> {
        self.deserialize_str(visitor)
    }

    fn deserialize_str<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Misfit> {
        visitor.visit_str(self.text("text")?).map_err(|error| self.place(error))
    }

    fn deserialize_string<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Misfit> {
        self.deserialize_str(visitor)
    }

    fn deserialize_bytes<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Misfit> {
        self.deserialize_str(visitor)
    }

    fn deserialize_byte_buf<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Misfit> {
        self.deserialize_str(visitor)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Misfit> {
        if self.node.is_null() { visitor.visit_none() } else { visitor.visit_some(self) }
    }

    fn deserialize_unit<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Misfit> {
        visitor.visit_unit()
    }

    fn deserialize_unit_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, Misfit> {
        visitor.visit_unit()
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, Misfit> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Misfit> {
        if matches!(self.node.value, Value::Map(_)) {
            return Err(self.misfit("a list"));
        }
        let elements = elements_of(self.node);
        visitor.visit_seq(Elements { parent: self, elements: elements.iter(), index: 0 })
    }

    fn deserialize_tuple<V: Visitor<'de>>(self, _: usize, visitor: V) -> Result<V::Value, Misfit> {
        self.deserialize_seq(visitor)
    }

    fn deserialize_tuple_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: usize,
        visitor: V,
    ) -> Result<V::Value, Misfit> {
        self.deserialize_seq(visitor)
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Misfit> {
        let entries = self.entries()?.iter().collect();
        visitor.visit_map(Fields { parent: self, entries, index: 0 })
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Misfit> {
        let mut known = Vec::new();
        for entry in self.entries()? {
            if !fields.contains(&entry.key.as_str()) {
                self.report_unknown(entry, fields);
            } else if !entry.node.is_null() {
                // A key without a value keeps its default, as in Go.
                known.push(entry);
            }
        }
        visitor
            .visit_map(Fields { parent: self, entries: known, index: 0 })
            .map_err(|error| self.place(error))
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Misfit> {
        let text = self.text("text")?;
        let variant = de::value::StrDeserializer::<Misfit>::new(text);
        visitor.visit_enum(variant).map_err(|error| self.place(error))
    }

    fn deserialize_identifier<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Misfit> {
        self.deserialize_str(visitor)
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Misfit> {
        visitor.visit_unit()
    }
}

struct Elements<'a> {
    parent: NodeDeserializer<'a>,
    elements: std::slice::Iter<'a, Node>,
    index: usize,
}

impl<'de> de::SeqAccess<'de> for Elements<'_> {
    type Error = Misfit;

    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>, Misfit> {
        let Some(node) = self.elements.next() else { return Ok(None) };
        let name = self.index.to_string();
        self.index += 1;
        let path = Path { parent: Some(&self.parent.path), name: &name };
        let element = NodeDeserializer { node, path, context: self.parent.context };
        seed.deserialize(element).map(Some).map_err(|error| element.place(error))
    }
}

struct Fields<'a> {
    parent: NodeDeserializer<'a>,
    entries: Vec<&'a Entry>,
    index: usize,
}

impl<'de> de::MapAccess<'de> for Fields<'_> {
    type Error = Misfit;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, Misfit> {
        let Some(entry) = self.entries.get(self.index) else { return Ok(None) };
        let key = de::value::StrDeserializer::<Misfit>::new(&entry.key);
        seed.deserialize(key).map(Some).map_err(|error| self.parent.place(error))
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Misfit> {
        let Some(entry) = self.entries.get(self.index) else {
            return Err(de::Error::custom("a value was asked for before its key"));
        };
        self.index += 1;
        let path = Path { parent: Some(&self.parent.path), name: &entry.key };
        let value = NodeDeserializer { node: &entry.node, path, context: self.parent.context };
        seed.deserialize(value).map_err(|error| value.place(error))
    }
}
