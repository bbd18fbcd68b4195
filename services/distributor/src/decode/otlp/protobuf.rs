//! The protobuf form:
//!
//! ```text
//! Request       1 resource_logs: repeated ResourceLogs
//! ResourceLogs  1 resource   2 scope_logs: repeated ScopeLogs
//! Resource      1 attributes: repeated KeyValue
//! ScopeLogs     1 scope   2 log_records: repeated LogRecord
//! Scope         1 name   2 version   3 attributes   4 dropped_attributes_count: uint32
//! LogRecord     1 time_unix_nano: fixed64   2 severity_number: int32   3 severity_text   5 body: AnyValue
//!               6 attributes   7 dropped_attributes_count: uint32   8 flags: fixed32   9 trace_id: bytes
//!               10 span_id: bytes   11 observed_time_unix_nano: fixed64   12 event_name
//! KeyValue      1 key   2 value: AnyValue
//! AnyValue      1 string   2 bool   3 int64   4 double   5 array { 1 values }   6 kvlist { 1 values }
//!               7 bytes
//! ```
//!
//! Other fields are skipped. Of a field that comes twice the last one counts, and lists go on.

use bytes::Bytes;

use super::{Attribute, MAX_DEPTH, RECORD_ELEMENTS, Record, ResourceLogs, Scope, ScopeLogs, Value};
use crate::decode::message::Message;
use crate::decode::{Allowance, DecodeError, MAX_ELEMENTS};

/// Reads a whole `ExportLogsServiceRequest`.
pub(crate) fn read_otlp_protobuf(body: &Bytes) -> Result<Vec<ResourceLogs>, DecodeError> {
    read_request(body, &Allowance::of(MAX_ELEMENTS))
}

fn read_request(body: &Bytes, allowance: &Allowance) -> Result<Vec<ResourceLogs>, DecodeError> {
    let mut logs = Vec::new();
    let mut message = Message::new(body.clone());
    while let Some((field, wire)) = message.key()? {
        if field == 1 {
            allowance.take_one()?;
            logs.push(read_resource_logs(message.bytes(wire)?, allowance)?);
        } else {
            message.skip(wire)?;
        }
    }
    Ok(logs)
}

fn read_resource_logs(body: Bytes, allowance: &Allowance) -> Result<ResourceLogs, DecodeError> {
    let mut logs = ResourceLogs::default();
    let mut message = Message::new(body);
    while let Some((field, wire)) = message.key()? {
        match field {
            1 => read_resource(message.bytes(wire)?, &mut logs.attributes, allowance)?,
            2 => {
                allowance.take_one()?;
                logs.scopes.push(read_scope_logs(message.bytes(wire)?, allowance)?);
            }
            _ => message.skip(wire)?,
        }
    }
    Ok(logs)
}

fn read_resource(
    body: Bytes,
    attributes: &mut Vec<Attribute>,
    allowance: &Allowance,
) -> Result<(), DecodeError> {
    let mut message = Message::new(body);
    while let Some((field, wire)) = message.key()? {
        match field {
            1 => attributes.push(read_attribute(message.bytes(wire)?, MAX_DEPTH, allowance)?),
            _ => message.skip(wire)?,
        }
    }
    Ok(())
}

fn read_scope_logs(body: Bytes, allowance: &Allowance) -> Result<ScopeLogs, DecodeError> {
    let mut logs = ScopeLogs::default();
    let mut message = Message::new(body);
    while let Some((field, wire)) = message.key()? {
        match field {
            1 => read_scope(message.bytes(wire)?, &mut logs.scope, allowance)?,
            2 => {
                allowance.take(RECORD_ELEMENTS)?;
                logs.records.push(read_record(message.bytes(wire)?, allowance)?);
            }
            _ => message.skip(wire)?,
        }
    }
    Ok(logs)
}

fn read_scope(body: Bytes, scope: &mut Scope, allowance: &Allowance) -> Result<(), DecodeError> {
    let mut message = Message::new(body);
    while let Some((field, wire)) = message.key()? {
        match field {
            1 => scope.name = message.bytes(wire)?,
            2 => scope.version = message.bytes(wire)?,
            3 => scope.attributes.push(read_attribute(message.bytes(wire)?, MAX_DEPTH, allowance)?),
            4 => scope.dropped_attributes = message.number(wire)? as u32,
            _ => message.skip(wire)?,
        }
    }
    Ok(())
}

