//! Where a number ends, by the rules of Go's scanner, and what is wrong with it.

pub(super) struct Number {
    pub(super) len: usize,
    /// The first thing that Go's scanner complains about.
    pub(super) error: Option<String>,
}

/// Reads the number that `text` begins with; its first character is a digit, or a dot before a digit.
pub(super) fn scan(text: &str) -> Number {
    let mut scan = Scan { bytes: text.as_bytes(), at: 0, digits: false, underscores: false, error: None };
    let radix = scan.prefix();
    // Go reads `08` to its end before it says that 8 is no octal digit, so that `08.5` can be a float.
    let invalid = scan.digits(radix);
    let mut is_float = false;
    if scan.peek() == b'.' {
        is_float = true;
        if matches!(radix, Radix::Binary | Radix::Octal) {
            scan.complain(format!("invalid radix point in {}", radix.name()));
        }
        scan.at += 1;
        scan.digits(radix);
    }
    if !scan.digits {
        scan.complain(format!("{} has no digits", radix.name()));
    }
    let exponent = scan.peek().to_ascii_lowercase();
    if exponent == b'e' || exponent == b'p' {
        is_float = true;
        scan.exponent(radix, exponent);
    } else if radix == Radix::Hex && is_float {
        scan.complain("hexadecimal mantissa requires a 'p' exponent".to_owned());
    }
    if let Some(digit) = invalid.filter(|_| !is_float) {
        scan.complain(format!("invalid digit '{}' in {}", char::from(digit), radix.name()));
    }
    if scan.underscores && has_lone_separator(&text[..scan.at]) {
        scan.complain("'_' must separate successive digits".to_owned());
    }
    Number { len: scan.at, error: scan.error }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Radix {
    Decimal,
    /// A leading zero: octal for Go, decimal for everybody else.
    LeadingZero,
    Octal,
    Binary,
    Hex,
}

impl Radix {
    const fn name(self) -> &'static str {
        match self {
            Self::Decimal => "decimal literal",
            Self::LeadingZero | Self::Octal => "octal literal",
            Self::Binary => "binary literal",
            Self::Hex => "hexadecimal literal",
        }
    }

    /// The first digit that does not belong.
    const fn end(self) -> u8 {
        match self {
            Self::Binary => b'2',
            Self::LeadingZero | Self::Octal => b'8',
            Self::Decimal | Self::Hex => b'9' + 1,
        }
    }
}

struct Scan<'a> {
    bytes: &'a [u8],
    at: usize,
    digits: bool,
    underscores: bool,
    error: Option<String>,
}

impl Scan<'_> {
    /// Zero at the end of the text, which is no part of a number.
    fn peek(&self) -> u8 {
        self.bytes.get(self.at).copied().unwrap_or(0)
    }

    fn complain(&mut self, error: String) {
        self.error.get_or_insert(error);
    }

    fn prefix(&mut self) -> Radix {
        if self.peek() != b'0' {
            return Radix::Decimal;
        }
        self.at += 1;
        let radix = match self.peek().to_ascii_lowercase() {
            b'x' => Radix::Hex,
            b'o' => Radix::Octal,
            b'b' => Radix::Binary,
            _ => {
                self.digits = true;
                return Radix::LeadingZero;
            }
        };
        self.at += 1;
        radix
    }

    /// Returns the first digit that is too large for the radix.
    fn digits(&mut self, radix: Radix) -> Option<u8> {
        let mut invalid = None;
        loop {
            let byte = self.peek();
            match byte {
                b'_' => self.underscores = true,
                b'0'..=b'9' => {
                    self.digits = true;
                    if byte >= radix.end() {
                        invalid.get_or_insert(byte);
                    }
                }
                b'a'..=b'f' | b'A'..=b'F' if radix == Radix::Hex => self.digits = true,
                _ => return invalid,
            }
            self.at += 1;
        }
    }

    fn exponent(&mut self, radix: Radix, kind: u8) {
        let written = char::from(self.peek());
        if kind == b'e' && !matches!(radix, Radix::Decimal | Radix::LeadingZero) {
            self.complain(format!("'{written}' exponent requires decimal mantissa"));
        }
        if kind == b'p' && radix != Radix::Hex {
            self.complain(format!("'{written}' exponent requires hexadecimal mantissa"));
        }
        self.at += 1;
        if matches!(self.peek(), b'+' | b'-') {
            self.at += 1;
        }
        self.digits = false;
        self.digits(Radix::Decimal);
        if !self.digits {
            self.complain("exponent has no digits".to_owned());
        }
    }
}

/// An underscore must stand between two digits; the radix prefix counts as one.
fn has_lone_separator(number: &str) -> bool {
    let bytes = number.as_bytes();
    let has_prefix =
        bytes.len() > 1 && bytes[0] == b'0' && matches!(bytes[1].to_ascii_lowercase(), b'x' | b'o' | b'b');
    let is_hex = has_prefix && bytes[1].eq_ignore_ascii_case(&b'x');
    let is_digit = |byte: u8| byte.is_ascii_digit() || (is_hex && byte.is_ascii_hexdigit());
    for (index, byte) in bytes.iter().enumerate() {
        if *byte != b'_' {
            continue;
        }
        let after_digit = index > 0 && (is_digit(bytes[index - 1]) || (has_prefix && index == 2));
        let before_digit = bytes.get(index + 1).is_some_and(|next| is_digit(*next));
        if !after_digit || !before_digit {
            return true;
        }
    }
    false
}
