//! Quoted literals, by the rules of Go's scanner.

use std::borrow::Cow;

pub(super) struct Literal {
    /// With both quotes.
    pub(super) len: usize,
    /// How many characters it stands for.
    pub(super) chars: usize,
}

const BAD_ESCAPE: &str = "invalid char escape";

/// Finds the end of the literal that `text` begins with, and the first reason why it is none.
pub(super) fn scan(text: &str, quote: char) -> Result<Literal, &'static str> {
    let mut chars = 0;
    let mut rest = &text[quote.len_utf8()..];
    loop {
        let first = rest.chars().next().filter(|c| *c != '\n').ok_or("literal not terminated")?;
        if first == quote {
            return Ok(Literal { len: text.len() - rest.len() + quote.len_utf8(), chars });
        }
        let len = if first == '\\' { escape_len(rest, quote)? } else { first.len_utf8() };
        rest = &rest[len..];
        chars += 1;
    }
}

/// The length of the escape that `text` begins with.
fn escape_len(text: &str, quote: char) -> Result<usize, &'static str> {
    let (digits, radix, skip) = match text[1..].chars().next() {
        Some('a' | 'b' | 'f' | 'n' | 'r' | 't' | 'v' | '\\') => return Ok(2),
        Some(c) if c == quote => return Ok(2),
        Some('0'..='7') => (3, 8, 1),
        Some('x') => (2, 16, 2),
        Some('u') => (4, 16, 2),
        Some('U') => (8, 16, 2),
        _ => return Err(BAD_ESCAPE),
    };
    let found = text[skip..].chars().take(digits).take_while(|c| c.is_digit(radix)).count();
    if found < digits { Err(BAD_ESCAPE) } else { Ok(skip + digits) }
}

/// What the inside of a double-quoted literal stands for; its escapes are well-formed.
pub(super) fn unquote(body: &str) -> Result<Cow<'_, [u8]>, &'static str> {
    if !body.contains('\\') {
        return Ok(Cow::Borrowed(body.as_bytes()));
    }
    let mut out = Vec::with_capacity(body.len());
    let mut rest = body;
    while let Some(start) = rest.find('\\') {
        out.extend_from_slice(&rest.as_bytes()[..start]);
        rest = &rest[start..];
        let len = escape_len(rest, '"')?;
        push_escaped(&mut out, &rest[..len])?;
        rest = &rest[len..];
    }
    out.extend_from_slice(rest.as_bytes());
    Ok(Cow::Owned(out))
}

fn push_escaped(out: &mut Vec<u8>, escape: &str) -> Result<(), &'static str> {
    // The scanner counts digits; only here does it show that they stand for nothing.
    const OUT_OF_RANGE: &str = "invalid syntax";
    let kind = escape.as_bytes()[1];
    let byte = match kind {
        b'a' => 0x07,
        b'b' => 0x08,
        b'f' => 0x0c,
        b'n' => b'\n',
        b'r' => b'\r',
        b't' => b'\t',
        b'v' => 0x0b,
        b'x' => u8::from_str_radix(&escape[2..], 16).map_err(|_| OUT_OF_RANGE)?,
        b'0'..=b'7' => u8::from_str_radix(&escape[1..], 8).map_err(|_| OUT_OF_RANGE)?,
        b'u' | b'U' => {
            let code = u32::from_str_radix(&escape[2..], 16).map_err(|_| OUT_OF_RANGE)?;
            let c = char::from_u32(code).ok_or(OUT_OF_RANGE)?;
            out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
            return Ok(());
        }
        quote_or_backslash => quote_or_backslash,
    };
    out.push(byte);
    Ok(())
}
