//! One argument of `printf` under one verb, and the texts for what does not fit.

use crate::budget::{OverBudget, append, append_padding};
use crate::exec::Input;
use crate::go::{FloatForm, float_text, quote_ascii, quote_bytes, quote_rune, runes};
use crate::print::print_value;
use crate::value::{IntType, Value};

#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Flags {
    pub(super) sharp: bool,
    pub(super) zero: bool,
    pub(super) plus: bool,
    pub(super) minus: bool,
    pub(super) space: bool,
    /// `%#v`
    pub(super) sharp_v: bool,
    pub(super) width: Option<usize>,
    pub(super) precision: Option<usize>,
}

/// One argument under one verb.
pub(super) struct Verb<'f, 'a> {
    pub(super) out: &'f mut Vec<u8>,
    pub(super) input: &'f Input<'a>,
    pub(super) flags: Flags,
    pub(super) verb: char,
}

impl Verb<'_, '_> {
    pub(super) fn argument(&mut self, arg: &Value<'_>) -> Result<(), OverBudget> {
        let arg = arg.inside();
        if self.verb == 'T' {
            return self.pad_truncated(arg.type_name().as_bytes());
        }
        if let Value::Nil | Value::Element(_) = arg {
            return if self.verb == 'v' { self.pad(b"<nil>") } else { self.bad(arg) };
        }
        self.value(arg)
    }

    fn value(&mut self, arg: &Value<'_>) -> Result<(), OverBudget> {
        let arg = arg.inside();
        match arg {
            Value::Nil | Value::Element(_) => {
                append(self.out, if self.flags.sharp_v { b"interface {}(nil)" } else { b"<nil>" })
            }
            Value::Bool(value) => match self.verb {
                't' | 'v' => self.pad(if *value { b"true" } else { b"false" }),
                _ => self.bad(arg),
            },
            Value::Int(_, IntType::Month | IntType::Weekday) | Value::Time(_)
                if matches!(self.verb, 'v' | 's' | 'x' | 'X' | 'q') && !self.flags.sharp_v =>
            {
                let mut text = Vec::new();
                print_value(&mut text, arg, self.input)?;
                self.text(arg, &text)
            }
            Value::Int(value, kind) => self.int(arg, *value, *kind),
            Value::Float(value) => self.float(arg, *value),
            Value::Text(text) => self.text(arg, text),
            Value::List(items) => self.list(items),
            Value::Map(entries) => {
                let entries = entries.iter().map(|(key, value)| (Value::Text(key.clone()), value.clone()));
                self.map(arg.type_name(), entries.collect())
            }
            Value::Fields => {
                let fields = self.input.sorted_fields();
                let entries = fields.into_iter().map(|(k, v)| (Value::text(k), Value::text(v)));
                self.map(arg.type_name(), entries.collect())
            }
            Value::Time(time) if self.verb == 'v' => self.pad_truncated(time.go_syntax().as_bytes()),
            Value::Time(_) => self.bad(arg),
        }
    }