fn read_record(body: Bytes, allowance: &Allowance) -> Result<Record, DecodeError> {
    let mut record = Record::default();
    let mut message = Message::new(body);
    while let Some((field, wire)) = message.key()? {
        match field {
            1 => record.time = message.fixed64(wire)?,
            // Of numbers of 32 bits only the lower half counts, as everywhere in protobuf.
            2 => record.severity_number = message.number(wire)? as i32,
            3 => record.severity_text = message.bytes(wire)?,
            5 => read_value(message.bytes(wire)?, MAX_DEPTH, allowance, &mut record.body)?,
            6 => record.attributes.push(read_attribute(message.bytes(wire)?, MAX_DEPTH, allowance)?),
            7 => record.dropped_attributes = message.number(wire)? as u32,
            8 => record.flags = message.fixed32(wire)?,
            9 => record.trace_id = u128::from_be_bytes(read_id("TraceID", &message.bytes(wire)?)?),
            10 => record.span_id = u64::from_be_bytes(read_id("SpanID", &message.bytes(wire)?)?),
            11 => record.observed = message.fixed64(wire)?,
            12 => record.event_name = message.bytes(wire)?,
            _ => message.skip(wire)?,
        }
    }
    Ok(record)
}

/// An id that is not set may be there without bytes.
fn read_id<const N: usize>(what: &str, bytes: &Bytes) -> Result<[u8; N], DecodeError> {
    if bytes.is_empty() {
        return Ok([0; N]);
    }
    let wrong =
        |_| DecodeError::invalid(format!("invalid length for {what}: {} bytes, not {N}", bytes.len()));
    <[u8; N]>::try_from(&bytes[..]).map_err(wrong)
}

fn read_attribute(body: Bytes, depth: u32, allowance: &Allowance) -> Result<Attribute, DecodeError> {
    allowance.take_one()?;
    let mut attribute = Attribute::default();
    let mut message = Message::new(body);
    while let Some((field, wire)) = message.key()? {
        match field {
            1 => attribute.key = message.bytes(wire)?,
            2 => read_value(message.bytes(wire)?, depth, allowance, &mut attribute.value)?,
            _ => message.skip(wire)?,
        }
    }
    Ok(attribute)
}

/// `depth` is how deep it may still go.
fn read_value(body: Bytes, depth: u32, allowance: &Allowance, value: &mut Value) -> Result<(), DecodeError> {
    let Some(inner) = depth.checked_sub(1) else {
        return Err(DecodeError::invalid(format!("a value is nested deeper than {MAX_DEPTH} levels")));
    };
    let mut message = Message::new(body);
    while let Some((field, wire)) = message.key()? {
        match field {
            1 => *value = Value::Text(message.bytes(wire)?),
            2 => *value = Value::Bool(message.number(wire)? != 0),
            3 => *value = Value::Int(message.number(wire)? as i64),
            4 => *value = Value::Double(f64::from_bits(message.fixed64(wire)?)),
            5 => {
                let before = match std::mem::take(value) {
                    Value::List(values) => values,
                    _ => Vec::new(),
                };
                *value = Value::List(read_list(message.bytes(wire)?, before, inner, allowance)?);
            }
            6 => {
                let before = match std::mem::take(value) {
                    Value::Map(pairs) => pairs,
                    _ => Vec::new(),
                };
                *value = Value::Map(read_map(message.bytes(wire)?, before, inner, allowance)?);
            }
            7 => *value = Value::Bytes(message.bytes(wire)?),
            _ => message.skip(wire)?,
        }
    }
    Ok(())
}

fn read_list(
    body: Bytes,
    mut values: Vec<Value>,
    depth: u32,
    allowance: &Allowance,
) -> Result<Vec<Value>, DecodeError> {
    let mut message = Message::new(body);
    while let Some((field, wire)) = message.key()? {
        if field == 1 {
            allowance.take_one()?;
            let mut value = Value::Empty;
            read_value(message.bytes(wire)?, depth, allowance, &mut value)?;
            values.push(value);
        } else {
            message.skip(wire)?;
        }
    }
    Ok(values)
}

fn read_map(
    body: Bytes,
    mut pairs: Vec<Attribute>,
    depth: u32,
    allowance: &Allowance,
) -> Result<Vec<Attribute>, DecodeError> {
    let mut message = Message::new(body);
    while let Some((field, wire)) = message.key()? {
        if field == 1 {
            pairs.push(read_attribute(message.bytes(wire)?, depth, allowance)?);
        } else {
            message.skip(wire)?;
        }
    }
    Ok(pairs)
}

#[cfg(test)]
mod tests;
