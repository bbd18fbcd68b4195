//! The messages between Larch's processes: compiled from `proto/` at build time (`wire`), and as the
//! checked structs that services work with. Whatever comes in becomes a checked struct or an
//! [`InvalidMessage`] that names the field; lines and metadata are never copied on the way.
//!
//! No transport and no behaviour: `larch-rpc` sends what is declared here.

mod append;
mod check;
mod failure;
mod fuzz;
mod histogram;
mod labels;
mod matching;
mod member;
mod node;
mod numbers;
mod part;
mod patterns;
mod piece;
mod plan;
mod read;
mod result;
mod rows;
mod segments;
mod tail;
mod text;
pub mod wire;

#[cfg(test)]
mod tests;

pub use append::{
    AppendEntry, AppendRequest, AppendResponse, AppendStream, RefusalReason, ReplicaSet, StreamOutcome,
};
pub use check::InvalidMessage;
pub use failure::Failure;
pub use fuzz::fuzz_messages;
pub use histogram::{
    CountedLabels, HistogramBatch, HistogramCell, HistogramGap, HistogramSource, LevelCount,
};
pub use labels::{LabelsQuery, TextBatch};
pub use matching::{AccessPolicy, Direction, Needle, NeedleGroup, Selection, Selector};
pub use member::{Member, MemberState, Role};
pub use node::{FlushRequest, FlushResponse, StateRequest, StateResponse};
pub use numbers::{PieceId, RingDigest, WalPosition};
pub use part::Part;
pub use patterns::{Pattern, PatternBatch, PatternSample, PatternsRequest};
pub use piece::{Assignment, Piece, PieceTenant, PullRequest, Question};
pub use plan::{
    ChunkStream, PageRange, PlanEstimateRequest, PlanHead, PlanHistogramRequest, PlanLabelsRequest, PlanOf,
    PlanRequest, PlanScope, PlannedChunk, PlannedSegment,
};
pub use read::{EstimateRequest, HistogramRequest, LabelsRequest, ReadHead, ReadRequest};
pub use result::{
    AnswerPath, Done, EntryBatch, PatternSeries, ReportHead, ReportPart, ReportResponse, ResultEntry,
    ResultLabels, ResultPart, ResultStream, SampleSeries,
};
pub use rows::{Pair, Row, RowBatch, TieOrder};
pub use segments::{Embedded, LabelSummary, Partition, SegmentEntry, Tombstone};
pub use tail::{DroppedRow, SubscribeRequest, TailEvent, TailStart, WalPoint};
pub use text::Text;

// Plain counters, for which nothing can be wrong: the messages serve as they are.
pub use wire::query::QueryStatistics;
pub use wire::ring::Load;
pub use wire::types::Estimate;
