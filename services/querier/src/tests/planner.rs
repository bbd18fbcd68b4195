//! A planner over segments in memory: it plans every chunk that may hold a row, and rules nothing out.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::StreamExt;
use futures_util::stream::iter;
use larch_proto::{
    Estimate, HistogramBatch, LabelsQuery, Partition, PlanEstimateRequest, PlanHead, PlanHistogramRequest,
    PlanLabelsRequest, PlanRequest, PlanScope, PlannedSegment, SegmentEntry, TextBatch, Tombstone,
};
use larch_rpc::{CallError, Headed, Planner, TenantContext};
use larch_segment::{Effort, OrdinalSet, Provenance, Row, RowStamp, Segment, SegmentBuilder};
use larch_store::{Counting, Key, Overlap, SegmentError, Segments, Store};
use larch_types::{NodeId, SegmentId, TenantId};

use super::fakes::{Selects, Stored};

pub(super) struct FakePlanner {
    store: Store,
    segments: Segments,
    /// What the catalog says, and what it says to whoever wants to know it as it is now.
    pub(super) live: Mutex<BTreeMap<TenantId, Vec<SegmentEntry>>>,
    pub(super) fresh: Mutex<Option<BTreeMap<TenantId, Vec<SegmentEntry>>>>,
    pub(super) tombstones: Mutex<Vec<Tombstone>>,
    pub(super) scopes: Mutex<Vec<PlanScope>>,
}

impl FakePlanner {
    pub(super) fn new(store: Store, segments: Segments) -> Self {
        let (live, fresh, scopes) = (Mutex::default(), Mutex::default(), Mutex::default());
        Self { store, segments, live, fresh, tombstones: Mutex::default(), scopes }
    }

    /// Writes rows of one tenant as a segment, which nobody has announced yet.
    pub(super) async fn write(&self, id: u128, rows: &[Stored]) -> SegmentEntry {
        let tenant: TenantId = rows[0].tenant.parse().unwrap();
        let (bytes, entry) = build(id, rows);
        self.store.put(&key(&tenant, &entry), bytes).await.unwrap();
        entry
    }

    pub(super) async fn announce(&self, id: u128, rows: &[Stored]) -> SegmentEntry {
        let entry = self.write(id, rows).await;
        let tenant: TenantId = rows[0].tenant.parse().unwrap();
        self.live.lock().unwrap().entry(tenant).or_default().push(entry.clone());
        entry
    }

    /// What the object holds from now on; nothing if it is gone.
    pub(super) async fn replace(&self, tenant: &str, entry: &SegmentEntry, bytes: Option<Bytes>) {
        let key = key(&tenant.parse().unwrap(), entry);
        match bytes {
            Some(bytes) => self.store.put(&key, bytes).await.unwrap(),
            None => self.store.delete(&key).await.unwrap(),
        }
    }

    fn entries(&self, tenant: &TenantId, scope: &PlanScope) -> Vec<SegmentEntry> {
        self.scopes.lock().unwrap().push(scope.clone());
        let fresh = self.fresh.lock().unwrap();
        let live = self.live.lock().unwrap();
        let known = match &*fresh {
            Some(fresh) if scope.max_view_age.is_zero() => fresh.get(tenant),
            _ => live.get(tenant),
        };
        let mut all: BTreeMap<SegmentId, SegmentEntry> = BTreeMap::new();
        for entry in known.into_iter().flatten().chain(&scope.announced) {
            all.insert(entry.id, entry.clone());
        }
        all.into_values().collect()
    }

    fn head(&self, segments: usize) -> PlanHead {
        PlanHead {
            view_age: std::time::Duration::ZERO,
            tombstones: self.tombstones.lock().unwrap().clone(),
            segments_in_range: segments as u64,
            chunks_in_range: 0,
            chunks_of_segments: 0,
            chunks_in_time: 0,
        }
    }

    async fn plans(&self, tenant: &TenantId, scope: &PlanScope) -> Result<Vec<PlannedSegment>, CallError> {
        let failed = |error: SegmentError| CallError::new(error.kind(), error.to_string());
        let range = (scope.selection.start, scope.selection.end);
        let selects = Selects::new(&scope.selection);
        let mut plans = Vec::new();
        for entry in self.entries(tenant, scope) {
            let segment = self.segments.open(tenant, &entry).await.map_err(failed)?;
            let streams = streams_of(&segment, &selects);
            let overlap = Overlap::new(&segment, &streams, range).unwrap();
            let all = OrdinalSet::all(segment.totals().chunks);
            plans.extend(overlap.plan(tenant, &entry, &all).map_err(failed)?);
        }
        Ok(plans)
    }
}

