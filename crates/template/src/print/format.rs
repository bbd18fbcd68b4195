//! `printf`: the format with its flags, widths, precisions and argument indexes.

use crate::budget::{OverBudget, append};
use crate::exec::Input;
use crate::go::decode_rune;
use crate::print::print_value;
use crate::print::verb::{Flags, Verb};
use crate::value::Value;

/// Larger widths and precisions are refused by Go as well.
const MAX_NUMBER: i64 = 1_000_000;

struct Printer<'f, 'a> {
    format: &'f [u8],
    at: usize,
    args: &'f [Value<'a>],
    next_arg: usize,
    reordered: bool,
    good_index: bool,
    input: &'f Input<'a>,
    out: Vec<u8>,
}

pub(crate) fn printf<'a>(
    format: &[u8],
    args: &[Value<'a>],
    input: &Input<'a>,
) -> Result<Vec<u8>, OverBudget> {
    let mut printer = Printer {
        format,
        at: 0,
        args,
        next_arg: 0,
        reordered: false,
        good_index: true,
        input,
        out: Vec::new(),
    };
    printer.run()?;
    Ok(printer.out)
}

impl Printer<'_, '_> {
    fn run(&mut self) -> Result<(), OverBudget> {
        while self.at < self.format.len() {
            let rest = &self.format[self.at..];
            let plain = rest.iter().position(|b| *b == b'%').unwrap_or(rest.len());
            append(&mut self.out, &rest[..plain])?;
            self.at += plain;
            if self.at < self.format.len() {
                self.at += 1;
                self.directive()?;
            }
        }
        if self.reordered || self.next_arg >= self.args.len() {
            return Ok(());
        }
        append(&mut self.out, b"%!(EXTRA ")?;
        for index in self.next_arg..self.args.len() {
            if index > self.next_arg {
                append(&mut self.out, b", ")?;
            }
            self.typed(index)?;
        }
        append(&mut self.out, b")")
    }

    /// `type=value`.
    fn typed(&mut self, index: usize) -> Result<(), OverBudget> {
        let arg = &self.args[index];
        if let Value::Nil = arg.inside() {
            return append(&mut self.out, b"<nil>");
        }
        append(&mut self.out, arg.inside().type_name().as_bytes())?;
        append(&mut self.out, b"=")?;
        print_value(&mut self.out, arg, self.input)
    }

    fn peek(&self) -> Option<u8> {
        self.format.get(self.at).copied()
    }

    fn directive(&mut self) -> Result<(), OverBudget> {
        let mut flags = Flags::default();
        self.good_index = true;
        while let Some(byte) = self.peek() {
            match byte {
                b'#' => flags.sharp = true,
                b'0' => flags.zero = true,
                b'+' => flags.plus = true,
                b'-' => flags.minus = true,
                b' ' => flags.space = true,
                _ => break,
            }
            self.at += 1;
        }
        let mut after_index = self.argument_index();
        self.width(&mut flags, &mut after_index)?;
        self.precision(&mut flags, &mut after_index)?;
        if !after_index {
            self.argument_index();
        }
        let Some(rune) = decode_rune(&self.format[self.at..]) else {
            return append(&mut self.out, b"%!(NOVERB)");
        };
        self.at += rune.len;
        let verb = rune.c;
        if verb == '%' {
            return append(&mut self.out, b"%");
        }
        if !self.good_index {
            return append(&mut self.out, format!("%!{verb}(BADINDEX)").as_bytes());
        }
        let Some(arg) = self.args.get(self.next_arg) else {
            return append(&mut self.out, format!("%!{verb}(MISSING)").as_bytes());
        };
        self.next_arg += 1;
        if verb == 'v' {
            flags.sharp_v = flags.sharp;
            flags.sharp = false;
            flags.plus = false;
        }
        let mut verb_printer = Verb { out: &mut self.out, input: self.input, flags, verb };
        verb_printer.argument(arg)
    }

    /// `[3]`. True if there was one.
    fn argument_index(&mut self) -> bool {
        if self.peek() != Some(b'[') {
            return false;
        }
        self.reordered = true;
        let rest = &self.format[self.at..];
        let Some(close) = rest.iter().position(|b| *b == b']').filter(|_| rest.len() >= 3) else {
            self.at += 1;
            self.good_index = false;
            return false;
        };
        self.at += close + 1;
        let number = str::from_utf8(&rest[1..close]).ok().and_then(|text| text.parse::<i64>().ok());
        let is_number = number.is_some_and(|n| (0..=MAX_NUMBER).contains(&n)) && rest[1].is_ascii_digit();
        let index = number.and_then(|n| usize::try_from(n - 1).ok()).filter(|index| *index < self.args.len());
        match index {
            Some(index) if is_number => self.next_arg = index,
            _ => self.good_index = false,
        }
        is_number
    }

    fn number(&mut self) -> Option<usize> {
        let digits = self.format[self.at..].iter().take_while(|b| b.is_ascii_digit()).count();
        if digits == 0 {
            return None;
        }
        let text = &self.format[self.at..self.at + digits];
        let mut value: i64 = 0;
        for digit in text {
            value = (value * 10 + i64::from(digit - b'0')).min(MAX_NUMBER + 1);
        }
        if value > MAX_NUMBER {
            // Go stops in the middle of such a number and then finds no verb.
            self.at = self.format.len();
            return None;
        }
        self.at += digits;
        usize::try_from(value).ok()
    }

    /// The next argument as a number, for `*`.
    fn number_from_argument(&mut self) -> Option<i64> {
        let arg = self.args.get(self.next_arg)?;
        self.next_arg += 1;
        match arg.inside() {
            Value::Int(value, _) if (-MAX_NUMBER..=MAX_NUMBER).contains(value) => Some(*value),
            _ => None,
        }
    }

    fn width(&mut self, flags: &mut Flags, after_index: &mut bool) -> Result<(), OverBudget> {
        if self.peek() != Some(b'*') {
            flags.width = self.number();
            if *after_index && flags.width.is_some() {
                self.good_index = false;
            }
            return Ok(());
        }
        self.at += 1;
        *after_index = false;
        let Some(width) = self.number_from_argument() else {
            return append(&mut self.out, b"%!(BADWIDTH)");
        };
        if width < 0 {
            flags.minus = true;
            flags.zero = false;
        }
        flags.width = usize::try_from(width.unsigned_abs()).ok();
        Ok(())
    }

    fn precision(&mut self, flags: &mut Flags, after_index: &mut bool) -> Result<(), OverBudget> {
        if self.at + 1 >= self.format.len() || self.peek() != Some(b'.') {
            return Ok(());
        }
        self.at += 1;
        if *after_index {
            self.good_index = false;
        }
        *after_index = self.argument_index();
        if self.peek() != Some(b'*') {
            flags.precision = Some(self.number().unwrap_or(0));
            return Ok(());
        }
        self.at += 1;
        *after_index = false;
        match self.number_from_argument() {
            Some(precision) if precision >= 0 => flags.precision = usize::try_from(precision).ok(),
            _ => append(&mut self.out, b"%!(BADPREC)")?,
        }
        Ok(())
    }
}
