//! Names of objects.
//!
//! ```text
//! <prefix>/<tenant>/seg/<day|wide>/<ulid>.seg
//! <prefix>/<tenant>/cat/<day|wide>/{add,swap,snap}-<ulid>
//! <prefix>/<tenant>/cat/<day|wide>/bad-{add,swap,snap}-<ulid>
//! <prefix>/<tenant>/{rules,deletes,usage,pins}/<part>[/<part>]
//! ```
//!
//! Parts over 250 bytes are spread over nested folders (`long_names`).
//!
//! Keys are made from types, so that no text of a client is ever a name. What a listing shows comes from
//! outside: only what these functions would have made is taken for ours, all else is left alone.

use std::fmt;
use std::str::FromStr;

use larch_proto::Partition;
use larch_types::{FactId, SegmentId, TenantId};

/// What kind of fact an object of the catalog states.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum FactKind {
    Add,
    Swap,
    Snap,
}

/// The name of an object of the catalog within its partition.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct FactName {
    pub kind: FactKind,
    pub id: FactId,
}

/// Small documents that are not part of the data path.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum DocumentKind {
    Rules,
    Deletes,
    Usage,
    /// Whoever is not to lose objects for a while.
    Pins,
}

/// The whole name of one object, below the store's prefix.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Key {
    tenant: TenantId,
    path: Box<str>,
}

/// Where objects are listed, below the store's prefix.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Folder(Box<str>);

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidKey {
    #[error("a document's name has an empty part, or more than two")]
    Parts,
    #[error("a document's name is too long: {bytes} bytes, at most {MAX_DOCUMENT_NAME_BYTES}")]
    TooLong { bytes: usize },
}

/// All stores take keys of 1,024 bytes; a tenant takes up to 450 of them and the prefix some. A part is also
/// the name of a file where objects are kept in a directory.
pub const MAX_DOCUMENT_NAME_BYTES: usize = 400;

impl Key {
    pub fn segment(tenant: &TenantId, partition: Partition, id: SegmentId) -> Self {
        Self::new(tenant, &format!("seg/{partition}/{id}.seg"))
    }

    pub fn fact(tenant: &TenantId, partition: Partition, name: FactName) -> Self {
        Self::new(tenant, &format!("cat/{partition}/{name}"))
    }

    /// Where a fact that cannot be read is kept. It is not the name of a fact.
    pub fn set_aside(tenant: &TenantId, partition: Partition, name: FactName) -> Self {
        Self::new(tenant, &format!("cat/{partition}/bad-{name}"))
    }

    /// The parts are any text: they are encoded here.
    pub fn document(tenant: &TenantId, kind: DocumentKind, parts: &[&str]) -> Result<Self, InvalidKey> {
        if !(1..=2).contains(&parts.len()) || parts.iter().any(|part| part.is_empty()) {
            return Err(InvalidKey::Parts);
        }
        let mut path = kind.as_str().to_owned();
        for part in parts {
            path.push('/');
            encode(part, &mut path);
        }
        if path.len() > MAX_DOCUMENT_NAME_BYTES {
            return Err(InvalidKey::TooLong { bytes: path.len() });
        }
        Ok(Self::new(tenant, &path))
    }

    fn new(tenant: &TenantId, rest: &str) -> Self {
        Self { tenant: tenant.clone(), path: format!("{}/{rest}", tenant.key()).into() }
    }

    /// Whose object it is.
    pub fn tenant(&self) -> &TenantId {
        &self.tenant
    }

    pub fn as_str(&self) -> &str {
        &self.path
    }
}

impl Folder {
    /// Where every tenant has a folder.
    pub fn tenants() -> Self {
        Self("".into())
    }

    /// All that a tenant has.
    pub fn tenant(tenant: &TenantId) -> Self {
        Self(tenant.key().into())
    }

    pub fn segments(tenant: &TenantId, partition: Partition) -> Self {
        Self(format!("{}/seg/{partition}", tenant.key()).into())
    }

    pub fn facts(tenant: &TenantId, partition: Partition) -> Self {
        Self(format!("{}/cat/{partition}", tenant.key()).into())
    }

