use larch_proto::{AppendEntry, AppendStream, LabelSummary, Pair, Partition, ReplicaSet};
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
        policy: String::new(),
        write_shards: 0,
    };
    let request = AppendRequest {
        stamp: PushStamp(u128::MAX - 1),
        replica_sets: vec![ReplicaSet { nodes: vec![NodeId::from_u128(9)] }],
        levels: vec!["info".to_owned()],
        streams: vec![stream],
    };
    ("acme".parse().unwrap(), request)
}

fn an_announcement() -> Announced {
    let (first, last) = (Timestamp::from_nanos(3), Timestamp::from_nanos(5));
    let summary = LabelSummary { name: "app".to_owned(), values: vec!["x".to_owned()] };
    let entry = SegmentEntry {
        id: SegmentId::from_u128(12),
        partition: Partition::Day(first.day()),
        first,
        last,
        rows: 7,
        raw_bytes: 70,
        uploader: NodeId::from_u128(9),
        object_bytes: 500,
        footer_offset: 400,
        footer_bytes: 100,
        embedded: None,
        label_summaries: vec![summary],
        tombstones_applied: Vec::new(),
    };
    Announced { file: SegmentId::from_u128(11), entry }
}

fn hex(record: &[u8]) -> String {
    record.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[test]
fn records_come_back() {
    let (tenant, request) = a_push();
    let back = decode(encode_push(&tenant, request.clone(), &BufferPool::new(0))).unwrap();
    assert_eq!(back, Record { tenant: tenant.clone(), content: Content::Push(request) });
    for files in [vec![], vec![SegmentId::from_u128(7), SegmentId::from_u128(u128::MAX >> 1)]] {
        let cut = Cut { position: WalPosition(u64::MAX), files };
        let record = encode_cut(&tenant, &cut);
        assert!(is_about_files(&record));
        assert_eq!(decode(record).unwrap().content, Content::Cut(cut));
        let files = vec![SegmentId::from_u128(7), SegmentId::from_u128(8)];
        let record = encode_forgotten(&tenant, &files);
        assert!(is_about_files(&record));
        assert_eq!(decode(record).unwrap().content, Content::Forgotten(files));
    }
    let announced = an_announcement();
    let record = encode_announced(&tenant, &announced);
    assert!(is_about_files(&record));
    assert_eq!(decode(record).unwrap().content, Content::Announced(announced));
    let begun = Begun { file: SegmentId::from_u128(1), segment: SegmentId::from_u128(2) };
    assert_eq!(decode(encode_begun(&tenant, begun)).unwrap().content, Content::Begun(begun));
}

/// Old logs are read by every later version.
#[test]
fn frozen_bytes() {
    let (tenant, request) = a_push();
    assert_eq!(hex(&encode_push(&tenant, request, &BufferPool::new(0))), FROZEN);
    let cut = Cut { position: WalPosition(258), files: vec![SegmentId::from_u128(3)] };
    let frozen = "020461636d65020100000000000003000000000000000000000000000000";
    assert_eq!(hex(&encode_cut(&tenant, &cut)), frozen);
    let begun = Begun { file: SegmentId::from_u128(3), segment: SegmentId::from_u128(4) };
    let frozen = "040461636d650300000000000000000000000000000004000000000000000000000000000000";
    assert_eq!(hex(&encode_begun(&tenant, begun)), frozen);
    let frozen = "050461636d6503000000000000000000000000000000";
    assert_eq!(hex(&encode_forgotten(&tenant, &[SegmentId::from_u128(3)])), frozen);
    assert_eq!(hex(&encode_announced(&tenant, &an_announcement())), FROZEN_ANNOUNCEMENT);
}

const FROZEN_ANNOUNCEMENT: &str = "030461636d650b0000000000000000000000000000000a100000000000000000000000000000000c12020800190300000000000000210500000000000000280730463a100000000000000000000000000000000940f403489003506462080a03617070120178";

const FROZEN: &str = "010461636d650a10fffffffffffffffffffffffffffffffe12120a10000000000000000000000000000000091a04696e666f222a0a097b6170703d2278227d221d09ffffffffffffffff1206ff206c696e651a060a016112016220072800";

#[test]
fn damaged_records_are_refused() {
    let (tenant, request) = a_push();
    assert!(matches!(decode(Bytes::new()), Err(RecordError::Short)));
    assert!(matches!(decode(Bytes::from_static(&[6, 0])), Err(RecordError::Kind(6))));
    assert!(matches!(decode(Bytes::from_static(&[1, 3, b'a'])), Err(RecordError::Short)));
    assert!(matches!(decode(Bytes::from_static(&[1, 0])), Err(RecordError::Tenant(_))));
    let record = encode_push(&tenant, request, &BufferPool::new(0));
    for end in 0..record.len() {
        // Some cuts leave a shorter message that is whole; none may panic.
        drop(decode(record.slice(..end)));
    }
    let record = encode_cut(&tenant, &Cut { position: WalPosition(1), files: vec![SegmentId::from_u128(1)] });
    for end in 0..record.len() {
        let is_shorter_list = end == record.len() - size_of::<u128>();
        assert_eq!(decode(record.slice(..end)).is_ok(), is_shorter_list, "{end}");
    }
    let record = encode_announced(&tenant, &an_announcement());
    for end in 0..record.len() {
        drop(decode(record.slice(..end)));
    }
    let begun = Begun { file: SegmentId::from_u128(1), segment: SegmentId::from_u128(2) };
    let record = encode_begun(&tenant, begun);
    for end in 0..record.len() {
        assert!(decode(record.slice(..end)).is_err(), "{end}");
    }
}
