//! What every Go template knows: logic, indexing, lengths, printing. Also `default` and `fromJson`.

use crate::functions::json::from_json;
use crate::functions::{Call, CallError, CallResult, Function, Type, fixed, part, variadic};
use crate::print::{printf, sprint, sprintln};
use crate::value::{IntType, Value};

pub(super) static FUNCTIONS: &[Function] = &[
    // The executor evaluates these two itself, because they stop early.
    variadic("and", &[Type::Any], Type::Any, last),
    variadic("or", &[Type::Any], Type::Any, last),
    fixed("not", &[Type::Any], not),
    fixed("len", &[Type::Any], len),
    variadic("index", &[Type::Any], Type::Any, index),
    variadic("slice", &[Type::Any], Type::Any, slice),
    variadic("call", &[Type::Any], Type::Any, call),
    variadic("print", &[], Type::Any, |call| Ok(Value::text(sprint(call.args, call.input)?))),
    variadic("println", &[], Type::Any, |call| Ok(Value::text(sprintln(call.args, call.input)?))),
    variadic("printf", &[Type::Text], Type::Any, |call| {
        Ok(Value::text(printf(&call.text(0), &call.args[1..], call.input)?))
    }),
    variadic("default", &[Type::Any], Type::Any, default),
    fixed("fromJson", &[Type::Text], |call| Ok(from_json(&call.text(0)))),
    fixed("__line__", &[], |call| Ok(Value::Text(call.input.line.into()))),
];

fn last<'a>(call: &mut Call<'_, 'a>) -> CallResult<'a> {
    Ok(call.args.last().cloned().unwrap_or(Value::Nil))
}

fn not<'a>(call: &mut Call<'_, 'a>) -> CallResult<'a> {
    Ok(Value::Bool(!call.any(0).is_true(call.input.is_empty())))
}

/// The given value, or the default where it is missing or empty.
fn default<'a>(call: &mut Call<'_, 'a>) -> CallResult<'a> {
    let given = call.any(1);
    let is_set = given.is_true(call.input.is_empty());
    Ok(if is_set { given.clone() } else { call.any(0).clone() })
}

fn len<'a>(call: &mut Call<'_, 'a>) -> CallResult<'a> {
    if let Some(Value::Element(inside)) = call.args.first()
        && let Value::Nil = inside.inside()
    {
        return Err(CallError::from("len of nil pointer"));
    }
    let len = match call.any(0) {
        Value::Text(text) => text.len(),
        Value::List(items) => items.len(),
        Value::Map(entries) => entries.len(),
        Value::Fields => call.input.sorted_fields().len(),
        Value::Nil => return Err(CallError::from("reflect: call of reflect.Value.Type on zero Value")),
        other => return Err(CallError::from(format!("len of type {}", other.type_name()))),
    };
    Ok(Value::int(i64::try_from(len).unwrap_or(i64::MAX)))
}

fn index<'a>(call: &mut Call<'_, 'a>) -> CallResult<'a> {
    let mut item = call.any(0).clone();
    if let Value::Nil = item {
        return Err(CallError::from("index of untyped nil"));
    }
    for at in call.args[1..].iter().map(Value::inside) {
        let next = match item.inside() {
            Value::Nil | Value::Element(_) => return Err(CallError::from("index of nil pointer")),
            Value::Text(text) => {
                let position = position(at, text.len())?;
                Value::Int(byte_at(text, position)?, IntType::Uint8)
            }
            Value::List(items) => {
                let position = position(at, items.len())?;
                let found = items.get(position).ok_or_else(|| out_of_range("slice"))?;
                Value::element(found.inside().clone())
            }
            Value::Map(entries) => {
                let found = entries.get(key(at)?).map(|value| value.inside().clone());
                Value::element(found.unwrap_or(Value::Nil))
            }
            Value::Fields => {
                let name = str::from_utf8(key(at)?).unwrap_or("");
                Value::Text((call.input.get)(name).unwrap_or(b"").into())
            }
            other => return Err(CallError::from(format!("can't index item of type {}", other.type_name()))),
        };
        item = next;
    }
    Ok(item)
}

fn byte_at(text: &[u8], position: usize) -> Result<i64, CallError> {
    text.get(position).map(|byte| i64::from(*byte)).ok_or_else(|| out_of_range("string"))
}

/// The bounds check of `index` lets one past the end through; Go's reflection then says this.
fn out_of_range(what: &str) -> CallError {
    CallError(format!("reflect: {what} index out of range"))
}

fn key<'v>(at: &'v Value<'_>) -> Result<&'v [u8], CallError> {
    match at {
        Value::Text(text) => Ok(text),
        Value::Nil => Err(CallError::from("value is nil; should be of type string")),
        other => Err(CallError::from(format!("value has type {}; should be string", other.type_name()))),
    }
}

fn position(at: &Value<'_>, max: usize) -> Result<usize, CallError> {
    let number = match at {
        Value::Int(number, _) => *number,
        Value::Nil => return Err(CallError::from("cannot index slice/array with nil")),
        other => {
            return Err(CallError::from(format!("cannot index slice/array with type {}", other.type_name())));
        }
    };
    match usize::try_from(number) {
        Ok(position) if position <= max => Ok(position),
        _ => Err(CallError::from(format!("index out of range: {number}"))),
    }
}

fn slice<'a>(call: &mut Call<'_, 'a>) -> CallResult<'a> {
    let item = call.any(0);
    let bounds = &call.args[1..];
    if let Value::Nil = item {
        return Err(CallError::from("slice of untyped nil"));
    }
    if bounds.len() > 3 {
        return Err(CallError::from(format!("too many slice indexes: {}", bounds.len())));
    }
    let len = match item {
        Value::Text(_) if bounds.len() == 3 => return Err(CallError::from("cannot 3-index slice a string")),
        Value::Text(text) => text.len(),
        Value::List(items) => items.len(),
        other => return Err(CallError::from(format!("can't slice item of type {}", other.type_name()))),
    };
    let mut ends = [0, len, len];
    for (end, bound) in ends.iter_mut().zip(bounds) {
        *end = position(bound.inside(), len)?;
    }
    let [from, to, cap] = ends;
    if from > to {
        return Err(CallError::from(format!("invalid slice index: {from} > {to}")));
    }
    if to > cap {
        return Err(CallError::from(format!("invalid slice index: {to} > {cap}")));
    }
    Ok(match item {
        Value::Text(text) => part(text, from..to),
        Value::List(items) => Value::list(items[from..to].to_vec()),
        _ => Value::Nil,
    })
}

/// Nothing here is a function that could be called; the executor puts the name first.
fn call<'a>(call: &mut Call<'_, 'a>) -> CallResult<'a> {
    let name = call.text(0);
    match call.any(1) {
        Value::Nil => Err(CallError::from("call of nil")),
        other => {
            let name = String::from_utf8_lossy(&name);
            Err(CallError::from(format!("non-function {name} of type {}", other.type_name())))
        }
    }
}
