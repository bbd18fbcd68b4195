//! What a record of the log says, and how it says it.
//!
//! A record is one byte that names its kind, the tenant with its length before it, and what the kind has
//! to say. All of it is little-endian.
//!
//! | kind | says |
//! |---|---|
//! | 1 | a push: the message that the ingester was sent. It carries the push stamp and the replicas of each stream, so that whoever replays it needs nothing else |
//! | 2 | a cut: the position up to which the tenant's rows are in segment files, 8 bytes, and the ids of all files that hold rows of the tenant and are not announced, 16 bytes each. A later one takes the place of an earlier one |
//! | 3 | an announcement: the id of a file, 16 bytes, and the catalog's entry of its segment. The file holds nothing any more that the store does not |
//! | 4 | the begin of an upload: the ids of a file and of the segment as which it is uploaded, 16 bytes each |
//! | 5 | the end of a hand-over: the ids of files that are not named any more, 16 bytes each |

use bytes::{Buf, BufMut, Bytes, BytesMut};
use larch_proto::{AppendRequest, InvalidMessage, SegmentEntry, WalPosition, wire};
use larch_runtime::BufferPool;
use larch_types::{InvalidTenant, SegmentId, TenantId};
use prost::Message;

/// Kinds are never used twice.
const PUSH: u8 = 1;
const CUT: u8 = 2;
const ANNOUNCED: u8 = 3;
const BEGUN: u8 = 4;
const FORGOTTEN: u8 = 5;

const ID_BYTES: usize = size_of::<u128>();

/// One record, read back.
#[derive(Debug, PartialEq)]
pub(crate) struct Record {
    pub(crate) tenant: TenantId,
    pub(crate) content: Content,
}

#[derive(Debug, PartialEq)]
pub(crate) enum Content {
    Push(AppendRequest),
    Cut(Cut),
    Announced(Announced),
    Begun(Begun),
    Forgotten(Vec<SegmentId>),
}

/// What a tenant has in segment files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Cut {
    /// Pushes up to here are in the files, or were announced.
    pub(crate) position: WalPosition,
    /// All whose segments are not announced.
    pub(crate) files: Vec<SegmentId>,
}

/// A file's segment is in the store, and the catalog says so.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Announced {
    pub(crate) file: SegmentId,
    pub(crate) entry: SegmentEntry,
}

/// From here on the store may have something of this id.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Begun {
    pub(crate) file: SegmentId,
    pub(crate) segment: SegmentId,
}

