//! Opens the reads of a question at everyone who may hold rows.

use std::sync::Arc;

use futures_util::{StreamExt, TryStreamExt, stream};
use larch_membership::Part;
use larch_proto::{PieceTenant, ReadHead, ReadRequest, RowBatch, Selection, Selector};
use larch_rpc::{CallContext, CallError, Headed, TenantContext};
use larch_types::{ByteSize, NodeId, StreamShard, TenantId, Timestamp};

use super::budget::Budget;
use super::ingesters::{Answer, ask_heads};
use super::merge::MergedRows;
use super::reads::Read;
use super::source::Source;
use super::stream::Streams;
use super::tenants::may_be_seen;
use crate::deps::Deps;

/// Reads are opened side by side, so many at a time: a question may be about a thousand tenants.
const OPENING: usize = 16;

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
}

/// Rows that begin to come.
pub(crate) struct Opened {
    pub(crate) rows: MergedRows,
    /// Of every answer: what it covers.
    pub(crate) heads: Vec<(NodeId, ReadHead)>,
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

    /// Ingesters are asked first, because what they hand over later is in segments then. Rows of segments
    /// are to become sources beside these, from a plan that is made once all heads are here.
    pub(crate) async fn open(&self, reads: &[Read]) -> Result<Opened, CallError> {
        let mut calls = Vec::new();
        for tenant in &self.tenants {
            for (number, read) in reads.iter().enumerate() {
                if let Some(selection) = self.selection(tenant, &read.any_of, (read.start, read.end)) {
                    calls.push(self.open_read(number, read, &tenant.tenant, selection));
                }
            }
        }
        let opened: Vec<_> = stream::iter(calls).buffered(OPENING).try_collect().await?;
        let (mut sources, mut heads) = (Vec::new(), Vec::new());
        for (number, tenant, answers) in opened {
            let direction = reads[number].direction;
            for Answer { node, answer } in answers {
                heads.push((node, answer.head));
                sources.push(Source::new(number, tenant.clone(), direction, answer.body));
            }
        }
        let direction = reads.first().map_or(larch_proto::Direction::Forward, |read| read.direction);
        let streams = Streams::new(self.has_several_tenants());
        let clock = Arc::clone(&self.deps.env.clock);
        let rows = MergedRows::new(sources, direction, streams, self.budget(), self.max_bytes, clock);
        Ok(Opened { rows, heads })
    }

    /// A limit is for one source alone: copies of a row may have come by different pushes, so that several
    /// sources can cut the rows of one time in different places. Theirs are read as far as they are wanted.
    async fn open_read(
        &self,
        number: usize,
        read: &Read,
        tenant: &TenantId,
        selection: Selection,
    ) -> Result<(usize, TenantId, Vec<Answer<Headed<ReadHead, RowBatch>>>), CallError> {
        let ask = |limit| {
            let request = ReadRequest {
                selection: selection.clone(),
                needles: read.needles.clone(),
                direction: read.direction,
                limit,
                tombstones_known: Vec::new(),
            };
            ask_heads(&self.deps, (read.start, read.end), move |ingester| {
                let (context, request) = (self.context(tenant), request.clone());
                async move { ingester.read(context, request).await }
            })
        };
        let known = self.deps.members.view().of(Part::Ingester).count();
        let mut answers = ask(if known > 1 { 0 } else { read.limit }).await?;
        if known <= 1 && answers.len() > 1 && read.limit > 0 {
            answers = ask(0).await?;
        }
        Ok((number, tenant.clone(), answers))
    }
}
