//! What all conversions from messages share: naming the bad field, ids, lists, places in lists.

use std::time::Duration;

use bytes::Bytes;
use larch_types::{Address, ErrorKind, NodeId, Span, TenantId, TombstoneId};

/// A message that decodes and still cannot be meant.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("invalid message: {field}: {reason}")]
pub struct InvalidMessage {
    /// The path of the field, as the .proto files name it.
    field: String,
    reason: String,
}

impl InvalidMessage {
    pub(crate) fn new(field: &str, reason: impl Into<String>) -> Self {
        Self { field: field.to_owned(), reason: reason.into() }
    }

    /// The same error seen from the message around.
    pub(crate) fn inside(self, field: &str) -> Self {
        Self { field: format!("{field}.{}", self.field), reason: self.reason }
    }

    pub fn field(&self) -> &str {
        &self.field
    }

    /// What users sent was checked before it became a message, so a bad one was made by Larch. Told as
    /// `Invalid`, it would make a client throw away the lines that it pushed.
    pub fn kind(&self) -> ErrorKind {
        ErrorKind::Internal
    }
}

pub(crate) fn missing(field: &str) -> InvalidMessage {
    InvalidMessage::new(field, "missing, or of a kind not known here")
}

/// A field that must be set.
pub(crate) fn required<W, T>(field: &str, value: Option<W>) -> Result<T, InvalidMessage>
where
    T: TryFrom<W, Error = InvalidMessage>,
{
    let value = value.ok_or_else(|| missing(field))?;
    T::try_from(value).map_err(|error| error.inside(field))
}

pub(crate) fn optional<W, T>(field: &str, value: Option<W>) -> Result<Option<T>, InvalidMessage>
where
    T: TryFrom<W, Error = InvalidMessage>,
{
    match value {
        None => Ok(None),
        some => required(field, some).map(Some),
    }
}

pub(crate) fn list<W, T>(field: &str, values: Vec<W>) -> Result<Vec<T>, InvalidMessage>
where
    T: TryFrom<W, Error = InvalidMessage>,
{
    let mut checked = Vec::with_capacity(values.len());
    for (index, value) in values.into_iter().enumerate() {
        let value = T::try_from(value).map_err(|error| error.inside(&format!("{field}[{index}]")))?;
        checked.push(value);
    }
    Ok(checked)
}

pub(crate) fn to_list<T, W: From<T>>(values: Vec<T>) -> Vec<W> {
    values.into_iter().map(W::from).collect()
}

/// Ids are 16 bytes, the most significant first.
pub(crate) fn id(field: &str, bytes: &Bytes) -> Result<u128, InvalidMessage> {
    let bytes: [u8; 16] = bytes
        .as_ref()
        .try_into()
        .map_err(|_| InvalidMessage::new(field, format!("{} bytes, expected 16", bytes.len())))?;
    Ok(u128::from_be_bytes(bytes))
}

pub(crate) fn to_id(id: u128) -> Bytes {
    Bytes::copy_from_slice(&id.to_be_bytes())
}

pub(crate) fn node_id(field: &str, bytes: &Bytes) -> Result<NodeId, InvalidMessage> {
    id(field, bytes).map(NodeId::from_u128)
}

pub(crate) fn tombstone_ids(field: &str, ids: &[Bytes]) -> Result<Vec<TombstoneId>, InvalidMessage> {
    let mut checked = Vec::with_capacity(ids.len());
    for (index, bytes) in ids.iter().enumerate() {
        checked.push(TombstoneId::from_u128(id(&format!("{field}[{index}]"), bytes)?));
    }
    Ok(checked)
}

pub(crate) fn to_tombstone_ids(ids: &[TombstoneId]) -> Vec<Bytes> {
    ids.iter().map(|id| to_id(id.as_u128())).collect()
}

/// A place in a list of the same message.
pub(crate) fn place(field: &str, place: u32, list: usize) -> Result<u32, InvalidMessage> {
    if usize::try_from(place).is_ok_and(|place| place < list) {
        return Ok(place);
    }
    Err(InvalidMessage::new(field, format!("place {place} in a list of {list}")))
}

/// A place that may be left out.
pub(crate) fn place_if_set(
    field: &str,
    value: Option<u32>,
    list: usize,
) -> Result<Option<u32>, InvalidMessage> {
    value.map(|value| place(field, value, list)).transpose()
}

/// A tenant by its exact id: clients' remarks behind a colon end at the distributor.
pub(crate) fn tenant(field: &str, text: &str) -> Result<TenantId, InvalidMessage> {
    let tenant: TenantId =
        text.parse().map_err(|error| InvalidMessage::new(field, format!("not a tenant: {error}")))?;
    if tenant.as_str() != text {
        return Err(InvalidMessage::new(field, "not a tenant: a remark behind the id"));
    }
    Ok(tenant)
}

/// Empty text stands for none.
pub(crate) fn address(field: &str, text: &str) -> Result<Option<Address>, InvalidMessage> {
    if text.is_empty() {
        return Ok(None);
    }
    text.parse().map(Some).map_err(|error| InvalidMessage::new(field, format!("{error}")))
}

pub(crate) fn span(field: &str, nanos: u64) -> Result<Span, InvalidMessage> {
    i64::try_from(nanos)
        .map(Span::from_nanos)
        .map_err(|_| InvalidMessage::new(field, "longer than 292 years"))
}

/// Negative spans have no meaning where messages have spans; they are sent as nothing.
pub(crate) fn to_span(span: Span) -> u64 {
    u64::try_from(span.nanos()).unwrap_or(0)
}

/// What does not fit is longer than anybody waits.
pub(crate) fn to_nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_sixteen_bytes() {
        assert_eq!(id("x", &to_id(7)), Ok(7));
        let error = id("x", &Bytes::from_static(b"short")).unwrap_err();
        assert_eq!(error.to_string(), "invalid message: x: 5 bytes, expected 16");
        assert_eq!(error.inside("b").inside("a[3]").field(), "a[3].b.x");
    }

    #[test]
    fn places_are_inside_their_list() {
        assert_eq!(place("x", 1, 2), Ok(1));
        assert_eq!(place("x", 2, 2).unwrap_err().to_string(), "invalid message: x: place 2 in a list of 2");
        assert_eq!(place_if_set("x", None, 0), Ok(None));
    }

    #[test]
    fn tenants_are_exact() {
        assert!(tenant("t", "a").is_ok());
        for text in ["", "a:b", "a|b", ".."] {
            assert!(tenant("t", text).is_err(), "{text}");
        }
    }
}
