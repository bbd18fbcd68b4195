//! How entries are to be shown: the header `X-Loki-Response-Encoding-Flags`.

use http::{HeaderMap, HeaderName};

const HEADER: HeaderName = HeaderName::from_static("x-loki-response-encoding-flags");
/// The one flag that has an effect.
const CATEGORIZE: &str = "categorize-labels";
/// An answer repeats the flags; a request with more flags is no client's.
const MAX_FLAGS: usize = 100;

/// The flags in the order of the header; unknown ones are kept, because answers repeat them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct EncodingFlags(Vec<String>);

impl EncodingFlags {
    pub fn read(headers: &HeaderMap) -> Self {
        let header = headers.get(HEADER).map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned());
        match header.as_deref() {
            None | Some("") => Self::default(),
            Some(text) => Self(text.split(',').take(MAX_FLAGS).map(str::to_owned).collect()),
        }
    }

    /// Whether the labels of entries are told apart by where they come from.
    pub fn categorizes(&self) -> bool {
        self.0.iter().any(|flag| flag == CATEGORIZE)
    }

    pub fn as_slice(&self) -> &[String] {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags_are_split_and_not_trimmed() {
        for (text, flags, categorizes) in [
            ("", &[][..], false),
            ("categorize-labels", &["categorize-labels"], true),
            ("foo,categorize-labels", &["foo", "categorize-labels"], true),
            ("foo, categorize-labels", &["foo", " categorize-labels"], false),
            (",", &["", ""], false),
        ] {
            let flags: Vec<String> = flags.iter().map(|flag| (*flag).to_owned()).collect();
            let mut headers = HeaderMap::new();
            headers.insert(HEADER, text.parse().unwrap());
            let read = EncodingFlags::read(&headers);
            assert_eq!((read.as_slice(), read.categorizes()), (flags.as_slice(), categorizes), "{text}");
        }
        assert_eq!(EncodingFlags::read(&HeaderMap::new()), EncodingFlags::default());
    }
}