    /// Where every partition with facts has a folder.
    pub fn catalogs(tenant: &TenantId) -> Self {
        Self(format!("{}/cat", tenant.key()).into())
    }

    /// Where every partition with segments has a folder.
    pub fn segment_partitions(tenant: &TenantId) -> Self {
        Self(format!("{}/seg", tenant.key()).into())
    }

    pub fn documents(tenant: &TenantId, kind: DocumentKind) -> Self {
        Self(format!("{}/{}", tenant.key(), kind.as_str()).into())
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// The id in the name of a segment, as a listing of its folder shows it.
pub fn parse_segment_name(name: &str) -> Option<SegmentId> {
    name.strip_suffix(".seg")?.parse().ok()
}

/// The parts of a document's name, as a listing of its folder shows it.
pub fn parse_document_name(name: &str) -> Option<Vec<String>> {
    let mut parts = Vec::new();
    for part in name.split('/') {
        parts.push(decode(part)?);
    }
    (parts.len() <= 2).then_some(parts)
}

/// Tries every parser of listed names on any bytes. Nothing may panic, and what is taken must be made again.
pub fn fuzz_names(bytes: &[u8]) {
    let Ok(name) = std::str::from_utf8(bytes) else { return };
    let taken = |again: String| assert_eq!(again, name, "two names for one thing");
    if let Some(id) = parse_segment_name(name) {
        taken(format!("{id}.seg"));
    }
    if let Ok(fact) = name.parse::<FactName>() {
        taken(fact.to_string());
    }
    if let Ok(partition) = name.parse::<Partition>() {
        taken(partition.to_string());
    }
    if let Some(tenant) = TenantId::from_key(name) {
        taken(tenant.key());
    }
    if let Some(parts) = parse_document_name(name) {
        let encoded: Vec<String> = parts.iter().map(|part| encoded(part)).collect();
        taken(encoded.join("/"));
    }
}

impl DocumentKind {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Rules => "rules",
            Self::Deletes => "deletes",
            Self::Usage => "usage",
            Self::Pins => "pins",
        }
    }
}

impl FactKind {
    pub const ALL: [Self; 3] = [Self::Add, Self::Swap, Self::Snap];

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Add => "add",
            Self::Swap => "swap",
            Self::Snap => "snap",
        }
    }
}

/// The text is not the name of an object of the catalog.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not the name of a fact: {}", larch_types::quoted(.0))]
pub struct InvalidName(String);

impl FromStr for FactName {
    type Err = InvalidName;

    fn from_str(text: &str) -> Result<Self, InvalidName> {
        let invalid = || InvalidName(text.to_owned());
        let (kind, id) = text.split_once('-').ok_or_else(invalid)?;
        let kind = FactKind::ALL.into_iter().find(|known| known.as_str() == kind).ok_or_else(invalid)?;
        Ok(Self { kind, id: id.parse().map_err(|_| invalid())? })
    }
}

impl fmt::Display for FactName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.kind.as_str(), self.id)
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.path)
    }
}

impl fmt::Display for Folder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/", self.0)
    }
}

fn encoded(part: &str) -> String {
    let mut out = String::new();
    encode(part, &mut out);
    out
}

