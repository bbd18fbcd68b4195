//! Patterns of lines, as ingesters have mined them.

use std::collections::{BTreeMap, HashMap};

use futures_util::TryStreamExt;
use larch_proto::{
    Pattern, PatternBatch, PatternSeries, PatternsRequest, QueryStatistics, ResultPart, Selector,
};
use larch_rpc::CallError;
use larch_types::{Span, StreamId, Timestamp};

use super::Task;
use super::output::{Output, PART_ITEMS};
use crate::rows::{Budget, ask_heads};

/// What a sample, and a pattern beside its text, costs.
const SAMPLE_BYTES: usize = 64;
const PATTERN_BYTES: usize = 256;

pub(super) async fn answer(
    task: &Task,
    any_of: &[Selector],
    step: Span,
    output: &Output,
) -> Result<QueryStatistics, CallError> {
    let asker = &task.asker;
    let mut sums: BTreeMap<(String, String), BTreeMap<Timestamp, u64>> = BTreeMap::new();
    let mut budget = asker.budget();
    let mut statistics = QueryStatistics::default();
    for tenant in &asker.tenants {
        let Some(selection) = asker.selection(tenant, any_of, task.range) else { continue };
        let request = PatternsRequest { selection, step };
        let answers = ask_heads(&asker.deps, |ingester| {
            let (context, request) = (asker.context(&tenant.tenant), request.clone());
            async move { ingester.patterns(context, request).await }
        })
        .await?;
        statistics.ingesters_asked = statistics.ingesters_asked.max(answers.len() as u64);
        let mut of_tenant = Mined::default();
        for answer in answers {
            let mut body = answer.answer.body;
            while let Some(batch) = body.try_next().await? {
                statistics.ingester_batches += 1;
                of_tenant.add(batch, &mut budget)?;
            }
        }
        of_tenant.add_to(&mut sums);
    }
    send(sums, output).await?;
    Ok(statistics)
}

/// The patterns of one tenant: rows by text, level, stream and step. Replicas that mined the same rows agree;
/// where they do not, the one that saw the most rows is believed, because rows cannot be counted again.
#[derive(Default)]
struct Mined(BTreeMap<(String, String), HashMap<(StreamId, Timestamp), u64>>);

impl Mined {
    fn add(&mut self, batch: PatternBatch, budget: &mut Budget) -> Result<(), CallError> {
        let streams: Vec<StreamId> = batch.streams.iter().map(|text| StreamId::of_canonical(text)).collect();
        for pattern in batch.patterns {
            let Pattern { stream, level, text, samples } = pattern;
            // Places were checked where the batch came in.
            let Some(stream) = streams.get(stream as usize) else { continue };
            let level = level.and_then(|place| batch.levels.get(place as usize)).cloned().unwrap_or_default();
            let bytes = PATTERN_BYTES + text.len() + level.len();
            let known = self.0.entry((text, level)).or_default();
            if known.is_empty() {
                budget.take(bytes)?;
            }
            for sample in samples {
                let rows = known.entry((*stream, sample.start)).or_insert_with(|| 0);
                if *rows == 0 {
                    budget.take(SAMPLE_BYTES)?;
                }
                *rows = sample.rows.max(*rows);
            }
        }
        Ok(())
    }

    fn add_to(self, sums: &mut BTreeMap<(String, String), BTreeMap<Timestamp, u64>>) {
        for (pattern, samples) in self.0 {
            let sums = sums.entry(pattern).or_default();
            for ((_, start), rows) in samples {
                *sums.entry(start).or_default() += rows;
            }
        }
    }
}

async fn send(
    sums: BTreeMap<(String, String), BTreeMap<Timestamp, u64>>,
    output: &Output,
) -> Result<(), CallError> {
    let (mut part, mut items) = (Vec::new(), 0);
    for ((text, level), counts) in sums {
        items += 1 + counts.len();
        part.push(PatternSeries { text, level, counts: counts.into_iter().collect() });
        if items >= PART_ITEMS {
            output.send(ResultPart::Patterns(std::mem::take(&mut part))).await?;
            items = 0;
        }
    }
    if !part.is_empty() {
        output.send(ResultPart::Patterns(part)).await?;
    }
    Ok(())
}
