//! The rows of ingesters, batch by batch into the engine.

use std::collections::HashMap;
use std::sync::Arc;

use larch_engine::{Covered, Gathered, LooseRow, MetricQuery};
use larch_rpc::CallError;

use super::plan::{INGESTERS, KnownStreams};
use super::run::Shared;
use crate::cpu::Cpu;
use crate::rows::{HeldRow, InputRows, MergedRows, failed};

/// Takes all rows in; adds what they cover. What segments cover is known by then, so that rows of which those
/// may have copies are told.
pub(super) async fn take_all(
    cpu: &Cpu,
    (query, ranges, shared): (&Arc<MetricQuery>, &Arc<[usize]>, &Arc<Shared>),
    rows: &mut MergedRows,
    (streams, covered): (&mut KnownStreams, &mut Vec<Covered>),
    mut gathered: Gathered,
) -> Result<Gathered, CallError> {
    let by_stream = covered_by_stream(covered);
    let mut spans: HashMap<u32, Covered> = HashMap::new();
    while let Some(batch) = rows.next_batch().await? {
        let mut facts = Vec::with_capacity(batch.len());
        for (number, row) in batch.iter().enumerate() {
            let stream = streams.of(&row.stream).place;
            let time = row.timestamp.nanos();
            let known = spans.entry(stream);
            let span = known.or_insert(Covered { stream, source: INGESTERS, first: time, last: time });
            (span.first, span.last) = (span.first.min(time), span.last.max(time));
            let holds = |(first, last): &(i64, i64)| *first <= time && time <= *last;
            let is_contested = by_stream.get(&stream).is_some_and(|spans| spans.iter().any(holds));
            facts.push((stream, is_contested, is_tied(&batch, number)));
        }
        let (query, ranges, shared) = (Arc::clone(query), Arc::clone(ranges), Arc::clone(shared));
        let step = move |_: &_| {
            let inputs = InputRows::new(&batch);
            let mut loose = Vec::with_capacity(facts.len());
            for (row, (stream, is_contested, is_tied)) in inputs.iter().zip(facts) {
                loose.push(LooseRow { stream, row, is_contested, is_tied });
            }
            query.read_rows(&ranges, &loose, &mut gathered, (&shared.memory, &shared.seen))?;
            Ok(gathered)
        };
        gathered = cpu.run(step).await?.map_err(|error| failed(&error))?;
    }
    covered.extend(spans.into_values());
    Ok(gathered)
}

/// Rows of one time come in one batch, in no order.
fn is_tied(batch: &[HeldRow], number: usize) -> bool {
    let time = batch[number].timestamp;
    let is_same = |row: Option<&HeldRow>| row.is_some_and(|row| row.timestamp == time);
    is_same(batch.get(number + 1)) || is_same(number.checked_sub(1).and_then(|before| batch.get(before)))
}

fn covered_by_stream(covered: &[Covered]) -> HashMap<u32, Vec<(i64, i64)>> {
    let mut by_stream: HashMap<u32, Vec<(i64, i64)>> = HashMap::new();
    let mut sorted: Vec<&Covered> = covered.iter().collect();
    sorted.sort_unstable_by_key(|one| (one.stream, one.first));
    for one in sorted {
        let spans = by_stream.entry(one.stream).or_default();
        match spans.last_mut() {
            Some(last) if last.1 >= one.first => last.1 = last.1.max(one.last),
            _ => spans.push((one.first, one.last)),
        }
    }
    by_stream
}