/// Bytes outside `[A-Za-z0-9_-]` are percent-encoded, as tenants' are.
fn encode(part: &str, out: &mut String) {
    for byte in part.bytes() {
        if byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-' {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
}

/// Only what [`encode`] makes is taken.
fn decode(part: &str) -> Option<String> {
    let text = percent_decoded(part)?;
    (!text.is_empty() && encoded(&text) == part).then_some(text)
}

/// `None` if a percent sign does not begin a byte, or the bytes are not UTF-8.
pub(crate) fn percent_decoded(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        if byte == b'%' {
            let mut digit = || rest.next().and_then(|digit| char::from(digit).to_digit(16));
            let value = digit()? << 4 | digit()?;
            bytes.push(u8::try_from(value).ok()?);
        } else {
            bytes.push(byte);
        }
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::testing::mutations;

    fn tenant(text: &str) -> TenantId {
        text.parse().unwrap()
    }

    #[test]
    fn keys_are_as_documented() {
        let day = "20260701".parse().unwrap();
        let segment = Key::segment(&tenant("a.b"), day, SegmentId::from_u128(7));
        assert_eq!(segment.as_str(), "a%2Eb/seg/20260701/00000000000000000000000007.seg");
        for (kind, name) in [(FactKind::Add, "add"), (FactKind::Swap, "swap"), (FactKind::Snap, "snap")] {
            let fact = FactName { kind, id: FactId::from_u128(u128::MAX) };
            let key = Key::fact(&tenant("t"), Partition::Wide, fact);
            assert_eq!(key.as_str(), format!("t/cat/wide/{name}-7ZZZZZZZZZZZZZZZZZZZZZZZZZ"));
        }
        let rules = Key::document(&tenant("t"), DocumentKind::Rules, &["../x", "ä b"]).unwrap();
        assert_eq!(rules.as_str(), "t/rules/%2E%2E%2Fx/%C3%A4%20b");
        assert_eq!(Folder::tenants().as_str(), "");
        assert_eq!(Folder::facts(&tenant("*"), Partition::Wide).as_str(), "%2A/cat/wide");
    }

    #[test]
    fn documents_have_names_of_bounded_length() {
        let document = |parts: &[&str]| Key::document(&tenant("t"), DocumentKind::Usage, parts);
        assert_eq!(document(&[]), Err(InvalidKey::Parts));
        assert_eq!(document(&["a", ""]), Err(InvalidKey::Parts));
        assert_eq!(document(&["a", "b", "c"]), Err(InvalidKey::Parts));
        assert_eq!(document(&[&"x".repeat(395)]), Err(InvalidKey::TooLong { bytes: 401 }));
        assert!(document(&[&"x".repeat(394)]).is_ok());
    }

    #[test]
    fn strange_names_are_not_ours() {
        for name in ["", "x.seg", "00000000000000000000000007", "00000000000000000000000007.SEG", "0.seg"] {
            assert_eq!(parse_segment_name(name), None, "{name}");
        }
        for name in
            ["", "add", "add-", "add-x", "Add-00000000000000000000000007", "add_00000000000000000000000007"]
        {
            assert!(name.parse::<FactName>().is_err(), "{name}");
        }
        let fact = FactName { kind: FactKind::Add, id: FactId::from_u128(7) };
        let aside = Key::set_aside(&tenant("t"), Partition::Wide, fact);
        let aside = aside.as_str().strip_prefix("t/cat/wide/").unwrap();
        assert_eq!(aside, "bad-add-00000000000000000000000007");
        assert!(aside.parse::<FactName>().is_err());
        for name in ["", "/", "a/", "a//b", "a/b/c", "a.b", "%2e", "%41", "%", "%FF"] {
            assert_eq!(parse_document_name(name), None, "{name}");
        }
    }

    #[test]
    fn no_name_breaks_the_parsers() {
        let corpus: [&[u8]; 6] = [
            b"00000000000000000000000007.seg",
            b"add-7ZZZZZZZZZZZZZZZZZZZZZZZZZ",
            b"swap-01J1Z3NDEKTSV4RRFFQ69G5FAV",
            b"20260701",
            b"a%2Eb-c_d%C3%A4/%2E%2E",
            b"wide",
        ];
        mutations(&corpus, fuzz_names);
    }

    proptest! {
        #[test]
        fn document_names_come_back(parts in prop::collection::vec("\\PC{1,20}", 1..=2)) {
            let given: Vec<&str> = parts.iter().map(String::as_str).collect();
            let key = Key::document(&tenant("t"), DocumentKind::Deletes, &given).unwrap();
            let name = key.as_str().strip_prefix("t/deletes/").unwrap();
            prop_assert_eq!(parse_document_name(name), Some(parts));
        }

        #[test]
        fn facts_come_back(kind in 0..3_usize, id in any::<u128>()) {
            let fact = FactName { kind: FactKind::ALL[kind], id: FactId::from_u128(id) };
            prop_assert_eq!(fact.to_string().parse(), Ok(fact));
        }
    }
}
