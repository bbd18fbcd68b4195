//! Rows of queries: which ones are needed, who is asked for them, and how copies become one row.

mod apart;
mod budget;
mod held;
mod ingesters;
mod merge;
mod open;
mod reads;
mod source;
mod stored;
mod stream;
mod tenants;

pub(crate) use apart::{OpenedApart, RowsApart, TenantPlan};
pub(crate) use budget::{Budget, failed};
pub(crate) use held::{HeldRow, InputRows};
pub(crate) use ingesters::{Answer, ask_all, ask_heads};
pub(crate) use merge::{Found, MergedRows, PlanExtent, Stored, refuse_bytes};
pub(crate) use open::{AnswerHead, Asker, OPENING, Opened};
pub(crate) use reads::{RangeRead, Read, log_needles, log_read, metric_reads};
pub(crate) use source::rows_of_batch;
pub(crate) use stored::{ChunkPlace, Pages, Reader, Unit, ask, refuse_deletes, scope, units, unplanned};
pub(crate) use stream::{Stream, Streams, identify, shown_labels};
pub(crate) use tenants::{may_be_seen, turn_selector};
