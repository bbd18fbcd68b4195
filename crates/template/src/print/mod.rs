//! Values as Go's `fmt` prints them.

mod format;
mod verb;

use crate::budget::{OverBudget, append};
use crate::exec::Input;
use crate::go::{FloatForm, float_text};
use crate::time::{month_name, weekday_name};
use crate::value::{IntType, Value};

pub(crate) use format::printf;

/// What an action writes: no value at all shows as such.
pub(crate) fn print_result(
    out: &mut Vec<u8>,
    value: &Value<'_>,
    input: &Input<'_>,
) -> Result<(), OverBudget> {
    match value {
        Value::Nil => append(out, b"<no value>"),
        _ => print_value(out, value, input),
    }
}

/// `%v`.
pub(crate) fn print_value(out: &mut Vec<u8>, value: &Value<'_>, input: &Input<'_>) -> Result<(), OverBudget> {
    match value.inside() {
        Value::Nil | Value::Element(_) => append(out, b"<nil>"),
        Value::Bool(value) => append(out, if *value { b"true" } else { b"false" }),
        Value::Int(value, IntType::Month) => append(out, month_name(*value).as_bytes()),
        Value::Int(value, IntType::Weekday) => append(out, weekday_name(*value).as_bytes()),
        Value::Int(value, _) => append(out, value.to_string().as_bytes()),
        Value::Float(value) => append(out, float_text(*value, FloatForm::General, None).as_bytes()),
        Value::Text(text) => append(out, text),
        Value::List(items) => {
            append(out, b"[")?;
            for (index, item) in items.iter().enumerate() {
                if index > 0 {
                    append(out, b" ")?;
                }
                print_value(out, item, input)?;
            }
            append(out, b"]")
        }
        Value::Map(entries) => {
            append(out, b"map[")?;
            for (index, (key, item)) in entries.iter().enumerate() {
                if index > 0 {
                    append(out, b" ")?;
                }
                append(out, key)?;
                append(out, b":")?;
                print_value(out, item, input)?;
            }
            append(out, b"]")
        }
        Value::Fields => {
            append(out, b"map[")?;
            for (index, (name, value)) in input.sorted_fields().into_iter().enumerate() {
                if index > 0 {
                    append(out, b" ")?;
                }
                append(out, name.as_bytes())?;
                append(out, b":")?;
                append(out, value)?;
            }
            append(out, b"]")
        }
        Value::Time(time) => append(out, &time.text()),
    }
}

/// `fmt.Sprint`: a blank between two operands of which neither is text.
pub(crate) fn sprint(args: &[Value<'_>], input: &Input<'_>) -> Result<Vec<u8>, OverBudget> {
    let mut out = Vec::new();
    let mut text_before = true;
    for (index, arg) in args.iter().enumerate() {
        let is_text = matches!(arg.inside(), Value::Text(_));
        if index > 0 && !is_text && !text_before {
            append(&mut out, b" ")?;
        }
        print_value(&mut out, arg, input)?;
        text_before = is_text;
    }
    Ok(out)
}

/// `fmt.Sprintln`.
pub(crate) fn sprintln(args: &[Value<'_>], input: &Input<'_>) -> Result<Vec<u8>, OverBudget> {
    let mut out = Vec::new();
    for (index, arg) in args.iter().enumerate() {
        if index > 0 {
            append(&mut out, b" ")?;
        }
        print_value(&mut out, arg, input)?;
    }
    append(&mut out, b"\n")?;
    Ok(out)
}
