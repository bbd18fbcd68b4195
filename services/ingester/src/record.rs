//! What a record of the log says, and how it says it.
//!
//! A record is one byte that names its kind, the tenant with its length before it, and the push as the
//! message that the ingester was sent. The message carries the push stamp and the replicas of each
//! stream, so that whoever replays it needs nothing else.

use bytes::{Buf, BufMut, Bytes, BytesMut};
use larch_proto::{AppendRequest, InvalidMessage, wire};
use larch_types::{InvalidTenant, TenantId};
use prost::Message;

/// Rows of one tenant, as one push brought them. Kinds are never used twice.
const PUSH: u8 = 1;

/// One record, read back.
#[derive(Debug, PartialEq)]
pub(crate) struct Push {
    pub(crate) tenant: TenantId,
    pub(crate) request: AppendRequest,
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
pub(crate) fn encode(tenant: &TenantId, request: AppendRequest) -> Bytes {
    let message = wire::ingest::AppendRequest::from(request);
    let name = tenant.as_str().as_bytes();
    // A tenant's name is far below 256 bytes.
    let mut record = BytesMut::with_capacity(2 + name.len() + message.encoded_len());
    record.put_u8(PUSH);
    record.put_u8(name.len() as u8);
    record.put_slice(name);
    #[expect(clippy::expect_used, reason = "a growing buffer takes every message")]
    message.encode(&mut record).expect("the buffer grows");
    record.freeze()
}

/// Lines of the push stay in the record's memory.
pub(crate) fn decode(mut record: Bytes) -> Result<Push, RecordError> {
    if record.len() < 2 {
        return Err(RecordError::Short);
    }
    let kind = record.get_u8();
    if kind != PUSH {
        return Err(RecordError::Kind(kind));
    }
    let name = record.get_u8() as usize;
    if record.len() < name {
        return Err(RecordError::Short);
    }
    let name = record.split_to(name);
    let tenant = String::from_utf8_lossy(&name).parse().map_err(RecordError::Tenant)?;
    let message = wire::ingest::AppendRequest::decode(record).map_err(RecordError::Wire)?;
    Ok(Push { tenant, request: message.try_into().map_err(RecordError::Push)? })
}

#[cfg(test)]
mod tests {
    use larch_proto::{AppendEntry, AppendStream, Pair, ReplicaSet};
    use larch_types::{NodeId, PushStamp, Timestamp};

    use super::*;

    fn push() -> Push {
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
        Push { tenant: "acme".parse().unwrap(), request }
    }

    #[test]
    fn a_push_comes_back() {
        let push = push();
        assert_eq!(decode(encode(&push.tenant, push.request.clone())).unwrap(), push);
    }

    /// Old logs are read by every later version.
    #[test]
    fn frozen_bytes() {
        let push = push();
        let record = encode(&push.tenant, push.request);
        let hex: String = record.iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(hex, FROZEN);
    }

    const FROZEN: &str = "010461636d650a10fffffffffffffffffffffffffffffffe12120a10000000000000000000000000000000091a04696e666f222a0a097b6170703d2278227d221d09ffffffffffffffff1206ff206c696e651a060a016112016220072800";

    #[test]
    fn damaged_records_are_refused() {
        let push = push();
        let record = encode(&push.tenant, push.request);
        assert!(matches!(decode(Bytes::new()), Err(RecordError::Short)));
        assert!(matches!(decode(Bytes::from_static(&[2, 0])), Err(RecordError::Kind(2))));
        assert!(matches!(decode(Bytes::from_static(&[1, 3, b'a'])), Err(RecordError::Short)));
        assert!(matches!(decode(Bytes::from_static(&[1, 0])), Err(RecordError::Tenant(_))));
        for end in 0..record.len() {
            // Some cuts leave a shorter message that is whole; none may panic.
            drop(decode(record.slice(..end)));
        }
    }
}
