//! What every store must do. It runs against stores that keep what earlier runs have left.

use std::ops::Range;

use bytes::Bytes;
use futures_util::{StreamExt, TryStreamExt, stream};
use larch_proto::Partition;
use larch_store::{
    DocumentKind, FactKind, FactName, Failure, Folder, Key, Source, Store, parse_document_name,
    parse_segment_name,
};
use larch_types::{FactId, Monotonic, SegmentId, TenantId};

use crate::harness::env;

/// Larger than what is written in one request, and not a multiple of the parts.
const LARGE_BYTES: usize = (20 << 20) + 4321;

pub(crate) async fn conformance(store: &Store) {
    conformance_of_short_names(store).await;
    let longest = format!("{}{}", env_run(), "*".repeat(124));
    tenants_are_apart(store, &[tenant(&longest)]).await;
}

/// Without keys of more bytes than a file's name may have.
pub(crate) async fn conformance_of_short_names(store: &Store) {
    let run = env_run();
    missing_objects(store, &tenant(&format!("{run}-missing"))).await;
    whole_objects(store, &tenant(&format!("{run}-whole"))).await;
    ranges(store, &tenant(&format!("{run}-ranges"))).await;
    tails(store, &tenant(&format!("{run}-tails"))).await;
    large_objects(store, &tenant(&format!("{run}-large"))).await;
    listings(store, &run).await;
    odd_tenants(store, &run).await;
    documents(store, &tenant(&format!("{run}-documents"))).await;
    too_late(store, &tenant(&format!("{run}-late"))).await;
}

/// Tells the objects of this run from those of others.
fn env_run() -> String {
    larch_runtime::Env::system().new_fact_id().to_string()
}

fn tenant(text: &str) -> TenantId {
    text.parse().unwrap()
}

fn segment(tenant: &TenantId, number: u128) -> Key {
    Key::segment(tenant, Partition::Wide, SegmentId::from_u128(number))
}

fn fact(tenant: &TenantId, number: u128) -> Key {
    Key::fact(tenant, Partition::Wide, FactName { kind: FactKind::Add, id: FactId::from_u128(number) })
}

/// Bytes that differ everywhere.
fn pattern(length: usize) -> Bytes {
    let byte = |index: usize| (index as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15).to_be_bytes()[1];
    (0..length).map(byte).collect::<Vec<u8>>().into()
}

async fn missing_objects(store: &Store, tenant: &TenantId) {
    let key = segment(tenant, 1);
    for failure in [
        store.get(&key, 10).await.unwrap_err(),
        store.get_range(&key, 0..10).await.unwrap_err(),
        store.get_tail(&key, 10).await.unwrap_err(),
        store.head(&key).await.unwrap_err(),
    ] {
        assert!(failure.is_missing(), "{failure}");
        assert_eq!(failure.key(), key.as_str());
    }
    store.delete(&key).await.unwrap();
    let listing = store.list(&Folder::segments(tenant, Partition::Wide), None, 10).await.unwrap();
    assert!(listing.objects.is_empty() && !listing.has_more);
}

async fn whole_objects(store: &Store, tenant: &TenantId) {
    let key = segment(tenant, 1);
    for text in ["first", "the second is longer", "", "x"] {
        store.put(&key, text.into()).await.unwrap();
        assert_eq!(store.get(&key, 100).await.unwrap(), text);
        assert_eq!(store.head(&key).await.unwrap().size, text.len() as u64);
    }
    store.put(&key, "12345".into()).await.unwrap();
    assert_eq!(store.get(&key, 5).await.unwrap(), "12345");
    assert_eq!(store.get(&key, 4).await.unwrap_err().failure(), Failure::TooLarge);
    let info = store.head(&key).await.unwrap();
    let listing = store.list(&Folder::segments(tenant, Partition::Wide), None, 10).await.unwrap();
    assert_eq!(listing.objects.len(), 1);
    assert_eq!(parse_segment_name(&listing.objects[0].name), Some(SegmentId::from_u128(1)));
    assert_eq!(listing.objects[0].info.size, info.size);
    store.delete(&key).await.unwrap();
    assert!(store.get(&key, 5).await.unwrap_err().is_missing());
}