/// Why a record that has its checksum means nothing.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RecordError {
    #[error("records of kind {0} are not known: a newer version wrote them")]
    Kind(u8),
    #[error("the record ends early")]
    Short,
    #[error("the record's tenant is no tenant")]
    Tenant(#[source] InvalidTenant),
    #[error("the record is no message")]
    Wire(#[source] prost::DecodeError),
    #[error("the record's push cannot be")]
    Push(#[source] InvalidMessage),
    #[error("the record's segment cannot be")]
    Entry(#[source] InvalidMessage),
}

/// The request is cheap to clone: its lines are shared.
pub(crate) fn encode_push(tenant: &TenantId, request: AppendRequest, buffers: &BufferPool) -> Bytes {
    let message = wire::ingest::AppendRequest::from(request);
    let mut record = buffers.empty(head_bytes(tenant) + message.encoded_len());
    put_head(&mut record, PUSH, tenant);
    #[expect(clippy::expect_used, reason = "a growing buffer takes every message")]
    message.encode(&mut record).expect("the buffer grows");
    buffers.share(record)
}

pub(crate) fn encode_cut(tenant: &TenantId, cut: &Cut) -> Bytes {
    let mut record = head(CUT, tenant, size_of::<u64>() + cut.files.len() * ID_BYTES);
    record.put_u64_le(cut.position.0);
    put_ids(&mut record, &cut.files);
    record.freeze()
}

pub(crate) fn encode_announced(tenant: &TenantId, announced: &Announced) -> Bytes {
    let message = wire::types::SegmentEntry::from(announced.entry.clone());
    let mut record = head(ANNOUNCED, tenant, ID_BYTES + message.encoded_len());
    put_ids(&mut record, &[announced.file]);
    #[expect(clippy::expect_used, reason = "a growing buffer takes every message")]
    message.encode(&mut record).expect("the buffer grows");
    record.freeze()
}

pub(crate) fn encode_begun(tenant: &TenantId, begun: Begun) -> Bytes {
    let mut record = head(BEGUN, tenant, 2 * ID_BYTES);
    put_ids(&mut record, &[begun.file, begun.segment]);
    record.freeze()
}

pub(crate) fn encode_forgotten(tenant: &TenantId, files: &[SegmentId]) -> Bytes {
    let mut record = head(FORGOTTEN, tenant, files.len() * ID_BYTES);
    put_ids(&mut record, files);
    record.freeze()
}

fn put_ids(record: &mut BytesMut, ids: &[SegmentId]) {
    for id in ids {
        record.put_u128_le(id.as_u128());
    }
}

fn head(kind: u8, tenant: &TenantId, content: usize) -> BytesMut {
    let mut record = BytesMut::with_capacity(head_bytes(tenant) + content);
    put_head(&mut record, kind, tenant);
    record
}

fn head_bytes(tenant: &TenantId) -> usize {
    2 + tenant.as_str().len()
}

fn put_head(record: &mut impl BufMut, kind: u8, tenant: &TenantId) {
    let name = tenant.as_str().as_bytes();
    record.put_u8(kind);
    // A tenant's name is far below 256 bytes.
    record.put_u8(name.len() as u8);
    record.put_slice(name);
}

/// Lines of a push stay in the record's memory.
pub(crate) fn decode(mut record: Bytes) -> Result<Record, RecordError> {
    if record.len() < 2 {
        return Err(RecordError::Short);
    }
    let kind = record.get_u8();
    if !(PUSH..=FORGOTTEN).contains(&kind) {
        return Err(RecordError::Kind(kind));
    }
    let name = record.get_u8() as usize;
    if record.len() < name {
        return Err(RecordError::Short);
    }
    let name = record.split_to(name);
    let tenant = String::from_utf8_lossy(&name).parse().map_err(RecordError::Tenant)?;
    let content = match kind {
        PUSH => Content::Push(push(record)?),
        CUT => Content::Cut(cut(record)?),
        ANNOUNCED => Content::Announced(announced(record)?),
        BEGUN => Content::Begun(begun(record)?),
        FORGOTTEN => Content::Forgotten(ids(record)?),
        other => return Err(RecordError::Kind(other)),
    };
    Ok(Record { tenant, content })
}

/// Whether it is about files and not about rows, so that whoever looks for files decodes it alone.
pub(crate) fn is_about_files(record: &[u8]) -> bool {
    record.first().is_some_and(|kind| (CUT..=FORGOTTEN).contains(kind))
}

/// Whose push it is, if it is one, for whoever copies it as it is.
pub(crate) fn tenant_of_push(record: &[u8]) -> Option<&[u8]> {
    match record {
        [PUSH, length, rest @ ..] => rest.get(..usize::from(*length)),
        _ => None,
    }
}

fn push(content: Bytes) -> Result<AppendRequest, RecordError> {
    let message = wire::ingest::AppendRequest::decode(content).map_err(RecordError::Wire)?;
    message.try_into().map_err(RecordError::Push)
}

fn cut(mut content: Bytes) -> Result<Cut, RecordError> {
    if content.len() < size_of::<u64>() {
        return Err(RecordError::Short);
    }
    let position = WalPosition(content.get_u64_le());
    Ok(Cut { position, files: ids(content)? })
}

fn announced(mut content: Bytes) -> Result<Announced, RecordError> {
    if content.len() < ID_BYTES {
        return Err(RecordError::Short);
    }
    let file = SegmentId::from_u128(content.get_u128_le());
    let message = wire::types::SegmentEntry::decode(content).map_err(RecordError::Wire)?;
    Ok(Announced { file, entry: message.try_into().map_err(RecordError::Entry)? })
}

fn begun(content: Bytes) -> Result<Begun, RecordError> {
    match ids(content)?.as_slice() {
        [file, segment] => Ok(Begun { file: *file, segment: *segment }),
        _ => Err(RecordError::Short),
    }
}

fn ids(mut content: Bytes) -> Result<Vec<SegmentId>, RecordError> {
    if !content.len().is_multiple_of(ID_BYTES) {
        return Err(RecordError::Short);
    }
    let mut ids = Vec::with_capacity(content.len() / ID_BYTES);
    while content.has_remaining() {
        ids.push(SegmentId::from_u128(content.get_u128_le()));
    }
    Ok(ids)
}

#[cfg(test)]
mod tests;
