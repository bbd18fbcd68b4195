//! Values as text, as Loki writes them.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;

use super::{Attribute, Value};

/// What stands for a value as a line, a label or metadata. Strings are themselves; lists and maps are JSON.
pub(super) fn text_of(value: Value) -> Bytes {
    match value {
        Value::Empty => Bytes::new(),
        Value::Text(text) => text,
        Value::Bool(true) => Bytes::from_static(b"true"),
        Value::Bool(false) => Bytes::from_static(b"false"),
        Value::Int(number) => number.to_string().into(),
        Value::Double(number) => double(number).into(),
        Value::Bytes(bytes) => STANDARD.encode(bytes).into(),
        nested @ (Value::List(_) | Value::Map(_)) => {
            let mut out = String::new();
            write_json(&mut out, &nested);
            out.into()
        }
    }
}

/// From here on with an exponent, and below the first too.
const PLAIN_NUMBERS: std::ops::Range<f64> = 1e-6..1e21;

/// The shortest text that is read as the same number, in the manner of JavaScript.
fn double(number: f64) -> String {
    if number.is_nan() {
        return "NaN".to_owned();
    }
    if number.is_infinite() {
        return if number > 0.0 { "Infinity" } else { "-Infinity" }.to_owned();
    }
    if number == 0.0 || PLAIN_NUMBERS.contains(&number.abs()) {
        return number.to_string();
    }
    let text = format!("{number:e}");
    match text.split_once('e') {
        Some((digits, exponent)) if !exponent.starts_with('-') => format!("{digits}e+{exponent}"),
        _ => text,
    }
}

/// Nested no deeper than decoders allow.
fn write_json(out: &mut String, value: &Value) {
    match value {
        Value::Empty => out.push_str("null"),
        Value::Text(text) => write_string(out, text),
        Value::Bool(truth) => out.push_str(if *truth { "true" } else { "false" }),
        Value::Int(number) => out.push_str(&number.to_string()),
        Value::Double(number) if number.is_finite() => out.push_str(&double(*number)),
        // JSON has no such number, and a line is not lost for it.
        Value::Double(number) => write_string(out, double(*number).as_bytes()),
        Value::Bytes(bytes) => {
            out.push('"');
            STANDARD.encode_string(bytes, out);
            out.push('"');
        }
        Value::List(values) => {
            out.push('[');
            for (index, value) in values.iter().enumerate() {
                if index > 0 {
                    out.push(',');
                }
                write_json(out, value);
            }
            out.push(']');
        }
        Value::Map(pairs) => write_map(out, pairs),
    }
}

/// Sorted by key; of a key that comes twice the last value stays.
fn write_map(out: &mut String, pairs: &[Attribute]) {
    let mut sorted: Vec<&Attribute> = pairs.iter().collect();
    sorted.sort_by(|one, other| one.key.cmp(&other.key));
    out.push('{');
    let mut first = true;
    for (index, pair) in sorted.iter().enumerate() {
        if sorted.get(index + 1).is_some_and(|next| next.key == pair.key) {
            continue;
        }
        if !first {
            out.push(',');
        }
        first = false;
        write_string(out, &pair.key);
        out.push(':');
        write_json(out, &pair.value);
    }
    out.push('}');
}

/// As Go writes strings when told to leave HTML alone: what is not UTF-8 becomes U+FFFD, and the two line
/// breaks of Unicode are escaped.
fn write_string(out: &mut String, text: &[u8]) {
    out.push('"');
    for chunk in text.utf8_chunks() {
        for c in chunk.valid().chars() {
            match c {
                '"' => out.push_str("\\\""),
                '\\' => out.push_str("\\\\"),
                '\n' => out.push_str("\\n"),
                '\r' => out.push_str("\\r"),
                '\t' => out.push_str("\\t"),
                '\u{8}' => out.push_str("\\b"),
                '\u{c}' => out.push_str("\\f"),
                '\u{2028}' => out.push_str("\\u2028"),
                '\u{2029}' => out.push_str("\\u2029"),
                c if c < ' ' => out.push_str(&format!("\\u{:04x}", u32::from(c))),
                c => out.push(c),
            }
        }
        for _ in chunk.invalid() {
            out.push_str("\\ufffd");
        }
    }
    out.push('"');
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(text: &'static str) -> Value {
        Value::Text(Bytes::from_static(text.as_bytes()))
    }

    fn pair(key: &'static str, value: Value) -> Attribute {
        Attribute { key: Bytes::from_static(key.as_bytes()), value }
    }

    #[test]
    fn numbers() {
        for (number, want) in [
            (0.0, "0"),
            (-0.0, "-0"),
            (1.5, "1.5"),
            (-1.5, "-1.5"),
            (100_000.0, "100000"),
            (0.1 + 0.2, "0.30000000000000004"),
            (1e-6, "0.000001"),
            (1e-7, "1e-7"),
            (-1.25e-10, "-1.25e-10"),
            (999_999_999_999_999_900_000.0, "999999999999999900000"),
            (1e21, "1e+21"),
            (-1.5e300, "-1.5e+300"),
            (f64::MIN_POSITIVE, "2.2250738585072014e-308"),
            (f64::NAN, "NaN"),
            (f64::INFINITY, "Infinity"),
            (f64::NEG_INFINITY, "-Infinity"),
        ] {
            assert_eq!(text_of(Value::Double(number)), want);
        }
    }

    #[test]
    fn values() {
        let nested = || {
            Value::Map(vec![
                pair("b", Value::List(vec![Value::Int(i64::MIN), Value::Bool(true), Value::Empty])),
                pair("a", text("first")),
                pair("c", Value::Map(Vec::new())),
                pair("a", text("<&> \"\\\n\r\t\u{8}\u{c}\u{1}\u{7f}\u{2028}ü")),
                pair("d", Value::Double(f64::NAN)),
                pair("e", Value::Double(1e21)),
                pair("f", Value::Bytes(Bytes::from_static(b"hello"))),
            ])
        };
        let json = "{\"a\":\"<&> \\\"\\\\\\n\\r\\t\\b\\f\\u0001\u{7f}\\u2028ü\",\
                    \"b\":[-9223372036854775808,true,null],\"c\":{},\"d\":\"NaN\",\"e\":1e+21,\"f\":\"aGVsbG8=\"}";
        for (value, want) in [
            (Value::Empty, ""),
            (text("as it is\n"), "as it is\n"),
            (Value::Bool(true), "true"),
            (Value::Bool(false), "false"),
            (Value::Int(-5), "-5"),
            (Value::Bytes(Bytes::from_static(b"\xff\xfe")), "//4="),
            (Value::List(Vec::new()), "[]"),
            (Value::List(vec![text("a"), nested()]), &format!("[\"a\",{json}]")),
            (nested(), json),
        ] {
            assert_eq!(text_of(value), want);
        }
        let broken = Value::List(vec![Value::Text(Bytes::from_static(b"a\xff\xfeb"))]);
        assert_eq!(text_of(broken), "[\"a\\ufffd\\ufffdb\"]");
    }

    #[test]
    fn strings_are_not_copied() {
        let body = Bytes::from_static(b"a line");
        assert_eq!(text_of(Value::Text(body.slice(2..))).as_ptr(), body[2..].as_ptr());
    }
}
