//! `Content-Type`: only whether it is one, and which.

/// Why a header is no media type, in the words of Go's parser.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum InvalidMediaType {
    #[error("mime: no media type")]
    Missing,
    #[error("mime: expected slash after first token")]
    NoSlash,
    #[error("mime: expected token after slash")]
    NoSubtype,
    #[error("mime: unexpected content after media subtype")]
    Rest,
    #[error("mime: invalid media parameter")]
    Parameter,
    #[error("mime: duplicate parameter name")]
    Duplicate,
}

/// The type in lower case, without its parameters.
pub(crate) fn media_type(header: &[u8]) -> Result<String, InvalidMediaType> {
    let end = header.iter().position(|byte| *byte == b';').unwrap_or(header.len());
    let (kind, mut rest) = header.split_at(end);
    let kind = kind.trim_ascii();
    check_type(kind)?;
    let mut known: Vec<(Vec<u8>, &[u8])> = Vec::new();
    while !rest.is_empty() {
        rest = rest.trim_ascii_start();
        let Some(parameter) = rest.strip_prefix(b";") else { return Err(InvalidMediaType::Parameter) };
        let parameter = parameter.trim_ascii_start();
        if parameter.is_empty() {
            // A semicolon at the end is a common mistake.
            break;
        }
        let (name, value, behind) = take_parameter(parameter).ok_or(InvalidMediaType::Parameter)?;
        let name = name.to_ascii_lowercase();
        // The same again says nothing new.
        if known.iter().any(|(other, said)| *other == name && *said != value) {
            return Err(InvalidMediaType::Duplicate);
        }
        known.push((name, value));
        rest = behind.trim_ascii_start();
    }
    Ok(String::from_utf8_lossy(kind).to_ascii_lowercase())
}

fn check_type(kind: &[u8]) -> Result<(), InvalidMediaType> {
    let (first, rest) = take_token(kind);
    if first.is_empty() {
        return Err(InvalidMediaType::Missing);
    }
    if rest.is_empty() {
        return Ok(());
    }
    let Some(rest) = rest.strip_prefix(b"/") else { return Err(InvalidMediaType::NoSlash) };
    let (second, rest) = take_token(rest);
    if second.is_empty() {
        return Err(InvalidMediaType::NoSubtype);
    }
    if rest.is_empty() { Ok(()) } else { Err(InvalidMediaType::Rest) }
}

/// The name of a parameter, its value as it is written, and what follows.
fn take_parameter(text: &[u8]) -> Option<(&[u8], &[u8], &[u8])> {
    let (name, rest) = take_token(text);
    let start = rest.trim_ascii_start().strip_prefix(b"=")?.trim_ascii_start();
    let rest = match start.strip_prefix(b"\"") {
        Some(quoted) => behind_quote(quoted)?,
        None => take_token(start).1,
    };
    let value = &start[..start.len() - rest.len()];
    (!name.is_empty() && !value.is_empty()).then_some((name, value, rest))
}

/// What follows the closing quote.
fn behind_quote(text: &[u8]) -> Option<&[u8]> {
    let mut at = 0;
    loop {
        match text.get(at)? {
            b'"' => return text.get(at + 1..),
            b'\\' => at += 2,
            b'\r' | b'\n' => return None,
            _ => at += 1,
        }
    }
}

fn take_token(text: &[u8]) -> (&[u8], &[u8]) {
    let is_token = |byte: &u8| byte.is_ascii_graphic() && !b"()<>@,;:\\\"/[]?=".contains(byte);
    let end = text.iter().position(|byte| !is_token(byte)).unwrap_or(text.len());
    text.split_at(end)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types() {
        for (header, want) in [
            ("application/json", "application/json"),
            (" Application/JSON ; charset=utf-8", "application/json"),
            ("application/json;", "application/json"),
            ("application/json; charset=\"utf\\\"-8\" ; a=b", "application/json"),
            ("application/x-www-form-urlencoded", "application/x-www-form-urlencoded"),
            ("a/b; c=d; C=d", "a/b"),
            ("text", "text"),
        ] {
            assert_eq!(media_type(header.as_bytes()).as_deref(), Ok(want), "{header}");
        }
    }

    #[test]
    fn mistakes() {
        for (header, text) in [
            ("", "mime: no media type"),
            ("; charset=utf-8", "mime: no media type"),
            ("a b", "mime: expected slash after first token"),
            ("a/", "mime: expected token after slash"),
            ("a/b c", "mime: unexpected content after media subtype"),
            ("a/b; c", "mime: invalid media parameter"),
            ("a/b; =c", "mime: invalid media parameter"),
            ("a/b; c=", "mime: invalid media parameter"),
            ("a/b; c=\"d", "mime: invalid media parameter"),
            ("a/b; c=\"d\\", "mime: invalid media parameter"),
            ("a/b; c=d e", "mime: invalid media parameter"),
            ("a/b; c=d; C=e", "mime: duplicate parameter name"),
        ] {
            assert_eq!(media_type(header.as_bytes()).unwrap_err().to_string(), text, "{header}");
        }
    }
}
