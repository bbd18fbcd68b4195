//! Hostile bytes through every message.

use bytes::Bytes;
use prost::Message;

use crate::{
    AppendRequest, AppendResponse, Assignment, EstimateRequest, FlushRequest, HistogramBatch,
    HistogramRequest, LabelsRequest, Member, Part, PatternBatch, PatternsRequest, PlanEstimateRequest,
    PlanHead, PlanHistogramRequest, PlanLabelsRequest, PlanRequest, PlannedSegment, PullRequest, ReadHead,
    ReadRequest, ReportPart, RowBatch, StateResponse, SubscribeRequest, TailEvent, TailStart, TextBatch,
    wire,
};

/// Takes the bytes behind the first as the message that the first byte chooses. What is taken must
/// come back the same from what it is sent as. Says whether it was taken.
///
/// # Panics
/// If a message does not come back: that is a bug in this crate.
pub fn fuzz_messages(bytes: &[u8]) -> bool {
    let Some((choice, message)) = bytes.split_first() else { return false };
    let check = CHECKS[usize::from(*choice) % CHECKS.len()];
    check(Bytes::copy_from_slice(message))
}

/// Appended to, so that a stored case keeps its meaning for as long as the list is short.
const CHECKS: [fn(Bytes) -> bool; 24] = [
    check::<wire::ingest::AppendRequest, AppendRequest>,
    check::<wire::ingest::AppendResponse, AppendResponse>,
    check::<wire::ingest::ReadRequest, ReadRequest>,
    check::<wire::ingest::ReadPart, Part<ReadHead, RowBatch>>,
    check::<wire::ingest::LabelsRequest, LabelsRequest>,
    check::<wire::ingest::LabelsPart, Part<ReadHead, TextBatch>>,
    check::<wire::ingest::HistogramRequest, HistogramRequest>,
    check::<wire::ingest::HistogramPart, Part<ReadHead, HistogramBatch>>,
    check::<wire::ingest::PatternsRequest, PatternsRequest>,
    check::<wire::ingest::PatternsPart, Part<ReadHead, PatternBatch>>,
    check::<wire::ingest::EstimateRequest, EstimateRequest>,
    check::<wire::ingest::FlushRequest, FlushRequest>,
    check::<wire::ingest::StateResponse, StateResponse>,
    check::<wire::ingest::SubscribeRequest, SubscribeRequest>,
    check::<wire::ingest::TailPart, Part<TailStart, TailEvent>>,
    check::<wire::plan::PlanRequest, PlanRequest>,
    check::<wire::plan::PlanPart, Part<PlanHead, PlannedSegment>>,
    check::<wire::plan::LabelsRequest, PlanLabelsRequest>,
    check::<wire::plan::HistogramRequest, PlanHistogramRequest>,
    check::<wire::plan::EstimateRequest, PlanEstimateRequest>,
    check::<wire::query::PullRequest, PullRequest>,
    check::<wire::query::Assignment, Assignment>,
    check::<wire::query::ReportPart, ReportPart>,
    check::<wire::ring::Member, Member>,
];

/// Messages are compared as bytes, because not every number equals itself.
fn check<W, T>(bytes: Bytes) -> bool
where
    W: Message + Default + From<T>,
    T: TryFrom<W>,
{
    let Ok(message) = W::decode(bytes) else { return false };
    let Ok(taken) = T::try_from(message) else { return false };
    let sent = W::from(taken).encode_to_vec();
    let again = W::decode(sent.as_slice()).ok().and_then(|message| T::try_from(message).ok());
    let again = again.map(|taken| W::from(taken).encode_to_vec());
    assert_eq!(again.as_deref(), Some(sent.as_slice()), "a message did not come back");
    true
}
