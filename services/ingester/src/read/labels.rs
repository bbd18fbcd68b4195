//! Labels of streams that hold rows in the range.

use std::collections::BTreeSet;

use futures_util::stream::{StreamExt, iter};
use larch_proto::{LabelsQuery, TextBatch};
use larch_rpc::{CallError, CallStream};
use larch_segment::{Columns, Decoder, OrdinalSet};

use super::{Asked, PART_BYTES, rows_in_range};
use crate::selection::Chosen;
use crate::source::Source;

/// The texts, sorted, each once.
pub(crate) async fn read(
    sources: Vec<Source>,
    chosen: &Chosen,
    query: &LabelsQuery,
) -> Result<CallStream<TextBatch>, CallError> {
    let mut texts = BTreeSet::new();
    for source in sources {
        let asked = Asked::new(source, chosen)?;
        for stream in streams_with_rows(&asked, chosen).await?.iter() {
            let labels = asked.source.labels(stream)?;
            match query {
                LabelsQuery::Names => texts.extend(labels.iter().map(|label| label.name.to_string())),
                LabelsQuery::Values(name) => texts.extend(labels.get(name).map(str::to_owned)),
                LabelsQuery::Series => {
                    texts.insert(labels.canonical());
                }
            }
        }
    }
    Ok(iter(in_parts(texts)).map(Ok).boxed())
}

async fn streams_with_rows(asked: &Asked, chosen: &Chosen) -> Result<OrdinalSet, CallError> {
    let mut with_rows = OrdinalSet::none(asked.streams.count());
    let mut decoder = Decoder::new();
    for (number, _) in asked.chunks(chosen) {
        let chunk = asked.source.chunk(number, Columns::default()).await?;
        let times = chunk.times().map_err(|error| asked.source.unreadable(&error))?;
        for run in chunk.streams(&mut decoder).map_err(|error| asked.source.unreadable(&error))? {
            let is_open = asked.has(run.stream) && !with_rows.contains(run.stream);
            if is_open && !rows_in_range(*run, times, chosen).is_empty() {
                with_rows.insert(run.stream);
            }
        }
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