async fn ranges(store: &Store, tenant: &TenantId) {
    let (key, empty) = (segment(tenant, 1), segment(tenant, 2));
    let bytes = pattern(4 << 20);
    store.put(&key, bytes.clone()).await.unwrap();
    store.put(&empty, Bytes::new()).await.unwrap();
    let end = bytes.len() as u64;
    for range in [0..1, 0..end, 17..4711, end - 1..end] {
        assert_eq!(store.get_range(&key, range.clone()).await.unwrap(), slice(&bytes, &range));
    }
    assert_eq!(store.get_range(&key, 5..5).await.unwrap(), "");
    for range in [0..end + 1, end - 1..end + 1, end..end + 1, end + 100..end + 200] {
        let failure = store.get_range(&key, range).await.unwrap_err();
        assert_eq!(failure.failure(), Failure::Short, "{failure}");
    }
    assert_eq!(store.get_range(&empty, 0..1).await.unwrap_err().failure(), Failure::Short);
    let several = [end - 10..end, 0..10, 5..20, 7..7, 3 << 20..(3 << 20) + 1, 1 << 20..(1 << 20) + 100];
    let want: Vec<Bytes> = several.iter().map(|range| slice(&bytes, range)).collect();
    assert_eq!(store.get_ranges(&key, &several).await.unwrap(), want);
    assert!(store.get_ranges(&key, &[]).await.unwrap().is_empty());
    let failure = store.get_ranges(&key, &[0..1, end..end + 1]).await.unwrap_err();
    assert_eq!(failure.failure(), Failure::Short);
}

fn slice(bytes: &Bytes, range: &Range<u64>) -> Bytes {
    bytes.slice(range.start as usize..range.end as usize)
}

async fn tails(store: &Store, tenant: &TenantId) {
    let key = segment(tenant, 1);
    for size in [0, 1, 100, 1000] {
        let bytes = pattern(size);
        store.put(&key, bytes.clone()).await.unwrap();
        for wanted in [0, 1, 100, 1_000_000] {
            let tail = store.get_tail(&key, wanted as u64).await.unwrap();
            assert_eq!(tail.size, size as u64);
            assert_eq!(tail.bytes, bytes.slice(size - wanted.min(size)..), "the last {wanted} of {size}");
        }
    }
}

async fn large_objects(store: &Store, tenant: &TenantId) {
    let bytes = pattern(LARGE_BYTES);
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("segment");
    std::fs::write(&file, &bytes).unwrap();
    let (whole, sourced, filed) = (segment(tenant, 1), segment(tenant, 2), segment(tenant, 3));
    store.put(&whole, bytes.clone()).await.unwrap();
    store.put_source(&sourced, &bytes as &dyn Source).await.unwrap();
    store.put_file(&filed, &file).await.unwrap();
    // A second time, as after an answer that was lost.
    store.put_file(&filed, &file).await.unwrap();
    for key in [&whole, &sourced, &filed] {
        assert!(store.get(key, LARGE_BYTES as u64).await.unwrap() == bytes, "{key}");
        assert_eq!(store.get_tail(key, 9).await.unwrap().bytes, bytes.slice(LARGE_BYTES - 9..));
        store.delete(key).await.unwrap();
    }
    let missing = store.put_file(&whole, &folder.path().join("missing")).await.unwrap_err();
    assert_eq!(missing.failure(), Failure::Local);
}

