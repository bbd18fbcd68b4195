//! Opens the reads of a question at everyone who may hold rows.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use futures_util::{StreamExt, TryStreamExt, stream};
use larch_proto::{
    Direction, PieceTenant, PlanScope, PlannedSegment, ReadHead, ReadRequest, RowBatch, Selection, Selector,
};
use larch_rpc::{CallContext, CallError, Headed, TenantContext};
use larch_types::{ByteSize, NodeId, SegmentId, StreamShard, TenantId, Timestamp};

use super::budget::Budget;
use super::ingesters::{Answer, ask_heads};
use super::merge::{MergedRows, PlanExtent, Stored};
use super::reads::Read;
use super::source::{Origin, Source};
use super::stored::{Reader, StoredRows, plan, scope};
use super::stream::Streams;
use super::tenants::may_be_seen;
use crate::cpu::Cpu;
use crate::deps::Deps;

/// Reads are opened side by side, so many at a time: a question may be about a thousand tenants.
pub(crate) const OPENING: usize = 16;

/// Who asks for rows, and within what.
#[derive(Clone)]
pub(crate) struct Asker {
    pub(crate) deps: Arc<Deps>,
    pub(crate) call: CallContext,
    /// With more than one, rows carry their tenant as a label.
    pub(crate) tenants: Vec<PieceTenant>,
    pub(crate) shard: Option<StreamShard>,
    /// What rows may take in memory on their way.
    pub(crate) max_memory: ByteSize,
    /// Most raw bytes to look at; 0 means no limit.
    pub(crate) max_bytes: u64,
    /// The oldest view of the catalog that a plan may use.
    pub(crate) max_view_age: Duration,
}

/// Rows that begin to come.
pub(crate) struct Opened {
    pub(crate) rows: MergedRows,
    /// Of every answer of an ingester.
    pub(crate) heads: Vec<AnswerHead>,
}

/// What an answer covers.
pub(crate) struct AnswerHead {
    pub(crate) tenant: TenantId,
    /// As membership names the node that was asked.
    pub(crate) node: NodeId,
    pub(crate) head: ReadHead,
}

/// A read of one tenant's rows, and what ingesters answered to it.
pub(super) struct Asked<'a> {
    pub(super) number: usize,
    pub(super) read: &'a Read,
    pub(super) tenant: &'a TenantId,
    selection: Selection,
    answers: Vec<Answer<Headed<ReadHead, RowBatch>>>,
}

/// What a planner is asked for one of them.
pub(super) struct Scoped<'a> {
    pub(super) number: usize,
    pub(super) read: &'a Read,
    pub(super) tenant: &'a TenantId,
    scope: PlanScope,
}

impl<'a> Asked<'a> {
    pub(super) fn scope(&self, asker: &Asker) -> Scoped<'a> {
        let heads = self.answers.iter().map(|answer| &answer.answer.head);
        let scope = scope(asker, self.selection.clone(), heads);
        Scoped { number: self.number, read: self.read, tenant: self.tenant, scope }
    }

    pub(super) fn into_sources(self, sources: &mut Vec<Source>, heads: &mut Vec<AnswerHead>) {
        for Answer { node, answer } in self.answers {
            heads.push(AnswerHead { tenant: self.tenant.clone(), node, head: answer.head });
            let origin = Origin::Ingester(answer.body);
            sources.push(Source::new(self.number, self.tenant.clone(), self.read.direction, origin));
        }
    }
}

impl Asker {
    pub(crate) fn has_several_tenants(&self) -> bool {
        self.tenants.len() > 1
    }

    pub(crate) fn context(&self, tenant: &TenantId) -> TenantContext {
        TenantContext { tenant: tenant.clone(), call: self.call.clone() }
    }

    pub(crate) fn budget(&self) -> Budget {
        Budget::new(self.max_memory)
    }

    /// What is selected of a tenant; none if nothing of it may be seen.
    pub(crate) fn selection(
        &self,
        tenant: &PieceTenant,
        any_of: &[Selector],
        (start, end): (Timestamp, Timestamp),
    ) -> Option<Selection> {
        let (any_of, policy) = (any_of.to_vec(), tenant.policy.clone());
        may_be_seen(tenant).then_some(Selection { any_of, policy, start, end, shard: self.shard })
    }

    /// Whether segments are read at all.
    pub(crate) fn reads_segments(&self) -> bool {
        !self.deps.config.querier.query_ingester_only
    }

