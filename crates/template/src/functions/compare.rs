//! `eq ne lt le gt ge`. Values of different basic kinds do not compare.

use crate::functions::{Call, CallError, Function, Type, fixed, variadic};
use crate::print::sprint;
use crate::value::Value;

pub(super) static FUNCTIONS: &[Function] = &[
    variadic("eq", &[Type::Any], Type::Any, |call| {
        if call.args.len() < 2 {
            return Err(CallError::from("missing argument for comparison"));
        }
        equals_any(call).map(Value::Bool)
    }),
    fixed("ne", &[Type::Any, Type::Any], |call| equals_any(call).map(|e| Value::Bool(!e))),
    fixed("lt", &[Type::Any, Type::Any], |call| less(call.any(0), call.any(1)).map(Value::Bool)),
    fixed("le", &[Type::Any, Type::Any], |call| less_or_equal(call).map(Value::Bool)),
    fixed("gt", &[Type::Any, Type::Any], |call| less_or_equal(call).map(|le| Value::Bool(!le))),
    fixed("ge", &[Type::Any, Type::Any], |call| less(call.any(0), call.any(1)).map(|lt| Value::Bool(!lt))),
];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    None,
    Bool,
    Int,
    Float,
    Text,
}

fn kind(value: &Value<'_>) -> Kind {
    match value {
        Value::Bool(_) => Kind::Bool,
        Value::Int(..) => Kind::Int,
        Value::Float(_) => Kind::Float,
        Value::Text(_) => Kind::Text,
        _ => Kind::None,
    }
}

fn equals_any(call: &Call<'_, '_>) -> Result<bool, CallError> {
    for other in call.args[1..].iter().map(Value::inside) {
        if equals(call, call.any(0), other)? {
            return Ok(true);
        }
    }
    Ok(false)
}

fn equals(call: &Call<'_, '_>, first: &Value<'_>, other: &Value<'_>) -> Result<bool, CallError> {
    match (first, other) {
        (Value::Nil, Value::Nil) => Ok(true),
        (Value::Nil, _) | (_, Value::Nil) => Ok(false),
        (Value::Bool(a), Value::Bool(b)) => Ok(a == b),
        (Value::Int(a, _), Value::Int(b, _)) => Ok(a == b),
        (Value::Float(a), Value::Float(b)) => Ok(a == b),
        (Value::Text(a), Value::Text(b)) => Ok(a == b),
        (Value::Time(a), Value::Time(b)) => Ok(a.instant() == b.instant()),
        _ if kind(first) != kind(other) => Err(incompatible(first, other)),
        _ => {
            let shown = sprint(std::slice::from_ref(other), call.input)?;
            let shown = String::from_utf8_lossy(&shown);
            Err(CallError(format!("non-comparable type {shown}: {}", other.type_name())))
        }
    }
}

fn less(first: &Value<'_>, other: &Value<'_>) -> Result<bool, CallError> {
    if kind(first) == Kind::None || kind(other) == Kind::None {
        return Err(CallError::from("invalid type for comparison"));
    }
    match (first, other) {
        (Value::Int(a, _), Value::Int(b, _)) => Ok(a < b),
        (Value::Float(a), Value::Float(b)) => Ok(a < b),
        (Value::Text(a), Value::Text(b)) => Ok(a < b),
        (Value::Bool(_), Value::Bool(_)) => Err(CallError::from("invalid type for comparison")),
        _ => Err(incompatible(first, other)),
    }
}

fn less_or_equal(call: &Call<'_, '_>) -> Result<bool, CallError> {
    let (first, other) = (call.any(0), call.any(1));
    Ok(less(first, other)? || equals(call, first, other)?)
}

fn incompatible(first: &Value<'_>, other: &Value<'_>) -> CallError {
    CallError(format!("incompatible types for comparison: {} and {}", first.type_name(), other.type_name()))
}
