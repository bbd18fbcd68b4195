//! JSON strings as Go writes them.

/// Whether `<`, `>`, `&` and the line separators of Unicode are escaped. Lines are, labels of streams are
/// not; whoever parses the JSON sees no difference.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Escaping {
    Html,
    Plain,
}

/// Appends a string, HTML-safe, as most answers hold it.
pub fn json_string(out: &mut Vec<u8>, text: &str) {
    string(out, text.as_bytes(), Escaping::Html);
}

/// Appends a string made of any bytes: each that is not UTF-8 becomes U+FFFD.
pub fn json_text(out: &mut Vec<u8>, bytes: &[u8]) {
    string(out, bytes, Escaping::Html);
}

pub(crate) fn string(out: &mut Vec<u8>, bytes: &[u8], escaping: Escaping) {
    out.push(b'"');
    for chunk in bytes.utf8_chunks() {
        valid(out, chunk.valid().as_bytes(), escaping);
        for _ in chunk.invalid() {
            out.extend_from_slice(br"\ufffd");
        }
    }
    out.push(b'"');
}

/// Bytes are copied in runs that need no escape.
fn valid(out: &mut Vec<u8>, bytes: &[u8], escaping: Escaping) {
    let mut copied = 0;
    for (index, byte) in bytes.iter().enumerate() {
        let escape = match (byte, escaping) {
            (b'"', _) => Escape::Short(b'"'),
            (b'\\', _) => Escape::Short(b'\\'),
            (b'\n', _) => Escape::Short(b'n'),
            (b'\r', _) => Escape::Short(b'r'),
            (b'\t', _) => Escape::Short(b't'),
            (0..0x20, _) | (b'<' | b'>' | b'&', Escaping::Html) => Escape::Byte(*byte),
            // U+2028 and U+2029 begin with this byte and differ in their last bit.
            (0xe2, Escaping::Html) if matches!(&bytes[index..], [_, 0x80, 0xa8 | 0xa9, ..]) => {
                Escape::Separator(bytes[index + 2] & 1)
            }
            _ => continue,
        };
        out.extend_from_slice(&bytes[copied..index]);
        copied = index + escape.write(out);
    }
    out.extend_from_slice(&bytes[copied..]);
}

enum Escape {
    Short(u8),
    Byte(u8),
    Separator(u8),
}

impl Escape {
    /// How many bytes it stands for.
    fn write(self, out: &mut Vec<u8>) -> usize {
        match self {
            Self::Short(letter) => {
                out.extend_from_slice(&[b'\\', letter]);
                1
            }
            Self::Byte(byte) => {
                out.extend_from_slice(br"\u00");
                out.extend_from_slice(&[hex_digit(byte >> 4), hex_digit(byte & 0xf)]);
                1
            }
            Self::Separator(last_bit) => {
                out.extend_from_slice(br"\u202");
                out.push(b'8' + last_bit);
                3
            }
        }
    }
}

fn hex_digit(nibble: u8) -> u8 {
    b"0123456789abcdef"[usize::from(nibble & 0xf)]
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn written(bytes: &[u8], escaping: Escaping) -> String {
        let mut out = Vec::new();
        string(&mut out, bytes, escaping);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn escapes_as_go() {
        for (bytes, html) in [
            (&b"plain"[..], r#""plain""#),
            (b"<a&b>", r#""\u003ca\u0026b\u003e""#),
            (b"\"\\\n\r\t\x00\x1f\x08\x7f", "\"\\\"\\\\\\n\\r\\t\\u0000\\u001f\\u0008\x7f\""),
            ("\u{2028}\u{2029}\u{2027}é".as_bytes(), "\"\\u2028\\u2029\u{2027}é\""),
            (b"a\xff\xe2\x82b", r#""a\ufffd\ufffd\ufffdb""#),
        ] {
            assert_eq!(written(bytes, Escaping::Html), html);
        }
        assert_eq!(written("<\u{2028}".as_bytes(), Escaping::Plain), "\"<\u{2028}\"");
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(bytes in prop::collection::vec(any::<u8>(), 0..64), text in "\\PC{0,40}|[<>&\"\\\\\\x00-\\x1f\u{2028}\u{2029}]{0,20}") {
            for escaping in [Escaping::Html, Escaping::Plain] {
                let read: String = serde_json::from_str(&written(text.as_bytes(), escaping)).unwrap();
                prop_assert_eq!(&read, &text);
                let read: String = serde_json::from_str(&written(&bytes, escaping)).unwrap();
                // One replacement for each bad byte, where the library makes one of several.
                let mut want = String::new();
                for chunk in bytes.utf8_chunks() {
                    want.push_str(chunk.valid());
                    want.extend(chunk.invalid().iter().map(|_| '\u{fffd}'));
                }
                prop_assert_eq!(read, want);
            }
        }
    }
}
