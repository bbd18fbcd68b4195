//! How much a read would touch.

use larch_proto::Estimate;
use larch_rpc::CallError;
use larch_segment::{Columns, Decoder, OrdinalSet};

use super::{Asked, rows_in_range};
use crate::selection::Chosen;
use crate::source::Source;

/// Rows are counted; their bytes are the chunks' own, in proportion.
pub(crate) async fn read(sources: Vec<Source>, chosen: &Chosen) -> Result<Estimate, CallError> {
    let mut ids = Vec::new();
    let mut estimate = Estimate::default();
    let mut decoder = Decoder::new();
    for source in sources {
        let asked = Asked::new(source, chosen)?;
        let mut met = OrdinalSet::none(asked.streams.count());
        for (number, info) in asked.chunks(chosen) {
            let chunk = asked.source.chunk(number, Columns::default()).await?;
            let is_whole = chosen.has_time(info.first_time) && chosen.has_time(info.last_time);
            let times = if is_whole {
                &[]
            } else {
                chunk.times().map_err(|error| asked.source.unreadable(&error))?
            };
            let mut rows = 0;
            for run in chunk.streams(&mut decoder).map_err(|error| asked.source.unreadable(&error))? {
                let in_range = match asked.has(run.stream) {
                    true if is_whole => run.range().len(),
                    true => rows_in_range(*run, times, chosen).len(),
                    false => 0,
                };
                if in_range > 0 {
                    met.insert(run.stream);
                    rows += in_range as u64;
                }
            }
            if rows > 0 {
                estimate.chunks += 1;
                estimate.rows += rows;
                estimate.bytes += share(info.raw_bytes, rows, info.rows as u64);
            }
        }
        for stream in met.iter() {
            ids.push(asked.source.stream_id(stream)?);
        }
    }
    ids.sort_unstable();
    ids.dedup();
    estimate.streams = ids.len() as u64;
    Ok(estimate)
}

fn share(bytes: u64, rows: u64, of: u64) -> u64 {
    (u128::from(bytes) * u128::from(rows) / u128::from(of.max(1))) as u64
}
