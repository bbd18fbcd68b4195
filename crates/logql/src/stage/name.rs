//! Label names made from whatever a line calls its fields.

use larch_template::{decode_rune, trim_space};

/// Appends a part of a name: blanks at its ends are cut, and every other character that no label name may
/// have becomes an underscore. Parts are joined by an underscore, blank ones are left out, and a name
/// never starts with a digit.
pub(crate) fn append_part(name: &mut String, part: &[u8]) {
    let part = trimmed(part);
    let Some(first) = part.first() else {
        return;
    };
    if !name.is_empty() || first.is_ascii_digit() {
        name.push('_');
    }
    let mut rest = part;
    while let Some((byte, tail)) = rest.split_first() {
        if byte.is_ascii_alphanumeric() {
            name.push(char::from(*byte));
            rest = tail;
        } else {
            name.push('_');
            rest = &rest[decode_rune(rest).map_or(1, |rune| rune.len)..];
        }
    }
}

/// Replaces the buffer by the name made from one part; false if nothing is left of it.
pub(crate) fn sanitize(name: &mut String, part: &[u8]) -> bool {
    name.clear();
    append_part(name, part);
    !name.is_empty()
}

fn trimmed(text: &[u8]) -> &[u8] {
    // Nearly all names begin and end in ASCII.
    let plain = |byte: Option<&u8>| byte.is_some_and(|b| b.is_ascii_graphic());
    if plain(text.first()) && plain(text.last()) {
        return text;
    }
    trim_space(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names() {
        for (part, want) in [
            (&b"plain_1"[..], "plain_1"),
            ("Gr\u{f6}\u{df}e-cm".as_bytes(), "Gr__e_cm"),
            (b"9lives", "_9lives"),
            (b" k ", "k"),
            (b"a.b:c", "a_b_c"),
            ("\u{a0}\u{2003}x\u{3000} ".as_bytes(), "x"),
            (b"\xff\xfe", "__"),
            ("\u{fc}".as_bytes(), "_"),
            (b" ", ""),
            (b"", ""),
            (b"\x0b\x0c", ""),
            (b" 9", "_9"),
        ] {
            let mut name = String::from("old");
            assert_eq!(sanitize(&mut name, part), !want.is_empty());
            assert_eq!(name, want);
        }
    }

    #[test]
    fn parts_are_joined() {
        let mut name = String::new();
        for part in [&b"a"[..], b" ", b"b-c", b"9"] {
            append_part(&mut name, part);
        }
        assert_eq!(name, "a_b_c_9");
    }
}