    fn list(&mut self, items: &[Value<'_>]) -> Result<(), OverBudget> {
        let go_syntax = self.flags.sharp_v;
        append(self.out, if go_syntax { b"[]interface {}{" } else { b"[" })?;
        for (index, item) in items.iter().enumerate() {
            if index > 0 {
                append(self.out, if go_syntax { b", " } else { b" " })?;
            }
            self.value(item)?;
        }
        append(self.out, if go_syntax { b"}" } else { b"]" })
    }

    fn map(&mut self, type_name: &str, entries: Vec<(Value<'_>, Value<'_>)>) -> Result<(), OverBudget> {
        let go_syntax = self.flags.sharp_v;
        if go_syntax {
            append(self.out, type_name.as_bytes())?;
        }
        append(self.out, if go_syntax { b"{" } else { b"map[" })?;
        for (index, (key, value)) in entries.iter().enumerate() {
            if index > 0 {
                append(self.out, if go_syntax { b", " } else { b" " })?;
            }
            self.value(key)?;
            append(self.out, b":")?;
            self.value(value)?;
        }
        append(self.out, if go_syntax { b"}" } else { b"]" })
    }

    /// `%!d(string=abc)`; the value keeps the flags of the verb.
    fn bad(&mut self, arg: &Value<'_>) -> Result<(), OverBudget> {
        append(self.out, format!("%!{}(", self.verb).as_bytes())?;
        if let Value::Nil | Value::Element(_) = arg {
            append(self.out, b"<nil>")?;
        } else {
            append(self.out, arg.type_name().as_bytes())?;
            append(self.out, b"=")?;
            let verb = std::mem::replace(&mut self.verb, 'v');
            match arg {
                // Names of months and days are left aside here.
                Value::Int(value, _) => self.digits(*value, value.unsigned_abs().to_string(), "")?,
                _ => self.value(arg)?,
            }
            self.verb = verb;
        }
        append(self.out, b")")
    }

    fn pad(&mut self, text: &[u8]) -> Result<(), OverBudget> {
        let missing = self.flags.width.map_or(0, |width| width.saturating_sub(runes(text).count()));
        if self.flags.minus {
            append(self.out, text)?;
            return append_padding(self.out, b' ', missing);
        }
        append_padding(self.out, if self.flags.zero { b'0' } else { b' ' }, missing)?;
        append(self.out, text)
    }

    /// Numbers bring their own zeros.
    fn pad_with_blanks(&mut self, text: &[u8]) -> Result<(), OverBudget> {
        let zero = std::mem::replace(&mut self.flags.zero, false);
        self.pad(text)?;
        self.flags.zero = zero;
        Ok(())
    }

    fn truncated<'t>(&self, text: &'t [u8]) -> &'t [u8] {
        let Some(precision) = self.flags.precision else {
            return text;
        };
        let end = runes(text).nth(precision).map_or(text.len(), |(at, _)| at);
        &text[..end]
    }

    fn pad_truncated(&mut self, text: &[u8]) -> Result<(), OverBudget> {
        let text = self.truncated(text);
        self.pad(text)
    }

    fn text(&mut self, arg: &Value<'_>, text: &[u8]) -> Result<(), OverBudget> {
        match self.verb {
            'v' if self.flags.sharp_v => self.quoted(text),
            'v' | 's' => self.pad_truncated(text),
            'q' => self.quoted(text),
            'x' | 'X' => self.hexadecimal_text(text),
            _ => self.bad(arg),
        }
    }

    fn quoted(&mut self, text: &[u8]) -> Result<(), OverBudget> {
        let text = self.truncated(text);
        if self.flags.sharp && can_backquote(text) {
            return self.pad(&[b"`", text, b"`"].concat());
        }
        let quoted = if self.flags.plus { quote_ascii(text) } else { quote_bytes(text) };
        self.pad(quoted.as_bytes())
    }

    fn hexadecimal_text(&mut self, text: &[u8]) -> Result<(), OverBudget> {
        let text = &text[..text.len().min(self.flags.precision.unwrap_or(text.len()))];
        let upper = self.verb == 'X';
        let prefix = if upper { "0X" } else { "0x" };
        let mut out = String::with_capacity(2 * text.len());
        for (index, byte) in text.iter().enumerate() {
            let separate = self.flags.space && index > 0;
            if separate {
                out.push(' ');
            }
            if self.flags.sharp && (index == 0 || separate) {
                out.push_str(prefix);
            }
            out.push_str(&if upper { format!("{byte:02X}") } else { format!("{byte:02x}") });
        }
        self.pad(out.as_bytes())
    }

    fn int(&mut self, arg: &Value<'_>, value: i64, kind: IntType) -> Result<(), OverBudget> {
        let code = u32::try_from(value).ok().and_then(char::from_u32).unwrap_or(char::REPLACEMENT_CHARACTER);
        match self.verb {
            'v' if self.flags.sharp_v && kind == IntType::Uint8 => {
                self.pad(format!("0x{value:x}").as_bytes())
            }
            'v' | 'd' => self.digits(value, value.unsigned_abs().to_string(), ""),
            'b' => self.digits(value, format!("{:b}", value.unsigned_abs()), "0b"),
            'o' => {
                let digits = format!("{:o}", value.unsigned_abs());
                let prefix = if digits.starts_with('0') { "" } else { "0" };
                self.digits(value, digits, prefix)
            }
            'O' => {
                let prefix = if self.flags.sharp && value != 0 { "0o0" } else { "0o" };
                self.flags.sharp = true;
                self.digits(value, format!("{:o}", value.unsigned_abs()), prefix)
            }
            'x' => self.digits(value, format!("{:x}", value.unsigned_abs()), "0x"),
            'X' => self.digits(value, format!("{:X}", value.unsigned_abs()), "0X"),
            'c' => self.pad(code.encode_utf8(&mut [0; 4]).as_bytes()),
            'q' => self.pad(quote_rune(code).as_bytes()),
            'U' => {
                let width = self.flags.precision.unwrap_or(4).max(4);
                let mut text = format!("U+{value:0width$X}");
                if self.flags.sharp
                    && u32::try_from(value).is_ok_and(|v| u32::from(code) == v)
                    && is_printable(code)
                {
                    text.push_str(&format!(" '{code}'"));
                }
                self.pad_with_blanks(text.as_bytes())
            }
            _ => self.bad(arg),
        }
    }

    /// Sign, prefix if asked for, zeros, digits.
    fn digits(&mut self, value: i64, digits: String, prefix: &str) -> Result<(), OverBudget> {
        let sign = match (value < 0, self.flags.plus, self.flags.space) {
            (true, _, _) => "-",
            (false, true, _) => "+",
            (false, false, true) => " ",
            (false, false, false) => "",
        };
        let zeros = match (self.flags.precision, self.flags.width) {
            (Some(0), _) if value == 0 => return self.pad_with_blanks(b""),
            (Some(precision), _) => precision,
            (None, Some(width)) if self.flags.zero && !self.flags.minus => width.saturating_sub(sign.len()),
            _ => 0,
        };
        let mut text = Vec::new();
        append(&mut text, sign.as_bytes())?;
        if self.flags.sharp {
            append(&mut text, prefix.as_bytes())?;
        }
        append_padding(&mut text, b'0', zeros.saturating_sub(digits.len()))?;
        append(&mut text, digits.as_bytes())?;
        self.pad_with_blanks(&text)
    }

    /// With `#`: always a point, and for the general form all the digits asked for.
    fn sharpened(&self, digits: &str) -> Option<String> {
        if !self.flags.sharp || self.verb == 'b' {
            return None;
        }
        let exponent = if matches!(self.verb, 'x' | 'X') { ['p', 'P'] } else { ['e', 'E'] };
        let (number, tail) = digits.split_at(digits.find(exponent).unwrap_or(digits.len()));
        let mut out = number.to_owned();
        let mut wanted = match self.verb {
            'v' | 'g' | 'G' | 'x' => self.flags.precision.unwrap_or(6),
            _ => 0,
        };
        let significant =
            number.trim_start_matches(['0', '.']).bytes().filter(u8::is_ascii_alphanumeric).count();
        wanted = wanted.saturating_sub(significant);
        if !number.contains('.') {
            out.push('.');
            wanted = wanted.saturating_sub(usize::from(number == "0"));
        }
        out.extend(std::iter::repeat_n('0', wanted));
        out.push_str(tail);
        Some(out)
    }

    fn float(&mut self, arg: &Value<'_>, value: f64) -> Result<(), OverBudget> {
        let precision = self.flags.precision;
        let text = match self.verb {
            'v' | 'g' => float_text(value, FloatForm::General, precision),
            'G' => upper_exponent(float_text(value, FloatForm::General, precision)),
            'f' | 'F' => float_text(value, FloatForm::Plain, Some(precision.unwrap_or(6))),
            'e' => float_text(value, FloatForm::Exponent, Some(precision.unwrap_or(6))),
            'E' => upper_exponent(float_text(value, FloatForm::Exponent, Some(precision.unwrap_or(6)))),
            'b' => float_text(value, FloatForm::Binary, None),
            'x' => float_text(value, FloatForm::Hexadecimal, precision),
            'X' => float_text(value, FloatForm::Hexadecimal, precision).to_ascii_uppercase(),
            _ => return self.bad(arg),
        };
        let text = if value.is_infinite() { text.replace("INF", "Inf") } else { text.replace("NAN", "NaN") };
        let (sign, digits) = match text.strip_prefix('-') {
            Some(digits) => ("-", digits),
            None => ("+", text.strip_prefix('+').unwrap_or(&text)),
        };
        let shown_sign = match sign {
            "+" if self.flags.plus => "+",
            "+" if self.flags.space => " ",
            "+" if digits == "Inf" => "+",
            "+" => "",
            other => other,
        };
        if !value.is_finite() {
            return self.pad_with_blanks(format!("{shown_sign}{digits}").as_bytes());
        }
        let sharpened = self.sharpened(digits);
        let digits = sharpened.as_deref().unwrap_or(digits);
        let width = self.flags.width.unwrap_or(0);
        if self.flags.zero && !self.flags.minus {
            append(self.out, shown_sign.as_bytes())?;
            append_padding(self.out, b'0', width.saturating_sub(shown_sign.len() + digits.len()))?;
            return append(self.out, digits.as_bytes());
        }
        self.pad(format!("{shown_sign}{digits}").as_bytes())
    }
}

fn is_printable(c: char) -> bool {
    !c.is_control() && larch_types::quoted(c.encode_utf8(&mut [0; 4])).contains(c)
}

fn upper_exponent(text: String) -> String {
    text.replace('e', "E")
}

fn can_backquote(text: &[u8]) -> bool {
    runes(text).all(|(_, rune)| {
        rune.valid && rune.c != '`' && rune.c != '\u{feff}' && (rune.c == '\t' || !rune.c.is_ascii_control())
    })
}
