//! Every message comes back from the wire as it was; what cannot be meant is refused by field.

mod dice;
mod refusals;
mod samples;

use std::fmt::Debug;

use bytes::Bytes;
use proptest::prelude::*;
use prost::Message;

use self::dice::Dice;
use crate::{
    AppendRequest, Assignment, Done, FlushResponse, Part, ReportPart, ReportResponse, ResultPart,
    SampleSeries, StateRequest, fuzz_messages, wire,
};

/// Through the bytes and back.
fn comes_back<W, T>(value: T)
where
    W: Message + Default + From<T>,
    T: TryFrom<W> + Clone + PartialEq + Debug,
    T::Error: Debug,
{
    let bytes = W::from(value.clone()).encode_to_vec();
    let back = W::decode(bytes.as_slice()).expect("what was encoded decodes");
    assert_eq!(T::try_from(back).expect("what was sent is taken"), value);
}

proptest! {
    #[test]
    fn ingest_messages_come_back(seed in prop::collection::vec(any::<u8>(), 0..600)) {
        let dice = &mut Dice::new(&seed);
        comes_back::<wire::ingest::AppendRequest, _>(samples::append_request(dice));
        comes_back::<wire::ingest::AppendResponse, _>(samples::append_response(dice));
        comes_back::<wire::ingest::ReadRequest, _>(samples::read_request(dice));
        comes_back::<wire::ingest::ReadPart, _>(samples::part(dice, samples::read_head, samples::row_batch));
        comes_back::<wire::ingest::LabelsRequest, _>(samples::labels_request(dice));
        comes_back::<wire::ingest::LabelsPart, _>(
            samples::part(dice, samples::read_head, samples::text_batch),
        );
        comes_back::<wire::ingest::HistogramRequest, _>(samples::histogram_request(dice));
        comes_back::<wire::ingest::HistogramPart, _>(
            samples::part(dice, samples::read_head, samples::histogram_batch),
        );
        comes_back::<wire::ingest::PatternsRequest, _>(samples::patterns_request(dice));
        comes_back::<wire::ingest::PatternsPart, _>(
            samples::part(dice, samples::read_head, samples::pattern_batch),
        );
        comes_back::<wire::ingest::EstimateRequest, _>(samples::estimate_request(dice));
        comes_back::<wire::ingest::FlushRequest, _>(samples::flush_request(dice));
        comes_back::<wire::ingest::StateResponse, _>(samples::state_response(dice));
    }

    #[test]
    fn tail_and_ring_messages_come_back(seed in prop::collection::vec(any::<u8>(), 0..300)) {
        let dice = &mut Dice::new(&seed);
        comes_back::<wire::ingest::SubscribeRequest, _>(samples::subscribe_request(dice));
        comes_back::<wire::ingest::TailPart, _>(
            samples::part(dice, samples::tail_start, samples::tail_event),
        );
        comes_back::<wire::ring::Member, _>(samples::member(dice));
    }

    #[test]
    fn plan_messages_come_back(seed in prop::collection::vec(any::<u8>(), 0..600)) {
        let dice = &mut Dice::new(&seed);
        comes_back::<wire::plan::PlanRequest, _>(samples::plan_request(dice));
        comes_back::<wire::plan::LabelsRequest, _>(samples::plan_labels_request(dice));
        comes_back::<wire::plan::HistogramRequest, _>(samples::plan_histogram_request(dice));
        comes_back::<wire::plan::EstimateRequest, _>(samples::plan_estimate_request(dice));
        comes_back::<wire::plan::PlanPart, _>(
            samples::part(dice, samples::plan_head, samples::planned_segment),
        );
        comes_back::<wire::plan::LabelsPart, _>(samples::part(dice, samples::plan_head, samples::text_batch));
        comes_back::<wire::plan::HistogramPart, _>(
            samples::part(dice, samples::plan_head, samples::histogram_batch),
        );
    }

    #[test]
    fn query_messages_come_back(seed in prop::collection::vec(any::<u8>(), 0..400)) {
        let dice = &mut Dice::new(&seed);
        comes_back::<wire::query::PullRequest, _>(samples::pull_request(dice));
        comes_back::<wire::query::Assignment, _>(samples::assignment(dice));
        comes_back::<wire::query::ReportPart, _>(samples::report_part(dice));
    }

    /// Any bytes for any message; what random bytes rarely are, mutations of real messages below are.
    #[test]
    fn wild_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        fuzz_messages(&bytes);
    }
}

