//! How much a read would touch.

use larch_proto::Estimate;
use larch_rpc::CallError;
use larch_segment::{Decoder, OrdinalSet, Snapshot};

use super::{is_chosen, overlaps, rows_in_range, unreadable};
use crate::selection::Chosen;

/// Rows are counted; their bytes are the chunks' own, in proportion.
pub(crate) async fn read(snapshot: &Snapshot, chosen: &Chosen) -> Result<Estimate, CallError> {
    let streams = chosen.streams(snapshot);
    let mut with_rows = OrdinalSet::none(streams.count());
    let mut estimate = Estimate::default();
    let mut decoder = Decoder::new();
    for chunk in snapshot.chunks().iter().filter(|chunk| overlaps(chunk, chosen)) {
        let times = chunk.times().map_err(|error| unreadable(&error))?;
        let mut rows = 0;
        for run in chunk.streams(&mut decoder).map_err(|error| unreadable(&error))? {
            if !is_chosen(&streams, run.stream) {
                continue;
            }
            let in_range = rows_in_range(*run, times, chosen).len() as u64;
            if in_range > 0 {
                with_rows.insert(run.stream);
                rows += in_range;
            }
        }
        if rows > 0 {
            estimate.chunks += 1;
            estimate.rows += rows;
            estimate.bytes += share(chunk.info().raw_bytes, rows, chunk.rows() as u64);
        }
        tokio::task::yield_now().await;
    }
    estimate.streams = with_rows.len() as u64;
    Ok(estimate)
}

fn share(bytes: u64, rows: u64, of: u64) -> u64 {
    (u128::from(bytes) * u128::from(rows) / u128::from(of.max(1))) as u64
}
