//! One bad field at a time, in messages that are good otherwise.

use bytes::Bytes;

use super::dice::Dice;
use super::samples;
use crate::wire;
use crate::{
    AppendRequest, Assignment, FlushRequest, HistogramBatch, HistogramRequest, InvalidMessage, LabelsRequest,
    Member, Part, PatternsRequest, PlanHead, PlannedSegment, PullRequest, ReadHead, ReadRequest, ReportPart,
    RowBatch, SegmentEntry, TextBatch,
};

/// The text of the refusal of a good message after it was spoilt.
#[track_caller]
fn check<W, T>(good: T, spoil: impl FnOnce(&mut W), want: &str)
where
    W: From<T>,
    T: TryFrom<W, Error = InvalidMessage> + Clone,
{
    assert!(T::try_from(W::from(good.clone())).is_ok(), "not spoilt, it is taken");
    let mut message = W::from(good);
    spoil(&mut message);
    let error = T::try_from(message).err().map(|error| error.to_string());
    assert_eq!(error.as_deref(), Some(format!("invalid message: {want}").as_str()));
}

const MISSING: &str = "missing, or of a kind not known here";

/// A dice whose lists have three members and whose options are set.
fn full() -> Dice<'static> {
    Dice::new(&[3; 4000])
}

#[test]
fn append() {
    let check = |spoil: fn(&mut wire::ingest::AppendRequest), want: &str| {
        check::<_, AppendRequest>(samples::append_request(&mut full()), spoil, want);
    };
    check(|m| m.push_stamp = Bytes::from_static(b"x"), "push_stamp: 1 bytes, expected 16");
    check(|m| m.replica_sets[1].node_ids.clear(), "replica_sets[1].node_ids: 0 nodes, expected 1 to 16");
    check(
        |m| m.replica_sets[0].node_ids = vec![Bytes::from_static(&[0; 16]); 17],
        "replica_sets[0].node_ids: 17 nodes, expected 1 to 16",
    );
    check(
        |m| m.replica_sets[0].node_ids[2] = Bytes::new(),
        "replica_sets[0].node_ids[2]: 0 bytes, expected 16",
    );
    check(|m| m.streams[2].replica_set = 4, "streams[2].replica_set: place 4 in a list of 4");
    check(|m| m.streams[1].entries[1].level = Some(9), "streams[1].entries[1].level: place 9 in a list of 4");
    check(
        |m| m.streams[0].entries[1].metadata[2].value = Bytes::from_static(b"\xff"),
        "streams[0].entries[1].metadata[2].value: not UTF-8",
    );
}

#[test]
fn read() {
    let check = |spoil: fn(&mut wire::ingest::ReadRequest), want: &str| {
        check::<_, ReadRequest>(samples::read_request(&mut full()), spoil, want);
    };
    let missing = |field: &str| format!("{field}: {MISSING}");
    check(|m| m.selection = None, &missing("selection"));
    check(|m| m.direction = 0, &missing("direction"));
    check(|m| m.direction = 7, &missing("direction"));
    check(|m| m.needles[1].any_of.clear(), "needles[1].any_of: no alternatives");
    check(|m| m.tombstones_known[2] = Bytes::new(), "tombstones_known[2]: 0 bytes, expected 16");
    let selection = |m: &mut wire::ingest::ReadRequest| m.selection.take().unwrap();
    check(
        |m| m.selection.as_mut().unwrap().any_of[0].matchers[1].op = 0,
        &missing("selection.any_of[0].matchers[1].op"),
    );
    check(
        |m| m.selection.as_mut().unwrap().policy.as_mut().unwrap().any_of[2].matchers[0].name.clear(),
        "selection.policy.any_of[2].matchers[0].name: empty",
    );
    check(
        |m| (m.selection.as_mut().unwrap().start_ns, m.selection.as_mut().unwrap().end_ns) = (1, 0),
        "selection.end_ns: before the start",
    );
    for (index, count) in [(0, 0), (0, 3), (4, 4)] {
        let mut message = wire::ingest::ReadRequest::from(samples::read_request(&mut full()));
        let shard = Some(wire::types::StreamShard { index, count });
        message.selection = Some(wire::types::Selection { shard, ..selection(&mut message) });
        let error = ReadRequest::try_from(message).unwrap_err();
        assert_eq!(
            error.to_string(),
            format!("invalid message: selection.shard: no part {index} of {count} streams")
        );
    }
}