#[test]
fn small_answers_come_back() {
    for wanted in [false, true] {
        comes_back::<wire::query::ReportResponse, _>(ReportResponse { wanted });
    }
    comes_back::<wire::ingest::FlushResponse, _>(FlushResponse {
        wal_position: crate::WalPosition(u64::MAX),
        segments: 3,
    });
    comes_back::<wire::ingest::StateRequest, _>(StateRequest);
}

/// NaN is an answer like any other, and not every NaN is the same.
#[test]
fn every_bit_of_a_sample_comes_back() {
    let bits = [f64::NAN.to_bits(), 0x7ff8_0000_dead_beef, (-0.0_f64).to_bits(), f64::INFINITY.to_bits(), 1];
    let series = SampleSeries {
        steps: vec![0, 1, 2, 3, 4],
        values: bits.map(f64::from_bits).to_vec(),
        ..SampleSeries::default()
    };
    let part = ReportPart::Result(ResultPart::Samples(vec![series]));
    let bytes = wire::query::ReportPart::from(part).encode_to_vec();
    let back = wire::query::ReportPart::decode(bytes.as_slice()).unwrap();
    let ReportPart::Result(ResultPart::Samples(series)) = back.try_into().unwrap() else {
        panic!("samples stay samples");
    };
    assert_eq!(series[0].values.iter().map(|value| value.to_bits()).collect::<Vec<_>>(), bits);
}

/// The promise that decoding makes: lines and metadata are pieces of the buffer that was received.
#[test]
fn lines_are_not_copied() {
    let dice = &mut Dice::new(&[3; 400]);
    let mut request = samples::append_request(dice);
    request.streams[0].entries[0].line = Bytes::from_static(b"a line that can be found again");
    let message = Bytes::from(wire::ingest::AppendRequest::from(request).encode_to_vec());
    let decoded = wire::ingest::AppendRequest::decode(message.clone()).unwrap();
    let request = AppendRequest::try_from(decoded).unwrap();
    let line = &request.streams[0].entries[0].line;
    assert!(message.as_ptr_range().contains(&line.as_ptr()));
}

/// 20,000 mutations of real messages, the same ones in every run.
#[test]
fn mutated_messages_never_panic() {
    let corpus = samples::corpus();
    let mut random = 0x9e37_79b9_7f4a_7c15_u64;
    let mut next = move |below: usize| {
        // xorshift64: any sequence will do, as long as it is always this one.
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        usize::try_from(random % below.max(1) as u64).unwrap_or_default()
    };
    let mut taken = 0;
    for round in 0..20_000 {
        let mut bytes = corpus[round % corpus.len()].clone();
        for _ in 0..=next(4) {
            let at = next(bytes.len());
            match next(5) {
                0 => bytes[at] ^= 1 << next(8),
                1 => bytes[at] = [0x00, 0x7f, 0x80, 0xff][next(4)],
                2 => bytes.truncate(at.max(1)),
                3 => bytes.insert(at, next(256) as u8),
                _ => {
                    let piece = bytes[at..].to_vec();
                    bytes.extend_from_slice(&piece);
                }
            }
        }
        taken += u32::from(fuzz_messages(&bytes));
    }
    assert!((1_000..19_000).contains(&taken), "both ways are tried: {taken} taken");
}

/// Without this, the corpus could rot into bytes that nothing takes.
#[test]
fn the_corpus_is_of_real_messages() {
    for case in samples::corpus() {
        assert!(fuzz_messages(&case), "message {} is not taken", case[0]);
    }
}

#[test]
fn the_rarer_parts_come_back() {
    let done = ReportPart::Result(ResultPart::Done(Box::<Done>::default()));
    comes_back::<wire::query::ReportPart, _>(done);
    comes_back::<wire::query::Assignment, _>(Assignment::Cancel(crate::PieceId(u64::MAX)));
    let head: Part<_, crate::RowBatch> = Part::Head(samples::read_head(&mut Dice::new(&[])));
    comes_back::<wire::ingest::ReadPart, _>(head);
}