async fn listings(store: &Store, run: &str) {
    const OBJECTS: u128 = 1_100;
    // The one tenant's name begins with the other's.
    let (tenant, neighbour) = (tenant(&format!("{run}-list")), tenant(&format!("{run}-list-2")));
    store.put(&fact(&neighbour, 1), "x".into()).await.unwrap();
    store.put(&segment(&tenant, 1), "x".into()).await.unwrap();
    let puts = stream::iter(0..OBJECTS).map(|number| {
        let key = fact(&tenant, number);
        async move { store.put(&key, "x".into()).await }
    });
    puts.buffer_unordered(32).try_collect::<Vec<()>>().await.unwrap();
    let folder = Folder::facts(&tenant, Partition::Wide);
    let mut found: Vec<FactName> = Vec::new();
    let mut after = None;
    loop {
        let page = store.list(&folder, after.as_deref(), 400).await.unwrap();
        assert_eq!(page.has_more, found.len() + page.objects.len() < OBJECTS as usize);
        for object in &page.objects {
            found.push(object.name.parse().unwrap());
        }
        let Some(last) = page.objects.last().filter(|_| page.has_more) else { break };
        after = Some(last.name.clone());
    }
    let want: Vec<FactName> =
        (0..OBJECTS).map(|number| FactName { kind: FactKind::Add, id: FactId::from_u128(number) }).collect();
    assert_eq!(found, want);
    let all = store.list(&folder, None, 5000).await.unwrap();
    assert_eq!((all.objects.len(), all.has_more), (OBJECTS as usize, false));
    let exactly = store.list(&folder, None, OBJECTS as usize).await.unwrap();
    assert_eq!((exactly.objects.len(), exactly.has_more), (OBJECTS as usize, false));
    assert_eq!(store.folders(&Folder::catalogs(&tenant)).await.unwrap(), ["wide"]);
}

async fn odd_tenants(store: &Store, run: &str) {
    let mut tenants = Vec::new();
    for text in ["...", "a!*'()b", ".hidden", "-", "_", "CON"] {
        tenants.push(tenant(&format!("{run}{text}")));
    }
    tenants_are_apart(store, &tenants).await;
}

async fn tenants_are_apart(store: &Store, tenants: &[TenantId]) {
    for tenant in tenants {
        store.put(&segment(tenant, 7), tenant.to_string().into()).await.unwrap();
    }
    let found = store.folders(&Folder::tenants()).await.unwrap();
    for tenant in tenants {
        assert_eq!(store.get(&segment(tenant, 7), 200).await.unwrap(), tenant.to_string());
        assert!(found.iter().any(|key| TenantId::from_key(key).as_ref() == Some(tenant)), "{tenant}");
        let listing = store.list(&Folder::segments(tenant, Partition::Wide), None, 10).await.unwrap();
        assert_eq!(listing.objects.len(), 1, "{tenant}");
        store.delete(&segment(tenant, 7)).await.unwrap();
    }
}

async fn documents(store: &Store, tenant: &TenantId) {
    let names = [vec!["group"], vec!["name space/..", "ä\u{1f600}&?#%"], vec![".", ".."]];
    for parts in &names {
        let key = Key::document(tenant, DocumentKind::Rules, parts).unwrap();
        store.put(&key, parts.join(" ").into()).await.unwrap();
        assert_eq!(store.get(&key, 100).await.unwrap(), parts.join(" "));
    }
    let listing = store.list(&Folder::documents(tenant, DocumentKind::Rules), None, 10).await.unwrap();
    let mut found: Vec<Vec<String>> =
        listing.objects.iter().map(|object| parse_document_name(&object.name).unwrap()).collect();
    found.sort();
    let mut want = names.to_vec();
    want.sort();
    assert_eq!(found, want);
}

async fn too_late(store: &Store, tenant: &TenantId) {
    let (now, hour) = (env().clock.monotonic(), std::time::Duration::from_secs(3600));
    let in_an_hour = Monotonic::from_start(now.since(Monotonic::from_start(Default::default())) + hour);
    store.put_before(&fact(tenant, 1), "x".into(), in_an_hour).await.unwrap();
    let passed = Monotonic::from_start(std::time::Duration::ZERO);
    let failure = store.put_before(&fact(tenant, 2), "x".into(), passed).await.unwrap_err();
    assert_eq!(failure.failure(), Failure::Expired);
    assert!(store.head(&fact(tenant, 2)).await.unwrap_err().is_missing());
}
