//! What a record of the log says, and how it says it.
//!
//! A record is one byte that names its kind, the tenant with its length before it, and what the kind has
//! to say. All of it is little-endian.
//!
//! | kind | says |
//! |---|---|
//! | 1 | a push: the message that the ingester was sent. It carries the push stamp and the replicas of each stream, so that whoever replays it needs nothing else |
//! | 2 | a cut: the position up to which the tenant's rows are in segment files, 8 bytes, and the ids of all files that hold rows of the tenant, 16 bytes each. A later one takes the place of an earlier one |

use bytes::{Buf, BufMut, Bytes, BytesMut};
use larch_proto::{AppendRequest, InvalidMessage, WalPosition, wire};
use larch_types::{InvalidTenant, SegmentId, TenantId};
use prost::Message;

/// Kinds are never used twice.
const PUSH: u8 = 1;
const CUT: u8 = 2;

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
}

/// What a tenant has in segment files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Cut {
    /// Pushes up to here are in the files.
    pub(crate) position: WalPosition,
    /// All of them.
    pub(crate) files: Vec<SegmentId>,
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
}

/// The request is cheap to clone: its lines are shared.
pub(crate) fn encode_push(tenant: &TenantId, request: AppendRequest) -> Bytes {
    let message = wire::ingest::AppendRequest::from(request);
    let mut record = head(PUSH, tenant, message.encoded_len());
    #[expect(clippy::expect_used, reason = "a growing buffer takes every message")]
    message.encode(&mut record).expect("the buffer grows");
    record.freeze()
}

pub(crate) fn encode_cut(tenant: &TenantId, cut: &Cut) -> Bytes {
    let mut record = head(CUT, tenant, size_of::<u64>() + cut.files.len() * size_of::<u128>());
    record.put_u64_le(cut.position.0);
    for file in &cut.files {
        record.put_u128_le(file.as_u128());
    }
    record.freeze()
}

fn head(kind: u8, tenant: &TenantId, content: usize) -> BytesMut {
    let name = tenant.as_str().as_bytes();
    // A tenant's name is far below 256 bytes.
    let mut record = BytesMut::with_capacity(2 + name.len() + content);
    record.put_u8(kind);
    record.put_u8(name.len() as u8);
    record.put_slice(name);
    record
}

/// Lines of a push stay in the record's memory.
pub(crate) fn decode(mut record: Bytes) -> Result<Record, RecordError> {
    if record.len() < 2 {
        return Err(RecordError::Short);
    }
    let kind = record.get_u8();
    if kind != PUSH && kind != CUT {
        return Err(RecordError::Kind(kind));
    }
    let name = record.get_u8() as usize;
    if record.len() < name {
        return Err(RecordError::Short);
    }
    let name = record.split_to(name);
    let tenant = String::from_utf8_lossy(&name).parse().map_err(RecordError::Tenant)?;
    let content = if kind == CUT { Content::Cut(cut(record)?) } else { Content::Push(push(record)?) };
    Ok(Record { tenant, content })
}

/// Whether it is worth decoding for whoever looks for cuts only.
pub(crate) fn is_cut(record: &[u8]) -> bool {
    record.first() == Some(&CUT)
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
    if !content.len().is_multiple_of(size_of::<u128>()) {
        return Err(RecordError::Short);
    }
    let mut files = Vec::with_capacity(content.len() / size_of::<u128>());
    while content.has_remaining() {
        files.push(SegmentId::from_u128(content.get_u128_le()));
    }
    Ok(Cut { position, files })
}

#[cfg(test)]
mod tests {
    use larch_proto::{AppendEntry, AppendStream, Pair, ReplicaSet};
    use larch_types::{NodeId, PushStamp, Timestamp};

    use super::*;

    fn a_push() -> (TenantId, AppendRequest) {
        let entry = AppendEntry {
            timestamp: Timestamp::from_nanos(-1),
            line: Bytes::from_static(b"\xff line"),
            metadata: vec![Pair { name: "a".into(), value: "b".into() }],
            index: 7,
            level: Some(0),
        };
        let stream = AppendStream {
            labels: "{app=\"x\"}".to_owned(),
            write_shard: None,
            replica_set: 0,
            entries: vec![entry],
        };
        let request = AppendRequest {
            stamp: PushStamp(u128::MAX - 1),
            replica_sets: vec![ReplicaSet { nodes: vec![NodeId::from_u128(9)] }],
            levels: vec!["info".to_owned()],
            streams: vec![stream],
        };
        ("acme".parse().unwrap(), request)
    }

    fn hex(record: &[u8]) -> String {
        record.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    #[test]
    fn records_come_back() {
        let (tenant, request) = a_push();
        let back = decode(encode_push(&tenant, request.clone())).unwrap();
        assert_eq!(back, Record { tenant: tenant.clone(), content: Content::Push(request) });
        for files in [vec![], vec![SegmentId::from_u128(7), SegmentId::from_u128(u128::MAX >> 1)]] {
            let cut = Cut { position: WalPosition(u64::MAX), files };
            let record = encode_cut(&tenant, &cut);
            assert!(is_cut(&record));
            assert_eq!(decode(record).unwrap().content, Content::Cut(cut));
        }
    }

    /// Old logs are read by every later version.
    #[test]
    fn frozen_bytes() {
        let (tenant, request) = a_push();
        assert_eq!(hex(&encode_push(&tenant, request)), FROZEN);
        let cut = Cut { position: WalPosition(258), files: vec![SegmentId::from_u128(3)] };
        let frozen = "020461636d65020100000000000003000000000000000000000000000000";
        assert_eq!(hex(&encode_cut(&tenant, &cut)), frozen);
    }

    const FROZEN: &str = "010461636d650a10fffffffffffffffffffffffffffffffe12120a10000000000000000000000000000000091a04696e666f222a0a097b6170703d2278227d221d09ffffffffffffffff1206ff206c696e651a060a016112016220072800";

    #[test]
    fn damaged_records_are_refused() {
        let (tenant, request) = a_push();
        assert!(matches!(decode(Bytes::new()), Err(RecordError::Short)));
        assert!(matches!(decode(Bytes::from_static(&[3, 0])), Err(RecordError::Kind(3))));
        assert!(matches!(decode(Bytes::from_static(&[1, 3, b'a'])), Err(RecordError::Short)));
        assert!(matches!(decode(Bytes::from_static(&[1, 0])), Err(RecordError::Tenant(_))));
        let record = encode_push(&tenant, request);
        for end in 0..record.len() {
            // Some cuts leave a shorter message that is whole; none may panic.
            drop(decode(record.slice(..end)));
        }
        let record =
            encode_cut(&tenant, &Cut { position: WalPosition(1), files: vec![SegmentId::from_u128(1)] });
        for end in 0..record.len() {
            let is_shorter_list = end == record.len() - size_of::<u128>();
            assert_eq!(decode(record.slice(..end)).is_ok(), is_shorter_list, "{end}");
        }
    }
}
