//! Text that shares the memory of the message that it came in.

use std::fmt;

use bytes::Bytes;

use crate::InvalidMessage;

/// UTF-8, checked once, never copied.
#[derive(Clone, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Text(Bytes);

impl Text {
    /// `None` if the bytes are not UTF-8.
    pub fn from_utf8(bytes: Bytes) -> Option<Self> {
        std::str::from_utf8(&bytes).ok()?;
        Some(Self(bytes))
    }

    #[expect(clippy::expect_used, reason = "every way in checks that it is UTF-8")]
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).expect("text is UTF-8")
    }

    pub fn as_bytes(&self) -> &Bytes {
        &self.0
    }

    pub(crate) fn checked(field: &str, bytes: Bytes) -> Result<Self, InvalidMessage> {
        Self::from_utf8(bytes).ok_or_else(|| InvalidMessage::new(field, "not UTF-8"))
    }

    pub(crate) fn into_bytes(self) -> Bytes {
        self.0
    }
}

impl From<String> for Text {
    fn from(text: String) -> Self {
        Self(Bytes::from(text))
    }
}

impl From<&str> for Text {
    fn from(text: &str) -> Self {
        Self(Bytes::copy_from_slice(text.as_bytes()))
    }
}

impl fmt::Display for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.as_str(), f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_utf8() {
        assert_eq!(Text::from("naïve").as_str(), "naïve");
        assert_eq!(Text::from_utf8(Bytes::from_static(b"\xff")), None);
        let error = Text::checked("value", Bytes::from_static(b"\xc3")).unwrap_err();
        assert_eq!(error.to_string(), "invalid message: value: not UTF-8");
    }

    #[test]
    fn memory_is_shared() {
        let message = Bytes::from_static(b"name=value");
        let text = Text::from_utf8(message.slice(5..)).unwrap();
        assert_eq!(text.as_bytes().as_ptr(), message[5..].as_ptr());
    }
}