    /// Ingesters are asked first, because what they hand over later is in segments then: the plan is made
    /// once all of their heads are here, with what those name.
    pub(crate) async fn open(&self, reads: &[Read]) -> Result<Opened, CallError> {
        let asked = self.ask_for(reads).await?;
        let scopes = asked.iter().map(|one| one.scope(self)).collect();
        let (segments, stored) = self.open_segments(scopes).await?;
        let (mut sources, mut heads) = (segments, Vec::new());
        for one in asked {
            one.into_sources(&mut sources, &mut heads);
        }
        let direction = reads.first().map_or(larch_proto::Direction::Forward, |read| read.direction);
        let rows = self.merged(sources, direction, stored);
        Ok(Opened { rows, heads })
    }

    pub(super) fn merged(&self, sources: Vec<Source>, direction: Direction, stored: Stored) -> MergedRows {
        let streams = Streams::new(self.has_several_tenants());
        let clock = Arc::clone(&self.deps.env.clock);
        MergedRows::new(sources, direction, streams, self.budget(), self.max_bytes, clock, stored)
    }

    /// Every read at every ingester.
    pub(super) async fn ask_for<'a>(&'a self, reads: &'a [Read]) -> Result<Vec<Asked<'a>>, CallError> {
        let mut calls = Vec::new();
        for tenant in &self.tenants {
            for (number, read) in reads.iter().enumerate() {
                if let Some(selection) = self.selection(tenant, &read.any_of, (read.start, read.end)) {
                    calls.push(self.ask_ingesters(number, read, &tenant.tenant, selection));
                }
            }
        }
        stream::iter(calls).buffered(OPENING).try_collect().await
    }

    /// A limit holds for each source: it gives the rows of the last one's time too, so that copies that came
    /// by different pushes are not cut in different places.
    async fn ask_ingesters<'a>(
        &self,
        number: usize,
        read: &'a Read,
        tenant: &'a TenantId,
        selection: Selection,
    ) -> Result<Asked<'a>, CallError> {
        let request = ReadRequest {
            selection: selection.clone(),
            needles: read.needles.clone(),
            direction: read.direction,
            limit: read.limit,
            tombstones_known: Vec::new(),
        };
        let answers = ask_heads(&self.deps, move |ingester| {
            let (context, request) = (self.context(tenant), request.clone());
            async move { ingester.read(context, request).await }
        })
        .await?;
        Ok(Asked { number, read, tenant, selection, answers })
    }

    /// The rows of stored segments, a source for each read.
    async fn open_segments(&self, scopes: Vec<Scoped<'_>>) -> Result<(Vec<Source>, Stored), CallError> {
        let (plans, stored) = self.plan_all(&scopes).await?;
        let mut sources = Vec::new();
        for (one, segments) in scopes.iter().zip(plans) {
            if segments.is_empty() {
                continue;
            }
            let reader = self.reader(one.tenant, one.read, &stored)?;
            let rows = StoredRows::new(reader, one.tenant.clone(), segments, self.deps.chunks_ahead)?;
            let origin = Origin::Segments(Box::new(rows));
            sources.push(Source::new(one.number, one.tenant.clone(), one.read.direction, origin));
        }
        Ok((sources, stored))
    }

    pub(super) fn reader(
        &self,
        tenant: &TenantId,
        read: &Read,
        stored: &Stored,
    ) -> Result<Reader, CallError> {
        let cpu = Cpu::new(&self.deps.env, self.deps.metrics.panics.clone(), None);
        Reader::new(self.deps.segments.clone(), tenant.clone(), read, cpu, Arc::clone(&stored.spent))
    }

    /// The planned chunks of each read.
    pub(super) async fn plan_all(
        &self,
        scopes: &[Scoped<'_>],
    ) -> Result<(Vec<Vec<PlannedSegment>>, Stored), CallError> {
        let mut stored = Stored::default();
        if !self.reads_segments() {
            return Ok((scopes.iter().map(|_| Vec::new()).collect(), stored));
        }
        let begun = self.deps.env.clock.monotonic();
        let mut calls = Vec::with_capacity(scopes.len());
        for one in scopes {
            calls.push(plan(self, one.tenant, one.scope.clone(), one.read));
        }
        let plans: Vec<(PlanExtent, Vec<PlannedSegment>)> =
            stream::iter(calls).buffered(OPENING).try_collect().await?;
        let took = self.deps.env.clock.monotonic().since(begun);
        stored.plan_ns = u64::try_from(took.as_nanos()).unwrap_or(u64::MAX);
        for (extent, segments) in &plans {
            stored.in_range.absorb(*extent);
            let ids: BTreeSet<SegmentId> = segments.iter().map(|segment| segment.entry.id).collect();
            stored.segments += ids.len() as u64;
            stored.chunks += segments.iter().map(|segment| segment.chunks.len() as u64).sum::<u64>();
        }
        Ok((plans.into_iter().map(|(_, segments)| segments).collect(), stored))
    }
}
