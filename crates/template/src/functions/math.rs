//! Arithmetic on whatever can be read as a number: a text that cannot is 0.

use crate::functions::decimal::{Op, chain};
use crate::functions::{Call, CallError, CallResult, Function, Type, fixed, variadic};
use crate::go::{parse_float, parse_int, parse_size, truncate_float};
use crate::value::Value;

const ANY: &[Type] = &[Type::Any];
const TWO: &[Type] = &[Type::Any, Type::Any];

pub(super) static FUNCTIONS: &[Function] = &[
    fixed("int", ANY, |call| Ok(Value::int(to_int(call.any(0))))),
    fixed("float64", ANY, |call| Ok(Value::Float(to_float(call.any(0))))),
    variadic("add", &[], Type::Any, |call| Ok(folded(call, Some(0), i64::wrapping_add))),
    fixed("sub", TWO, |call| Ok(folded(call, None, i64::wrapping_sub))),
    variadic("mul", ANY, Type::Any, |call| Ok(folded(call, None, i64::wrapping_mul))),
    variadic("max", ANY, Type::Any, |call| Ok(folded(call, None, i64::max))),
    variadic("min", ANY, Type::Any, |call| Ok(folded(call, None, i64::min))),
    fixed("div", TWO, |call| divided(call, i64::wrapping_div)),
    fixed("mod", TWO, |call| divided(call, i64::wrapping_rem)),
    variadic("addf", &[], Type::Any, |call| decimal(call, Some(0.0), Op::Add)),
    variadic("subf", ANY, Type::Any, |call| decimal(call, None, Op::Sub)),
    variadic("mulf", ANY, Type::Any, |call| decimal(call, None, Op::Mul)),
    variadic("divf", ANY, Type::Any, |call| decimal(call, None, Op::Div)),
    variadic("maxf", ANY, Type::Any, |call| Ok(Value::Float(floats(call).reduce(larger).unwrap_or(0.0)))),
    variadic("minf", ANY, Type::Any, |call| Ok(Value::Float(floats(call).reduce(smaller).unwrap_or(0.0)))),
    fixed("ceil", ANY, |call| Ok(Value::Float(to_float(call.any(0)).ceil()))),
    fixed("floor", ANY, |call| Ok(Value::Float(to_float(call.any(0)).floor()))),
    variadic("round", &[Type::Any, Type::Int], Type::Float, round),
    fixed("bytes", &[Type::Text], |call| Ok(Value::Float(parse_size(&call.text(0))? as f64))),
];

fn to_int(value: &Value<'_>) -> i64 {
    match value.inside() {
        Value::Int(value, _) => *value,
        Value::Float(value) => truncate_float(*value),
        Value::Bool(value) => i64::from(*value),
        Value::Text(text) => parse_int(without_fraction(text), 0).unwrap_or(0),
        _ => 0,
    }
}

/// `12.7` is 12. Only where sign, digits, one point and digits are all there is.
fn without_fraction(text: &[u8]) -> &[u8] {
    let Some(point) = text.iter().position(|b| *b == b'.') else {
        return text;
    };
    let whole = &text[..point];
    let digits = whole.strip_prefix(b"-").or_else(|| whole.strip_prefix(b"+")).unwrap_or(whole);
    let all_digits = |part: &[u8]| part.iter().all(u8::is_ascii_digit);
    if !all_digits(digits) || !all_digits(&text[point + 1..]) {
        return text;
    }
    if digits.is_empty() { b"0" } else { whole }
}

fn to_float(value: &Value<'_>) -> f64 {
    match value.inside() {
        Value::Int(value, _) => *value as f64,
        Value::Float(value) => *value,
        Value::Bool(value) => f64::from(u8::from(*value)),
        Value::Text(text) => parse_float(text).unwrap_or(0.0),
        _ => 0.0,
    }
}

fn floats<'c>(call: &'c Call<'_, '_>) -> impl Iterator<Item = f64> + 'c {
    call.args.iter().map(to_float)
}

fn folded<'a>(call: &Call<'_, 'a>, start: Option<i64>, operation: fn(i64, i64) -> i64) -> Value<'a> {
    let values = start.into_iter().chain(call.args.iter().map(to_int));
    Value::int64(values.reduce(operation).unwrap_or(0))
}

fn divided<'a>(call: &Call<'_, 'a>, operation: fn(i64, i64) -> i64) -> CallResult<'a> {
    let divisor = to_int(call.any(1));
    if divisor == 0 {
        return Err(CallError::from("runtime error: integer divide by zero"));
    }
    Ok(Value::int64(operation(to_int(call.any(0)), divisor)))
}

fn decimal<'a>(call: &Call<'_, 'a>, start: Option<f64>, op: Op) -> CallResult<'a> {
    Ok(Value::Float(chain(start.into_iter().chain(floats(call)), op)?))
}

/// Infinity beats NaN, NaN beats the rest; of the two zeros the positive is larger.
fn larger(a: f64, b: f64) -> f64 {
    if a == f64::INFINITY || b == f64::INFINITY {
        return f64::INFINITY;
    }
    if a.is_nan() || b.is_nan() {
        return f64::NAN;
    }
    if a == 0.0 && b == 0.0 {
        return if a.is_sign_negative() { b } else { a };
    }
    a.max(b)
}

fn smaller(a: f64, b: f64) -> f64 {
    -larger(-a, -b)
}

/// To a number of decimal places. The fraction is compared as it is, so that negative values go down.
fn round<'a>(call: &mut Call<'_, 'a>) -> CallResult<'a> {
    let up_from = if call.args.len() > 2 { call.float(2) } else { 0.5 };
    let places = call.int(1).clamp(-400, 400);
    let scale = power_of_ten(places);
    let scaled = scale * to_float(call.any(0));
    let rounded = if scaled.fract() >= up_from { scaled.ceil() } else { scaled.floor() };
    Ok(Value::Float(rounded / scale))
}

/// Read from text, which is exact to the last bit.
fn power_of_ten(exponent: i64) -> f64 {
    format!("1e{exponent}").parse().unwrap_or(f64::INFINITY)
}
