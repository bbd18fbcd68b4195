//! Rows of an arena that no longer change: a chunk.

use std::collections::BTreeMap;
use std::sync::Arc;

use larch_types::Timestamp;

use crate::memory::batch::{Batch, RowView};
use crate::memory::spares::Spares;
use crate::page::stamps::RowStamp;
use crate::reader::chunk::{Chunk, ChunkInfo};

/// A batch sorted by stream, time and stamp, and where each row went that came in another order.
pub(crate) struct Sealed {
    batch: Arc<Batch>,
    chunk: Arc<Chunk>,
    /// The place of each row in the order of arrival; a chunk's rows fit 16 bits.
    places: Box<[u16]>,
    /// Rows by place that have another stamp than the batch says.
    restamped: BTreeMap<u16, RowStamp>,
}

impl Sealed {
    pub(crate) fn new(arrived: &Batch, spares: &Spares) -> Self {
        let order = sorted_order(arrived);
        let mut places = vec![0_u16; order.len()].into_boxed_slice();
        for (place, row) in order.iter().enumerate() {
            places[*row as usize] = place as u16;
        }
        let batch = Arc::new(arrived.permuted(&order, spares));
        let chunk = Arc::new(chunk_of(&batch));
        Self { batch, chunk, places, restamped: BTreeMap::new() }
    }

    pub(crate) const fn batch(&self) -> &Arc<Batch> {
        &self.batch
    }

    pub(crate) const fn chunk(&self) -> &Arc<Chunk> {
        &self.chunk
    }

    /// The n-th row that arrived.
    pub(crate) fn arrived(&self, row: usize) -> RowView<'_> {
        let place = self.places[row];
        let mut view = self.batch.row(usize::from(place));
        view.stamp = self.restamped.get(&place).copied().or(view.stamp);
        view
    }

    /// The n-th row that arrived has another stamp: an older push of it came after a newer one.
    pub(crate) fn set_stamp(&mut self, row: usize, stamp: RowStamp) {
        self.restamped.insert(self.places[row], stamp);
    }

    /// Brings rows that have other stamps into their order: all of them at once, as they come in numbers.
    pub(crate) fn settled(&mut self, spares: &Spares) -> &Self {
        if !self.restamped.is_empty() {
            let mut batch = Batch::clone(&self.batch);
            for (place, stamp) in &self.restamped {
                batch.set_stamp(usize::from(*place), *stamp);
            }
            let mut again = Self::new(&batch, spares);
            for place in &mut self.places {
                *place = again.places[usize::from(*place)];
            }
            again.places = std::mem::take(&mut self.places);
            *self = again;
        }
        self
    }

    pub(crate) fn memory_bytes(&self) -> usize {
        self.batch.memory_bytes() + self.places.len() * size_of::<u16>()
    }
}

fn sorted_order(batch: &Batch) -> Vec<u32> {
    let mut order: Vec<u32> = (0..batch.len() as u32).collect();
    let times = batch.times();
    order.sort_by(|a, b| {
        let (a, b) = (*a as usize, *b as usize);
        let place = |row: usize| (batch.stream(row), times[row]);
        place(a).cmp(&place(b)).then_with(|| batch.stamp(a).cmp(&batch.stamp(b)))
    });
    order
}

/// A batch that has rows, as a reader sees it.
pub(crate) fn chunk_of(batch: &Arc<Batch>) -> Chunk {
    let (mut first, mut last) = (i64::MAX, i64::MIN);
    for time in batch.times() {
        first = first.min(*time);
        last = last.max(*time);
    }
    let rows = batch.len();
    let info = ChunkInfo {
        rows,
        raw_bytes: batch.raw_bytes() as u64,
        first_time: Timestamp::from_nanos(first),
        last_time: Timestamp::from_nanos(last),
        first_stream: batch.stream(0),
        last_stream: batch.stream(rows - 1),
    };
    Chunk::in_memory(Arc::clone(batch), info)
}
