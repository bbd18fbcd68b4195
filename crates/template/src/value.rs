//! What expressions evaluate to.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::rc::Rc;

use crate::time::Time;

pub(crate) type Text<'a> = Cow<'a, [u8]>;

#[derive(Debug, Clone)]
pub(crate) enum Value<'a> {
    /// No value at all.
    Nil,
    Bool(bool),
    Int(i64, IntType),
    Float(f64),
    Text(Text<'a>),
    List(Rc<Vec<Value<'a>>>),
    Map(Rc<BTreeMap<Text<'a>, Value<'a>>>),
    /// The named values that the template was given: a map of texts.
    Fields,
    Time(Time),
    /// An element of a list or map, of which Go's messages give the static type. It behaves as what is
    /// inside.
    Element(Box<Value<'a>>),
}

/// Go's integer types that can come up. They print and are named differently.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum IntType {
    Int,
    Int64,
    Uint8,
    Month,
    Weekday,
}

impl<'a> Value<'a> {
    pub(crate) fn int(value: i64) -> Self {
        Self::Int(value, IntType::Int)
    }

    pub(crate) fn int64(value: i64) -> Self {
        Self::Int(value, IntType::Int64)
    }

    pub(crate) fn text(value: impl Into<Vec<u8>>) -> Self {
        Self::Text(Cow::Owned(value.into()))
    }

    pub(crate) fn element(inside: Self) -> Self {
        Self::Element(Box::new(inside))
    }

    pub(crate) fn list(items: Vec<Value<'a>>) -> Self {
        Self::List(Rc::new(items))
    }

    /// What an element holds; anything else as it is.
    pub(crate) fn inside(&self) -> &Self {
        let mut value = self;
        while let Self::Element(inner) = value {
            value = inner;
        }
        value
    }

    pub(crate) fn into_inside(self) -> Self {
        let mut value = self;
        while let Self::Element(inner) = value {
            value = *inner;
        }
        value
    }

    /// As in `if`. `fields_empty` tells about the named values.
    pub(crate) fn is_true(&self, fields_empty: bool) -> bool {
        match self.inside() {
            Self::Nil | Self::Element(_) => false,
            Self::Bool(value) => *value,
            Self::Int(value, _) => *value != 0,
            Self::Float(value) => *value != 0.0,
            Self::Text(text) => !text.is_empty(),
            Self::List(items) => !items.is_empty(),
            Self::Map(entries) => !entries.is_empty(),
            Self::Fields => !fields_empty,
            Self::Time(_) => true,
        }
    }

    /// The name of the Go type.
    pub(crate) fn type_name(&self) -> &'static str {
        match self {
            Self::Nil => "<nil>",
            Self::Bool(_) => "bool",
            Self::Int(_, IntType::Int) => "int",
            Self::Int(_, IntType::Int64) => "int64",
            Self::Int(_, IntType::Uint8) => "uint8",
            Self::Int(_, IntType::Month) => "time.Month",
            Self::Int(_, IntType::Weekday) => "time.Weekday",
            Self::Float(_) => "float64",
            Self::Text(_) => "string",
            Self::List(_) => "[]interface {}",
            Self::Map(_) => "map[string]interface {}",
            Self::Fields => "map[string]string",
            Self::Time(_) => "time.Time",
            Self::Element(_) => "interface {}",
        }
    }
}
