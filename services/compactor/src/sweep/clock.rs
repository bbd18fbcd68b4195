//! What time it is for the store. Ages of objects are measured by its clock alone; if this machine's differs
//! much, one of the two is wrong, and nothing is deleted until that is mended.

use std::time::Duration;

use bytes::Bytes;
use larch_runtime::{Clock, Env};
use larch_store::{CLOCK_PROBE, CareError, DocumentKind, InvalidKey, Key, ObjectInfo, Store};
use larch_types::{Monotonic, Span, TenantId, Timestamp};

use super::SweepError;

/// Rule of the catalog: over it destructive work stops.
const MOST_DIFFERENCE: Duration = Duration::from_secs(5 * 60);

/// After which nobody reads it any more: a reading takes some requests, each of which ends within minutes.
const PROBE_AGE: Duration = Duration::from_secs(3600);

/// The store's clock, kept going by the time that passes here.
#[derive(Debug, Clone, Copy)]
pub(crate) struct StoreClock {
    read: Timestamp,
    at: Monotonic,
}

impl StoreClock {
    pub(crate) fn now(&self, clock: &dyn Clock) -> Timestamp {
        self.read.plus(Span::from(clock.monotonic().since(self.at)))
    }
}

/// Writes an object, looks when the store says that it was written, and deletes it.
pub(crate) async fn read_store_clock(
    store: &Store,
    env: &Env,
    tenant: &TenantId,
) -> Result<StoreClock, SweepError> {
    let key = probe_key(tenant, &format!("{CLOCK_PROBE}{}", env.new_fact_id()))?;
    let before = env.clock.now();
    store.put(&key, Bytes::from_static(b"clock")).await?;
    let at = env.clock.monotonic();
    let read = store.head(&key).await.map(|info| info.modified);
    let after = env.clock.now();
    store.delete(&key).await?;
    let read = read?;
    let (early, late) = (before.since(read).nanos().max(0), read.since(after).nanos().max(0));
    let difference = Duration::from_nanos(early.max(late).unsigned_abs());
    if difference > MOST_DIFFERENCE {
        return Err(SweepError::Clock { difference, most: MOST_DIFFERENCE });
    }
    Ok(StoreClock { read, at })
}

/// Deletes what is left of readings whose delete failed. Gives how many.
pub(super) async fn clear_probes(
    store: &Store,
    tenant: &TenantId,
    probes: &[(String, ObjectInfo)],
    now: Timestamp,
) -> Result<u64, SweepError> {
    let mut cleared = 0;
    for (name, info) in probes {
        if now.since(info.modified) >= Span::from(PROBE_AGE) {
            store.delete(&probe_key(tenant, name)?).await?;
            cleared += 1;
        }
    }
    Ok(cleared)
}

fn probe_key(tenant: &TenantId, name: &str) -> Result<Key, SweepError> {
    let invalid = |_: InvalidKey| SweepError::Care(CareError::TooMany { folder: name.to_owned() });
    Key::document(tenant, DocumentKind::Usage, &[name]).map_err(invalid)
}
