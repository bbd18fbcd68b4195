//! Tenant ids, alone and as the set that one read may name.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use crate::caps::{MAX_TENANT_ID_BYTES, MAX_TENANTS_PER_REQUEST};

/// A tenant as named by the request header. Never empty, never `.` or `..`, never used as a path
/// component without [`TenantId::key`].
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TenantId(Arc<str>);

/// Why a tenant header was refused. The texts are those that clients of Loki know.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidTenant {
    #[error("no org id")]
    Missing,
    #[error("tenant ID '{tenant}' contains unsupported character '{character}'")]
    Character { tenant: String, character: char },
    #[error("tenant ID is too long: max {MAX_TENANT_ID_BYTES} characters")]
    TooLong,
    #[error("tenant ID is '.' or '..'")]
    DotName,
    #[error("multiple org IDs present")]
    Several,
    #[error("too many org IDs present: max {MAX_TENANTS_PER_REQUEST}")]
    TooMany,
}

impl FromStr for TenantId {
    type Err = InvalidTenant;

    /// Takes one tenant. What follows the first `:` is a client's own remark and is dropped.
    fn from_str(text: &str) -> Result<Self, InvalidTenant> {
        let id = text.split(':').next().unwrap_or_default();
        if id.is_empty() {
            return Err(InvalidTenant::Missing);
        }
        if let Some(character) = id.chars().find(|c| !is_allowed(*c)) {
            return Err(InvalidTenant::Character { tenant: id.to_owned(), character });
        }
        if id.len() > MAX_TENANT_ID_BYTES {
            return Err(InvalidTenant::TooLong);
        }
        if id == "." || id == ".." {
            return Err(InvalidTenant::DotName);
        }
        Ok(Self(Arc::from(id)))
    }
}

fn is_allowed(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '!' | '-' | '_' | '.' | '*' | '\'' | '(' | ')')
}

impl TenantId {
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The tenant as one component of an object key or a path: bytes outside `[A-Za-z0-9_-]` are
    /// percent-encoded, so that no tenant can name a parent, a sibling or a special file.
    pub fn key(&self) -> String {
        let mut key = String::with_capacity(self.0.len());
        for byte in self.0.bytes() {
            if byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-' {
                key.push(char::from(byte));
            } else {
                key.push('%');
                key.push(hex_digit(byte >> 4));
                key.push(hex_digit(byte & 0xf));
            }
        }
        key
    }

    /// The way back from [`TenantId::key`]. Only what that function makes is taken: nothing else in a
    /// listing is a tenant of ours.
    pub fn from_key(key: &str) -> Option<Self> {
        let mut text = String::with_capacity(key.len());
        let mut rest = key.bytes();
        while let Some(byte) = rest.next() {
            let byte =
                if byte == b'%' { hex_value(rest.next()?)? << 4 | hex_value(rest.next()?)? } else { byte };
            text.push(char::from(byte));
        }
        let tenant: Self = text.parse().ok()?;
        (tenant.key() == key).then_some(tenant)
    }
}

fn hex_value(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).and_then(|value| u8::try_from(value).ok())
}

fn hex_digit(nibble: u8) -> char {
    char::from(b"0123456789ABCDEF"[usize::from(nibble & 0xf)])
}

impl fmt::Display for TenantId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for TenantId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TenantId({})", self.0)
    }
}

/// The tenants of one read: sorted, without duplicates, never empty.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct TenantSet(Box<[TenantId]>);

impl FromStr for TenantSet {
    type Err = InvalidTenant;

    /// Takes the header's text, `a|b|c`.
    fn from_str(header: &str) -> Result<Self, InvalidTenant> {
        let mut tenants = Vec::new();
        for part in header.split('|') {
            if tenants.len() == MAX_TENANTS_PER_REQUEST {
                return Err(InvalidTenant::TooMany);
            }
            tenants.push(part.parse::<TenantId>()?);
        }
        tenants.sort();
        tenants.dedup();
        Ok(Self(tenants.into_boxed_slice()))
    }
}

impl TenantSet {
    pub fn as_slice(&self) -> &[TenantId] {
        &self.0
    }

    /// The one tenant of a request that may name only one.
    pub fn single(&self) -> Result<&TenantId, InvalidTenant> {
        match &*self.0 {
            [tenant] => Ok(tenant),
            _ => Err(InvalidTenant::Several),
        }
    }
}

impl From<TenantId> for TenantSet {
    fn from(tenant: TenantId) -> Self {
        Self(Box::new([tenant]))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error_of(header: &str) -> String {
        header.parse::<TenantSet>().expect_err(header).to_string()
    }

    #[test]
    fn refuses_with_the_texts_that_clients_know() {
        assert_eq!(error_of(""), "no org id");
        assert_eq!(error_of("a||b"), "no org id");
        assert_eq!(error_of(":x"), "no org id");
        assert_eq!(error_of("a/b"), "tenant ID 'a/b' contains unsupported character '/'");
        assert_eq!(error_of("ä"), "tenant ID 'ä' contains unsupported character 'ä'");
        assert_eq!(error_of(&"x".repeat(151)), "tenant ID is too long: max 150 characters");
        assert_eq!(error_of("."), "tenant ID is '.' or '..'");
        assert_eq!(error_of(".."), "tenant ID is '.' or '..'");
        assert_eq!(error_of(&["t"; 1001].join("|")), "too many org IDs present: max 1000");
    }

    #[test]
    fn a_set_is_sorted_and_unique() {
        let set: TenantSet = "b|a:remark|b".parse().unwrap();
        let names: Vec<&str> = set.as_slice().iter().map(TenantId::as_str).collect();
        assert_eq!(names, ["a", "b"]);
        assert_eq!(set.single(), Err(InvalidTenant::Several));
        let same: TenantSet = "a|a".parse().unwrap();
        assert_eq!(same.single().unwrap().as_str(), "a");
    }

    #[test]
    fn a_key_never_leaves_its_folder() {
        let key = |text: &str| text.parse::<TenantId>().unwrap().key();
        assert_eq!(key("team-7_x"), "team-7_x");
        assert_eq!(key("..."), "%2E%2E%2E");
        assert_eq!(key("a!*'()"), "a%21%2A%27%28%29");
    }

    #[test]
    fn only_keys_are_tenants_again() {
        for text in ["team-7_x", "...", "a!*'()", &"*".repeat(150)] {
            let tenant: TenantId = text.parse().unwrap();
            assert_eq!(TenantId::from_key(&tenant.key()), Some(tenant));
        }
        for key in [
            "",
            ".",
            "..",
            "a.b",
            "a%2e",
            "%41",
            "a%",
            "a%2",
            "a%zz",
            "a%3Ab",
            "%2E",
            "\u{e4}",
            &"a".repeat(151),
        ] {
            assert_eq!(TenantId::from_key(key), None, "{key}");
        }
    }
}
