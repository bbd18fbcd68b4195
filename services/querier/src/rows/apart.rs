//! The reads of a question with the rows of ingesters and the chunks of segments apart, for whoever reads
//! chunks as pages.

use larch_proto::PlannedSegment;
use larch_rpc::CallError;
use larch_types::TenantId;

use super::merge::{MergedRows, Stored};
use super::open::{AnswerHead, Asker};
use super::reads::Read;
use super::stored::Reader;

pub(crate) struct OpenedApart {
    /// In the order of the reads.
    pub(crate) reads: Vec<RowsApart>,
    /// Of every answer of an ingester.
    pub(crate) heads: Vec<AnswerHead>,
    pub(crate) stored: Stored,
}

/// What is there of one read.
pub(crate) struct RowsApart {
    /// Of all ingesters, each row once.
    pub(crate) rows: MergedRows,
    /// By tenant, what the plan names.
    pub(crate) segments: Vec<TenantPlan>,
}

/// What is planned of one tenant, and who reads it.
pub(crate) type TenantPlan = (TenantId, Reader, Vec<PlannedSegment>);

impl Asker {
    /// As `open`: the plan is made once the heads of all ingesters are here.
    pub(crate) async fn open_apart(&self, reads: &[Read]) -> Result<OpenedApart, CallError> {
        let asked = self.ask_for(reads).await?;
        let scopes: Vec<_> = asked.iter().map(|one| one.scope(self)).collect();
        let (plans, stored) = self.plan_all(&scopes).await?;
        let mut segments: Vec<Vec<_>> = reads.iter().map(|_| Vec::new()).collect();
        for (one, plan) in scopes.iter().zip(plans) {
            if !plan.is_empty() {
                let reader = self.reader(one.tenant, one.read, &stored)?;
                segments[one.number].push((one.tenant.clone(), reader, plan));
            }
        }
        let (mut heads, mut sources) = (Vec::new(), Vec::new());
        sources.resize_with(reads.len(), Vec::new);
        for one in asked {
            let of_read: &mut Vec<_> = &mut sources[one.number];
            one.into_sources(of_read, &mut heads);
        }
        let mut apart = Vec::with_capacity(reads.len());
        for ((read, sources), segments) in reads.iter().zip(sources).zip(segments) {
            let rows = self.merged(sources, read.direction, Stored::default());
            apart.push(RowsApart { rows, segments });
        }
        Ok(OpenedApart { reads: apart, heads, stored })
    }
}
