//! OTLP logs: `ExportLogsServiceRequest`, in protobuf or in JSON.
//!
//! Both forms are read into the same records, of which streams are then made by the tenant's rules. Strings
//! and bytes are slices of the body wherever the form allows it, and need not be UTF-8.

mod json;
mod protobuf;
mod streams;
mod value;
#[cfg(test)]
pub(crate) mod wire;

use bytes::Bytes;

pub(crate) use json::read_otlp_json;
pub(crate) use protobuf::read_otlp_protobuf;
pub(crate) use streams::{Mapping, streams_of};

/// How deep values may lie in one another. In JSON a level takes four of the 128 that are followed there, of
/// which some are around the value.
const MAX_DEPTH: u32 = 28;

/// A record takes the memory of so many other elements.
const RECORD_ELEMENTS: u32 = 4;

#[derive(Debug, Default, Clone, PartialEq)]
pub(crate) struct ResourceLogs {
    pub(crate) attributes: Vec<Attribute>,
    pub(crate) scopes: Vec<ScopeLogs>,
}

#[derive(Debug, Default, Clone, PartialEq)]
pub(crate) struct ScopeLogs {
    pub(crate) scope: Scope,
    pub(crate) records: Vec<Record>,
}

#[derive(Debug, Default, Clone, PartialEq)]
pub(crate) struct Scope {
    pub(crate) name: Bytes,
    pub(crate) version: Bytes,
    pub(crate) attributes: Vec<Attribute>,
    pub(crate) dropped_attributes: u32,
}

/// One log record. What is 0 or empty is not set.
#[derive(Debug, Default, Clone, PartialEq)]
pub(crate) struct Record {
    /// In nanoseconds since 1970, as `observed` is.
    pub(crate) time: u64,
    pub(crate) observed: u64,
    pub(crate) severity_number: i32,
    pub(crate) severity_text: Bytes,
    pub(crate) body: Value,
    pub(crate) attributes: Vec<Attribute>,
    pub(crate) dropped_attributes: u32,
    pub(crate) flags: u32,
    pub(crate) trace_id: u128,
    pub(crate) span_id: u64,
    pub(crate) event_name: Bytes,
}

#[derive(Debug, Default, Clone, PartialEq)]
pub(crate) struct Attribute {
    pub(crate) key: Bytes,
    pub(crate) value: Value,
}

/// `AnyValue`, no deeper than [`MAX_DEPTH`] or what JSON bounds.
#[derive(Debug, Default, Clone, PartialEq)]
pub(crate) enum Value {
    #[default]
    Empty,
    Text(Bytes),
    Bool(bool),
    Int(i64),
    Double(f64),
    Bytes(Bytes),
    List(Vec<Value>),
    Map(Vec<Attribute>),
}
