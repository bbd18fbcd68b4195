//! Blanks what is not code: comments, strings and characters become spaces, and every byte keeps its
//! place and its line.

/// The source with everything but code blanked. The `#` of a raw identifier becomes `_`, so that
/// `r#fn` is one word and not the keyword.
pub(crate) fn mask(source: &str) -> String {
    let bytes = source.as_bytes();
    let mut code = String::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        let end = match bytes[at] {
            b'/' if bytes.get(at + 1) == Some(&b'/') => line_comment_end(bytes, at),
            b'/' if bytes.get(at + 1) == Some(&b'*') => block_comment_end(bytes, at),
            b'"' => quoted_end(bytes, at, b'"'),
            b'\'' => quote_end(source, at),
            byte if is_word(byte) => {
                let (end, is_code) = word_end(bytes, at);
                if is_code {
                    keep_word(&mut code, &source[at..end]);
                    at = end;
                    continue;
                }
                end
            }
            byte => {
                code.push(char::from(byte));
                at += 1;
                continue;
            }
        };
        blank(&mut code, &bytes[at..end]);
        at = end;
    }
    code
}

/// Bytes of words as far as this tool cares: `$` for names in macros, and all of non-ASCII.
pub(super) fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'$' || byte >= 0x80
}

fn keep_word(code: &mut String, word: &str) {
    for byte in word.bytes() {
        // Outside ASCII only the number of bytes matters; `x` is as good a letter as any.
        code.push(match byte {
            b'#' => '_',
            0x80.. => 'x',
            ascii => char::from(ascii),
        });
    }
}

fn blank(code: &mut String, bytes: &[u8]) {
    for byte in bytes {
        code.push(if *byte == b'\n' { '\n' } else { ' ' });
    }
}

fn line_comment_end(bytes: &[u8], start: usize) -> usize {
    bytes[start..].iter().position(|byte| *byte == b'\n').map_or(bytes.len(), |length| start + length)
}

/// Block comments nest.
fn block_comment_end(bytes: &[u8], start: usize) -> usize {
    let mut depth = 0_usize;
    let mut at = start;
    while at < bytes.len() {
        match &bytes[at..] {
            [b'/', b'*', ..] => {
                depth += 1;
                at += 2;
            }
            [b'*', b'/', ..] => {
                depth -= 1;
                at += 2;
                if depth == 0 {
                    return at;
                }
            }
            _ => at += 1,
        }
    }
    bytes.len()
}

/// The end of a literal in which a backslash escapes the next byte.
fn quoted_end(bytes: &[u8], start: usize, quote: u8) -> usize {
    let mut at = start + 1;
    while at < bytes.len() {
        match bytes[at] {
            b'\\' => at += 2,
            byte if byte == quote => return at + 1,
            _ => at += 1,
        }
    }
    bytes.len()
}

/// At a `'`: a character ends at its closing quote; a lifetime or a label is only its `'`, and the
/// word after it is read as a word.
fn quote_end(source: &str, start: usize) -> usize {
    let bytes = source.as_bytes();
    let mut rest = source[start + 1..].chars();
    match rest.next() {
        Some('\\') => quoted_end(bytes, start, b'\''),
        Some(c) if rest.next() == Some('\'') => start + 1 + c.len_utf8() + 1,
        _ => start + 1,
    }
}

/// At the first byte of a word: its end and whether it is code. A word that is the prefix of a literal
/// (`b"..."`, `r#"..."#`, `b'x'`) ends with that literal.
fn word_end(bytes: &[u8], start: usize) -> (usize, bool) {
    let mut end = start;
    while end < bytes.len() && is_word(bytes[end]) {
        end += 1;
    }
    let word = &bytes[start..end];
    let raw = matches!(word, b"r" | b"br" | b"cr");
    match bytes.get(end) {
        Some(b'"') if raw => (raw_end(bytes, end + 1, 0), false),
        Some(b'"') if matches!(word, b"b" | b"c") => (quoted_end(bytes, end, b'"'), false),
        Some(b'\'') if word == b"b" => (quoted_end(bytes, end, b'\''), false),
        Some(b'#') if raw => {
            let hashes = bytes[end..].iter().take_while(|byte| **byte == b'#').count();
            match bytes.get(end + hashes) {
                Some(b'"') => (raw_end(bytes, end + hashes + 1, hashes), false),
                Some(byte) if hashes == 1 && is_word(*byte) => (word_end(bytes, end + 1).0, true),
                _ => (end, true),
            }
        }
        _ => (end, true),
    }
}

/// The end of a raw string: a quote and as many hashes as opened it.
fn raw_end(bytes: &[u8], start: usize, hashes: usize) -> usize {
    for at in start..bytes.len() {
        let closes = bytes[at] == b'"'
            && bytes.len() - at > hashes
            && bytes[at + 1..at + 1 + hashes].iter().all(|byte| *byte == b'#');
        if closes {
            return at + 1 + hashes;
        }
    }
    bytes.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `want` is the code that is left, with one blank for each row of blanks. That all of it is in its
    /// place is checked apart.
    #[track_caller]
    fn check(source: &str, want: &str) {
        let masked = mask(source);
        let words: Vec<&str> = masked.split_ascii_whitespace().collect();
        assert_eq!(words.join(" "), want, "{source}");
        assert_eq!(masked.len(), source.len(), "{source}");
        for (left, right) in masked.bytes().zip(source.bytes()) {
            assert_eq!(left == b'\n', right == b'\n', "{source}");
            assert!(left == b' ' || left == right || left == b'_' && right == b'#', "{source}");
        }
    }

    #[test]
    fn blanks_comments() {
        check("a // b\nc", "a c");
        check("a /* b /* c */ d */ e", "a e");
        check("a / b /* c", "a / b");
        check("/// \"\nfn", "fn");
        check("a/**/b", "a b");
    }

    #[test]
    fn blanks_strings_with_every_prefix() {
        check(r#"a("{", b)"#, "a( , b)");
        check(r#"a("\"{", "\\")"#, "a( , )");
        check(r###"r"\" r#"{"}"# x"###, "x");
        check(r###"br##"{"#}"## cr"{" b"\"" c"{" y"###, "y");
        check("\"a\nb\"c", "c");
        check("bar\"x\"y", "bar y");
        check("\"open", "");
    }

    #[test]
    fn tells_characters_from_lifetimes() {
        check("'{' 'a 'static", "a static");
        check(r"'\'' '\\' '\u{7b}' b'{' b'\'' x", "x");
        check("f::<'a>('b')", "f::< a>( )");
        check("'outer: loop { break 'outer }", "outer: loop { break outer }");
        check("'ä' x", "x");
    }

    #[test]
    fn keeps_raw_identifiers_as_words() {
        check("r#fn r## r", "r_fn r## r");
    }

    #[test]
    fn what_does_not_end_goes_to_the_end() {
        for source in ["/*", "r#\"", "b'", "'", "\"\\", "'\\"] {
            check(source, "");
        }
    }
}
