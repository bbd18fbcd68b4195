//! Sizes in bytes as people write them: `12 MB`, `2.5KiB`, `1,024`.

use crate::go::{InvalidFloat, decode_rune, parse_float, to_lower, trim_space};

#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum InvalidSize {
    #[error(transparent)]
    Number(#[from] InvalidFloat),
    #[error("unhandled size name: {}", String::from_utf8_lossy(.0))]
    Unit(Vec<u8>),
    #[error("too large: {}", String::from_utf8_lossy(.0))]
    TooLarge(Vec<u8>),
}

/// Digits with commas and a fraction, then perhaps blanks and a unit in any case: decimal with one
/// letter or `B` behind it, binary with an `i`. A fraction of a byte is cut.
pub fn parse_size(text: &[u8]) -> Result<u64, InvalidSize> {
    // Digits of other scripts belong to the number too, and make it invalid.
    let mut number_len = 0;
    while let Some(rune) = decode_rune(&text[number_len..]) {
        if !(rune.c.is_numeric() || matches!(rune.c, '.' | ',')) {
            break;
        }
        number_len += rune.len;
    }
    let (number, unit) = text.split_at(number_len);
    let value = if number.contains(&b',') {
        let digits: Vec<u8> = number.iter().copied().filter(|b| *b != b',').collect();
        parse_float(&digits)?
    } else {
        parse_float(number)?
    };
    let unit = trim_space(unit);
    let Some(scale) = unit_scale(unit) else {
        return Err(InvalidSize::Unit(lower(unit)));
    };
    let bytes = value * scale as f64;
    // 2^64 is exact in a float.
    if bytes >= 18_446_744_073_709_551_616.0 {
        return Err(InvalidSize::TooLarge(text.to_vec()));
    }
    Ok(bytes as u64)
}

fn unit_scale(unit: &[u8]) -> Option<u64> {
    let mut letters = [0_u8; 3];
    let letters = letters.get_mut(..unit.len())?;
    letters.copy_from_slice(unit);
    letters.make_ascii_lowercase();
    let letters: &[u8] = letters;
    if letters.is_empty() || letters == b"b" {
        return Some(1);
    }
    let (power, rest) = match letters[0] {
        b'k' => (1, &letters[1..]),
        b'm' => (2, &letters[1..]),
        b'g' => (3, &letters[1..]),
        b't' => (4, &letters[1..]),
        b'p' => (5, &letters[1..]),
        b'e' => (6, &letters[1..]),
        _ => return None,
    };
    match rest {
        b"" | b"b" => Some(1000_u64.pow(power)),
        b"i" | b"ib" => Some(1024_u64.pow(power)),
        _ => None,
    }
}

fn lower(text: &[u8]) -> Vec<u8> {
    String::from_utf8_lossy(text).chars().map(to_lower).collect::<String>().into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes() {
        for (text, bytes) in [
            ("0", 0),
            ("42", 42),
            ("42B", 42),
            ("1KB", 1000),
            ("1kb", 1000),
            ("1 kb", 1000),
            ("1,000 B", 1000),
            ("2,048", 2048),
            ("2.5KiB", 2560),
            ("2.5kI", 2560),
            ("1.9", 1),
            ("5M", 5_000_000),
            ("1.5 GiB ", 1_610_612_736),
            ("18EB", 18_000_000_000_000_000_000),
            ("1\u{a0}KB", 1000),
        ] {
            assert_eq!(parse_size(text.as_bytes()), Ok(bytes), "{text}");
        }
        for (text, error) in [
            ("1QB", "unhandled size name: qb"),
            ("1 kbs", "unhandled size name: kbs"),
            ("20EB", "too large: 20EB"),
            ("", r#"strconv.ParseFloat: parsing "": invalid syntax"#),
            ("oops", r#"strconv.ParseFloat: parsing "": invalid syntax"#),
            ("-1KB", r#"strconv.ParseFloat: parsing "": invalid syntax"#),
            ("1.2.3KB", r#"strconv.ParseFloat: parsing "1.2.3": invalid syntax"#),
            ("1e3", "unhandled size name: e3"),
        ] {
            assert_eq!(parse_size(text.as_bytes()).unwrap_err().to_string(), error, "{text}");
        }
    }
}
