//! Pins: while one is there, nothing of its tenant is deleted by the sweeper. Backups and very long queries set
//! one, and it ends by itself.
//!
//! A pin is an empty object `<tenant>/pins/<second since 1970 at which it ends>-<ulid>`, so that a listing says
//! all. What was removed before the pin may go; what is removed later stays a day anyway, which is longer than
//! listings lag.

use std::time::Duration;

use bytes::Bytes;
use larch_types::{FactId, Span, TenantId, Timestamp};

use super::survey::{CareError, list};
use crate::key::{DocumentKind, Folder, Key};
use crate::store::{ObjectInfo, Store};

/// The longest that a pin holds, counted from when it was written: one with a wrong end must not keep
/// everything for ever.
pub const MAX_PIN: Duration = Duration::from_secs(31 * 86_400);

/// Keeps all objects of the tenant until then, by the store's clock. Gives the pin's name.
pub async fn pin(
    store: &Store,
    tenant: &TenantId,
    until: Timestamp,
    id: FactId,
) -> Result<String, CareError> {
    let name = format!("{}-{id}", until.nanos().div_euclid(1_000_000_000));
    store.put(&key(tenant, &name)?, Bytes::new()).await?;
    Ok(name)
}

pub async fn unpin(store: &Store, tenant: &TenantId, name: &str) -> Result<(), CareError> {
    Ok(store.delete(&key(tenant, name)?).await?)
}

/// A tenant's pins, with when they were written.
pub async fn list_pins(store: &Store, tenant: &TenantId) -> Result<Vec<(String, ObjectInfo)>, CareError> {
    let listed = list(store, &Folder::documents(tenant, DocumentKind::Pins)).await?;
    Ok(listed.into_iter().map(|object| (object.name, object.info)).collect())
}

/// The names of listed pins that hold, and of those that have ended.
pub fn sort_pins(listed: &[(String, ObjectInfo)], now: Timestamp) -> (Vec<String>, Vec<String>) {
    let (mut active, mut ended) = (Vec::new(), Vec::new());
    for (name, info) in listed {
        let Some(second) = end_of(name) else { continue };
        let latest = info.modified.plus(Span::from(MAX_PIN));
        let holds = Timestamp::from_secs(second).min(latest) > now;
        if holds { &mut active } else { &mut ended }.push(name.clone());
    }
    (active, ended)
}

fn key(tenant: &TenantId, name: &str) -> Result<Key, CareError> {
    // The name is of digits, a dash and a ULID: it is always one part.
    Key::document(tenant, DocumentKind::Pins, &[name])
        .map_err(|_| CareError::TooMany { folder: name.to_owned() })
}

/// None if it is not the name of a pin.
fn end_of(name: &str) -> Option<i64> {
    let (second, id) = name.split_once('-')?;
    id.parse::<FactId>().ok()?;
    let second: i64 = second.parse().ok()?;
    // Ten digits reach to 2286.
    (0..10_000_000_000).contains(&second).then_some(second)
}
