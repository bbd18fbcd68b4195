//! The objects of a partition, as listings show them.

use std::collections::{BTreeMap, BTreeSet};

use larch_proto::Partition;
use larch_types::{ErrorKind, SegmentId, TenantId};

use crate::catalog::CatalogError;
use crate::error::StoreError;
use crate::key::{FactName, Folder, parse_segment_name};
use crate::store::{Listed, ObjectInfo, Store};

/// Objects in one answer of the store.
const LIST_PAGE: usize = 5_000;

/// Each takes some hundred bytes while it is looked after.
const MAX_OBJECTS: usize = 1_000_000;

/// With it begin the names of objects, among a tenant's `usage`, from which the store's clock is read.
pub const CLOCK_PROBE: &str = "clock-";

/// Why stored objects cannot be looked after.
#[derive(Debug, thiserror::Error)]
pub enum CareError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Catalog(#[from] CatalogError),
    #[error("{folder} holds more than {MAX_OBJECTS} objects")]
    TooMany { folder: String },
}

impl CareError {
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::Store(error) => error.kind(),
            Self::Catalog(error) => error.kind(),
            Self::TooMany { .. } => ErrorKind::Unavailable,
        }
    }
}

/// What lies in a partition's two folders. Names that are not ours are not in it.
#[derive(Debug, Default)]
pub struct Survey {
    pub segments: BTreeMap<SegmentId, ObjectInfo>,
    pub facts: BTreeMap<FactName, ObjectInfo>,
}

/// What lies in a tenant's folder, but for documents.
#[derive(Debug, Default)]
pub struct TenantSurvey {
    pub partitions: BTreeMap<Partition, Survey>,
    /// Names of pins, with when they were written.
    pub pins: Vec<(String, ObjectInfo)>,
    /// Of objects from which somebody reads the store's clock, or did and could not delete them.
    pub probes: Vec<(String, ObjectInfo)>,
}

/// One listing of all, which costs a request for some thousand objects instead of some for each partition. Facts that are
/// read afterwards name what it shows of segments.
pub async fn survey_tenant(store: &Store, tenant: &TenantId) -> Result<TenantSurvey, CareError> {
    let mut found = TenantSurvey::default();
    for Listed { name, info } in list(store, &Folder::tenant(tenant)).await? {
        let mut parts = name.splitn(3, '/');
        let (kind, folder, rest) = (parts.next(), parts.next(), parts.next());
        match (kind, folder, rest) {
            (Some("pins"), Some(pin), None) => found.pins.push((pin.to_owned(), info)),
            (Some("usage"), Some(probe), None) if probe.starts_with(CLOCK_PROBE) => {
                found.probes.push((probe.to_owned(), info));
            }
            (Some("seg"), Some(folder), Some(rest)) => {
                if let (Ok(partition), Some(id)) = (folder.parse(), parse_segment_name(rest)) {
                    let survey: &mut Survey = found.partitions.entry(partition).or_default();
                    survey.segments.insert(id, info);
                }
            }
            (Some("cat"), Some(folder), Some(rest)) => {
                if let (Ok(partition), Ok(fact)) = (folder.parse(), rest.parse::<FactName>()) {
                    found.partitions.entry(partition).or_default().facts.insert(fact, info);
                }
            }
            _ => {}
        }
    }
    Ok(found)
}

/// Segments are listed first: what is announced afterwards is not missed in the facts.
pub async fn survey(store: &Store, tenant: &TenantId, partition: Partition) -> Result<Survey, CareError> {
    let mut found = Survey::default();
    for object in list(store, &Folder::segments(tenant, partition)).await? {
        if let Some(id) = parse_segment_name(&object.name) {
            found.segments.insert(id, object.info);
        }
    }
    for object in list(store, &Folder::facts(tenant, partition)).await? {
        if let Ok(name) = object.name.parse::<FactName>() {
            found.facts.insert(name, object.info);
        }
    }
    Ok(found)
}

/// Partitions that have segments or facts.
pub async fn partitions_of(store: &Store, tenant: &TenantId) -> Result<BTreeSet<Partition>, CareError> {
    let mut partitions = BTreeSet::new();
    for folder in [Folder::segment_partitions(tenant), Folder::catalogs(tenant)] {
        partitions
            .extend(store.folders(&folder).await?.iter().filter_map(|name| name.parse::<Partition>().ok()));
    }
    Ok(partitions)
}

pub(super) async fn list(store: &Store, folder: &Folder) -> Result<Vec<Listed>, CareError> {
    let mut objects: Vec<Listed> = Vec::new();
    loop {
        let after = objects.last().map(|object| object.name.clone());
        let page = store.list(folder, after.as_deref(), LIST_PAGE).await?;
        let is_last = !page.has_more || page.objects.is_empty();
        objects.extend(page.objects);
        if objects.len() > MAX_OBJECTS {
            return Err(CareError::TooMany { folder: folder.to_string() });
        }
        if is_last {
            return Ok(objects);
        }
    }
}
