//! Labels of streams that hold rows in the range.

use std::collections::BTreeSet;

use futures_util::stream::{StreamExt, iter};
use larch_proto::{LabelsQuery, TextBatch};
use larch_rpc::{CallError, CallStream};
use larch_segment::{Decoder, OrdinalSet, Snapshot};

use super::{PART_BYTES, is_chosen, overlaps, rows_in_range, unreadable};
use crate::selection::Chosen;

/// The texts, sorted, each once.
pub(crate) async fn read(
    snapshot: &Snapshot,
    chosen: &Chosen,
    query: &LabelsQuery,
) -> Result<CallStream<TextBatch>, CallError> {
    let streams = streams_with_rows(snapshot, chosen).await?;
    let mut texts = BTreeSet::new();
    for stream in streams.iter() {
        let labels = snapshot.labels(stream);
        match query {
            LabelsQuery::Names => texts.extend(labels.iter().map(|label| label.name.to_string())),
            LabelsQuery::Values(name) => texts.extend(labels.get(name).map(str::to_owned)),
            LabelsQuery::Series => {
                texts.insert(labels.canonical());
            }
        }
    }
    Ok(iter(in_parts(texts)).map(Ok).boxed())
}

/// Lets other tasks run between two chunks.
async fn streams_with_rows(snapshot: &Snapshot, chosen: &Chosen) -> Result<OrdinalSet, CallError> {
    let streams = chosen.streams(snapshot);
    let mut with_rows = OrdinalSet::none(streams.count());
    let mut decoder = Decoder::new();
    for chunk in snapshot.chunks().iter().filter(|chunk| overlaps(chunk, chosen)) {
        let times = chunk.times().map_err(|error| unreadable(&error))?;
        for run in chunk.streams(&mut decoder).map_err(|error| unreadable(&error))? {
            let is_open = is_chosen(&streams, run.stream) && !with_rows.contains(run.stream);
            if is_open && !rows_in_range(*run, times, chosen).is_empty() {
                with_rows.insert(run.stream);
            }
        }
        tokio::task::yield_now().await;
    }
    Ok(with_rows)
}

fn in_parts(texts: BTreeSet<String>) -> Vec<TextBatch> {
    let (mut parts, mut part, mut bytes) = (Vec::new(), TextBatch::default(), 0);
    for text in texts {
        bytes += text.len();
        part.texts.push(text);
        if bytes >= PART_BYTES {
            parts.push(std::mem::take(&mut part));
            bytes = 0;
        }
    }
    if !part.texts.is_empty() {
        parts.push(part);
    }
    parts
}