fn streams_of(segment: &Segment, selects: &Selects) -> OrdinalSet {
    let mut streams = OrdinalSet::none(segment.index().streams());
    for stream in 0..segment.index().streams() {
        if selects.labels(&segment.index().labels(stream).unwrap()) {
            streams.insert(stream);
        }
    }
    streams
}

fn key(tenant: &TenantId, entry: &SegmentEntry) -> Key {
    Key::segment(tenant, entry.partition, entry.id)
}

/// The object of a segment with these rows, and its entry.
pub(super) fn build(id: u128, rows: &[Stored]) -> (Bytes, SegmentEntry) {
    let mut builder = SegmentBuilder::new();
    for row in rows {
        let stream = builder.stream(&row.stream.labels).unwrap();
        let metadata: Vec<(&str, &str)> =
            row.metadata.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        let stored = Row { timestamp: row.timestamp, line: &row.line, metadata: &metadata, level: row.level };
        let stamp = RowStamp { stamp: row.tie.stamp, index: row.tie.index };
        builder.push(stream, &stored, Some(stamp)).unwrap();
    }
    let uploader = NodeId::from_u128(1);
    let (inputs, siblings, tombstones) = (Vec::new(), Vec::new(), Vec::new());
    let provenance = Provenance { id: SegmentId::from_u128(id), uploader, inputs, siblings, tombstones };
    let bytes: Bytes = builder.finish(provenance, Effort::Fresh).unwrap().bytes.into();
    let segment = Segment::open(&bytes, bytes.len() as u64).unwrap();
    let totals = segment.totals();
    let entry = SegmentEntry {
        id: SegmentId::from_u128(id),
        partition: Partition::Wide,
        first: totals.first_time,
        last: totals.last_time,
        rows: totals.rows,
        raw_bytes: totals.raw_bytes,
        uploader,
        object_bytes: bytes.len() as u64,
        footer_offset: segment.tail_offset(),
        footer_bytes: (bytes.len() as u64 - segment.tail_offset()) as u32,
        embedded: None,
        label_summaries: Vec::new(),
        tombstones_applied: Vec::new(),
    };
    (bytes, entry)
}

#[async_trait]
impl Planner for FakePlanner {
    async fn plan(
        &self,
        context: TenantContext,
        request: PlanRequest,
    ) -> Result<Headed<PlanHead, PlannedSegment>, CallError> {
        let plans = self.plans(&context.tenant, &request.scope).await?;
        Ok(Headed { head: self.head(plans.len()), body: iter(plans).map(Ok).boxed() })
    }

    async fn labels(
        &self,
        context: TenantContext,
        request: PlanLabelsRequest,
    ) -> Result<Headed<PlanHead, TextBatch>, CallError> {
        let mut texts = BTreeSet::new();
        let plans = self.plans(&context.tenant, &request.scope).await?;
        for text in plans.iter().flat_map(|plan| &plan.streams) {
            let labels: larch_types::Labels = text.parse().unwrap();
            match &request.query {
                LabelsQuery::Names => texts.extend(labels.iter().map(|label| label.name.to_string())),
                LabelsQuery::Values(name) => texts.extend(labels.get(name).map(str::to_owned)),
                LabelsQuery::Series => drop(texts.insert(text.clone())),
            }
        }
        let batch = TextBatch { texts: texts.into_iter().collect() };
        Ok(Headed { head: self.head(plans.len()), body: iter([Ok(batch)]).boxed() })
    }

    async fn histogram(
        &self,
        context: TenantContext,
        request: PlanHistogramRequest,
    ) -> Result<Headed<PlanHead, HistogramBatch>, CallError> {
        let failed = |error: SegmentError| CallError::new(error.kind(), error.to_string());
        let selection = &request.scope.selection;
        let range = (selection.start, selection.end);
        let mut counting = Counting::new(range, request.minutes_per_cell, request.labels.clone());
        let entries = self.entries(&context.tenant, &request.scope);
        for entry in &entries {
            let segment = self.segments.open(&context.tenant, entry).await.map_err(failed)?;
            let streams = streams_of(&segment, &Selects::new(selection));
            counting.add(&segment, entry, &streams).unwrap();
        }
        let parts = counting.finish().map(Ok);
        Ok(Headed { head: self.head(entries.len()), body: iter(parts).boxed() })
    }

    async fn estimate(
        &self,
        context: TenantContext,
        request: PlanEstimateRequest,
    ) -> Result<Estimate, CallError> {
        let plans = self.plans(&context.tenant, &request.scope).await?;
        let chunks = plans.iter().map(|plan| plan.chunks.len() as u64).sum();
        Ok(Estimate { chunks, ..Estimate::default() })
    }
}