#[test]
fn other_requests() {
    check::<wire::ingest::LabelsRequest, LabelsRequest>(
        samples::labels_request(&mut full()),
        |m| m.query.as_mut().unwrap().question = 9,
        &format!("query.question: {MISSING}"),
    );
    check::<wire::ingest::LabelsRequest, LabelsRequest>(
        samples::labels_request(&mut full()),
        |m| *m.query.as_mut().unwrap() = wire::types::LabelsQuery { question: 2, name: String::new() },
        "query.name: empty",
    );
    check::<wire::ingest::HistogramRequest, HistogramRequest>(
        samples::histogram_request(&mut full()),
        |m| m.minutes_per_cell = 0,
        "minutes_per_cell: 0",
    );
    check::<wire::ingest::PatternsRequest, PatternsRequest>(
        samples::patterns_request(&mut full()),
        |m| m.step_ns = u64::MAX,
        "step_ns: longer than 292 years",
    );
    check::<wire::ingest::FlushRequest, FlushRequest>(
        samples::flush_request(&mut full()),
        |m| m.tenant.clear(),
        "tenant: missing, but streams are selected",
    );
    check::<wire::ingest::FlushRequest, FlushRequest>(
        samples::flush_request(&mut full()),
        |m| m.tenant = "..".into(),
        "tenant: not a tenant: tenant ID is '.' or '..'",
    );
    check::<wire::query::PullRequest, PullRequest>(
        samples::pull_request(&mut full()),
        |m| m.concurrency = 0,
        "concurrency: 0",
    );
}

#[test]
fn parts() {
    let none = wire::ingest::ReadPart { part: None };
    let error = Part::<ReadHead, RowBatch>::try_from(none).unwrap_err();
    assert_eq!(error.to_string(), format!("invalid message: part: {MISSING}"));
    let none = wire::plan::LabelsPart { part: None };
    assert!(Part::<PlanHead, TextBatch>::try_from(none).is_err());
    check::<wire::types::RowBatch, RowBatch>(
        samples::row_batch(&mut full()),
        |m| m.rows[2].stream = 4,
        "rows[2].stream: place 4 in a list of 4",
    );
    check::<wire::types::RowBatch, RowBatch>(
        samples::row_batch(&mut full()),
        |m| m.rows[0].tie.as_mut().unwrap().push_stamp.clear(),
        "rows[0].tie.push_stamp: 0 bytes, expected 16",
    );
    check::<wire::types::HistogramBatch, HistogramBatch>(
        samples::histogram_batch(&mut full()),
        |m| m.cells[1].end_ns = 1,
        "cells[1].end_ns: not a whole minute",
    );
    check::<wire::types::HistogramBatch, HistogramBatch>(
        samples::histogram_batch(&mut full()),
        |m| m.cells[1].levels[0].level = Some(4),
        "cells[1].levels[0].level: place 4 in a list of 4",
    );
    check::<wire::types::HistogramBatch, HistogramBatch>(
        samples::histogram_batch(&mut full()),
        |m| m.cells[1].last_ns = m.cells[1].first_ns - 1,
        "cells[1].last_ns: not between first_ns and end_ns",
    );
    check::<wire::types::HistogramBatch, HistogramBatch>(
        samples::histogram_batch(&mut full()),
        |m| m.gaps[2].start_ns = m.gaps[2].end_ns,
        "gaps[2].end_ns: not behind start_ns",
    );
}

