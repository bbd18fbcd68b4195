//! Parameters as they come: from the body of a form and from the URL.

/// More pairs than any client sends; each costs more memory than its bytes.
const MAX_PAIRS: usize = 10_000;

/// The parameters of one request, decoded. Those of the body come first.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Form(Vec<(String, String)>);

/// Why parameters cannot be told apart or decoded, in the words of Go's `net/url`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidForm {
    #[error("invalid URL escape {}", larch_types::quoted(.0))]
    Escape(String),
    #[error("invalid semicolon separator in query")]
    Semicolon,
    #[error("more than {MAX_PAIRS} parameters")]
    TooMany,
}

impl Form {
    /// `body` is that of a form; empty if the request has none. Bytes that are not UTF-8 become U+FFFD.
    pub fn parse(body: &[u8], query: &str) -> Result<Self, InvalidForm> {
        let mut pairs = Vec::new();
        for part in body.split(is_ampersand).chain(query.as_bytes().split(is_ampersand)) {
            if part.is_empty() {
                continue;
            }
            if part.contains(&b';') {
                return Err(InvalidForm::Semicolon);
            }
            if pairs.len() == MAX_PAIRS {
                return Err(InvalidForm::TooMany);
            }
            let end = part.iter().position(|byte| *byte == b'=').unwrap_or(part.len());
            let value = part.get(end + 1..).unwrap_or_default();
            pairs.push((decode(&part[..end])?, decode(value)?));
        }
        Ok(Self(pairs))
    }

    /// The first value; empty if there is none.
    pub fn get<'a>(&'a self, name: &str) -> &'a str {
        self.all(name).next().unwrap_or_default()
    }

    pub fn all<'a>(&'a self, name: &str) -> impl Iterator<Item = &'a str> {
        self.0.iter().filter(move |(key, _)| key == name).map(|(_, value)| value.as_str())
    }
}

fn is_ampersand(byte: &u8) -> bool {
    *byte == b'&'
}

fn decode(text: &[u8]) -> Result<String, InvalidForm> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((first, after)) = rest.split_first() {
        rest = after;
        match first {
            b'+' => bytes.push(b' '),
            b'%' => {
                let digits = after.get(..2).and_then(hex_byte);
                let Some(byte) = digits else {
                    let shown = &after[..after.len().min(2)];
                    return Err(InvalidForm::Escape(format!("%{}", String::from_utf8_lossy(shown))));
                };
                bytes.push(byte);
                rest = &after[2..];
            }
            byte => bytes.push(*byte),
        }
    }
    Ok(String::from_utf8(bytes)
        .unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned()))
}

fn hex_byte(digits: &[u8]) -> Option<u8> {
    let mut byte = 0;
    for digit in digits {
        byte = byte << 4 | u8::try_from(char::from(*digit).to_digit(16)?).ok()?;
    }
    Some(byte)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_body_comes_first() {
        let form = Form::parse(b"a=1&b=x+y&match[]=%7B%7D", "a=2&a=3&&=5&c&d=a=b").unwrap();
        assert_eq!(form.get("a"), "1");
        assert_eq!(form.all("a").collect::<Vec<_>>(), ["1", "2", "3"]);
        assert_eq!((form.get("b"), form.get("c"), form.get("none")), ("x y", "", ""));
        assert_eq!((form.get("d"), form.get("match[]"), form.get("")), ("a=b", "{}", "5"));
        assert_eq!(Form::parse(b"q=%ff%e2%82", "").unwrap().get("q"), "\u{fffd}\u{fffd}");
        assert_eq!(Form::parse(b"", "q=%C3%A4%2B").unwrap().get("q"), "ä+");
    }

    #[test]
    fn refuses_in_the_words_of_go() {
        for (query, text) in [
            ("a=%zz", r#"invalid URL escape "%zz""#),
            ("a=%", r#"invalid URL escape "%""#),
            ("%2=b", r#"invalid URL escape "%2""#),
            ("a=%+1", r#"invalid URL escape "%+1""#),
            ("a=1;b=2", "invalid semicolon separator in query"),
            (&"a&".repeat(MAX_PAIRS + 1), "more than 10000 parameters"),
        ] {
            assert_eq!(Form::parse(b"", query).unwrap_err().to_string(), text);
        }
        assert!(Form::parse(b"", &"a&".repeat(MAX_PAIRS)).is_ok());
    }
}
