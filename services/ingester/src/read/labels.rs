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
        let with_rows = streams_with_rows(&asked, chosen).await?;
        match query {
            LabelsQuery::Names => texts.extend(asked.source.names_of(&with_rows)?),
            LabelsQuery::Values(name) => texts.extend(asked.source.values_of(name, &with_rows)?),
            LabelsQuery::Series => {
                let mut of_streams = asked.source.texts();
                for stream in with_rows.iter() {
                    texts.insert(of_streams.of(stream)?);
                }
            }
        }
    }
    Ok(iter(in_parts(texts)).map(Ok).boxed())
}

async fn streams_with_rows(asked: &Asked, chosen: &Chosen) -> Result<OrdinalSet, CallError> {
    let mut decoder = Decoder::new();
    let unreadable = |error| asked.source.unreadable(&error);
    let (mut with_rows, undecided) = asked.presence(chosen)?;
    for (number, info) in asked.chunks(chosen) {
        if undecided.as_ref().is_some_and(|chunks| !chunks.contains_key(&(number as u32))) {
            continue;
        }
        let chunk = asked.source.chunk(number, Columns::default()).await?;
        let is_whole = chosen.has_time(info.first_time) && chosen.has_time(info.last_time);
        let times = if is_whole { &[] } else { chunk.times().map_err(unreadable)? };
        for run in chunk.streams(&mut decoder).map_err(unreadable)? {
            let is_open = asked.has(run.stream) && !with_rows.contains(run.stream);
            if is_open && (is_whole || !rows_in_range(*run, times, chosen).is_empty()) {
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