#[test]
fn segments() {
    let check_entry = |spoil: fn(&mut wire::types::SegmentEntry), want: &str| {
        let entry = samples::planned_segment(&mut full()).entry;
        check::<_, SegmentEntry>(entry, spoil, want);
    };
    check_entry(|m| m.id.clear(), "id: 0 bytes, expected 16");
    check_entry(|m| (m.first_ns, m.last_ns) = (1, 0), "last_ns: before the first");
    check_entry(|m| m.footer_offset = u64::MAX, "footer_offset: the footer is not inside the segment");
    check_entry(|m| m.partition = None, &format!("partition: {MISSING}"));
    check_entry(
        |m| m.partition.as_mut().unwrap().kind = Some(wire::types::partition::Kind::Wide(false)),
        &format!("partition.kind: {MISSING}"),
    );
    check_entry(
        |m| m.label_summaries[1].values = vec!["b".into(), "a".into()],
        "label_summaries[1].values: not sorted",
    );
    let check = |spoil: fn(&mut wire::plan::PlannedSegment), want: &str| {
        check::<_, PlannedSegment>(samples::planned_segment(&mut full()), spoil, want);
    };
    check(|m| m.chunks[1].streams[0].stream = 4, "chunks[1].streams[0]: place 4 in a list of 4");
    check(|m| m.chunks[1].streams[2].rows = u32::MAX, "chunks[1].streams[2]: rows beyond the chunk");
    check(|m| m.chunks[0].pages[1].offset = u64::MAX, "chunks[0].pages[1]: beyond the segment");
}

#[test]
fn pieces() {
    let piece = |seed: &[u8]| {
        let mut dice = Dice::new(seed);
        match samples::assignment(&mut dice) {
            Assignment::Piece(piece) => *piece,
            Assignment::Cancel(_) => panic!("the seed gives a piece"),
        }
    };
    let check = |spoil: fn(&mut wire::query::Piece), want: &str| {
        check::<_, crate::Piece>(piece(&[1; 500]), spoil, want);
    };
    check(|m| m.tenants.clear(), &format!("tenants: {MISSING}"));
    check(|m| m.tenants[1].tenant = "a:b".into(), "tenants[1].tenant: not a tenant: a remark behind the id");
    check(|m| m.question = None, &format!("question: {MISSING}"));
    check(|m| m.request_id = "a b".into(), "request_id: not a request id: 1 to 128 visible ASCII characters");
    check(|m| m.traceparent.clear(), "traceparent: not a W3C traceparent");
    check(
        |m| {
            let question = wire::query::MetricQuestion { start_ns: 1, end_ns: 2, ..Default::default() };
            m.question = Some(wire::query::piece::Question::Metric(question));
        },
        "metric.step_ns: 0 for more than one instant",
    );
}

#[test]
fn results_and_members() {
    let series = |steps: Vec<u32>, values: Vec<f64>, remainders: Vec<f64>| {
        let series = wire::query::SampleSeries { labels: Vec::new(), steps, values, remainders };
        let batch = wire::query::SampleBatch { series: vec![series] };
        let part = wire::query::ReportPart { part: Some(wire::query::report_part::Part::Samples(batch)) };
        ReportPart::try_from(part).map_err(|error| error.to_string())
    };
    assert!(series(vec![1, 2], vec![0.5, 0.5], vec![]).is_ok());
    for (bad, field) in [
        (series(vec![2, 2], vec![0.5, 0.5], vec![]), "steps: not ascending"),
        (series(vec![1], vec![], vec![]), "values: not one for each step"),
        (series(vec![1], vec![0.5], vec![0.0; 2]), "remainders: neither none nor one for each step"),
    ] {
        assert_eq!(bad, Err(format!("invalid message: samples.series[0].{field}")));
    }
    let check = |spoil: fn(&mut wire::ring::Member), want: &str| {
        check::<_, Member>(samples::member(&mut full()), spoil, want);
    };
    check(|m| m.tokens = vec![2, 1], "tokens: not ascending");
    check(|m| m.tokens = vec![1, 1], "tokens: not ascending");
    check(|m| m.state = 0, &format!("state: {MISSING}"));
    check(|m| m.roles = vec![0, 99], &format!("roles: {MISSING}"));
    check(
        |m| m.grpc_address = "nowhere".into(),
        r#"grpc_address: not an address, expected host:port: "nowhere""#,
    );
}

/// A later version's role does not hide the others.
#[test]
fn unknown_roles_are_left_out() {
    let good = samples::member(&mut full());
    let mut message = wire::ring::Member::from(good.clone());
    message.roles.push(99);
    assert_eq!(Member::try_from(message), Ok(good));
}
