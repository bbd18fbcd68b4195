//! What time it is for the store. Ages of objects are measured by its clock alone; if this machine's differs
//! much, one of the two is wrong, and nothing is deleted until that is mended.

use std::time::Duration;

use bytes::Bytes;
use larch_runtime::{Clock, Env};
use larch_store::{CareError, DocumentKind, Key, Store};
use larch_types::{Monotonic, Span, TenantId, Timestamp};

use super::SweepError;

/// Rule of the catalog: over it destructive work stops.
const MOST_DIFFERENCE: Duration = Duration::from_secs(5 * 60);

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
    let name = format!("clock-{}", env.new_fact_id());
    let key = Key::document(tenant, DocumentKind::Usage, &[&name])
        .map_err(|_| SweepError::Care(CareError::TooMany { folder: name }))?;
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
