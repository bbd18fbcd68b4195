//! The rows of ingesters, batch by batch into the engine, as long as they can be shown.

use std::collections::HashMap;
use std::sync::Arc;

use larch_engine::{Covered, LogEntries, LogQuery, SharedMemory};
use larch_logql::EvalError;
use larch_rpc::CallError;
use larch_runtime::Clock;
use larch_types::{StreamId, Timestamp};

use crate::answer::{Evaluation, feed};
use crate::cpu::Cpu;
use crate::rows::{InputRows, MergedRows, Streams};
use crate::scan::plan::{INGESTERS, KnownStreams};

pub(super) struct LooseEntries {
    query: Arc<LogQuery>,
    memory: Arc<SharedMemory>,
    entries: LogEntries,
    /// By stream, the first and the last time of its rows.
    spans: HashMap<StreamId, (i64, i64)>,
}

/// Takes rows in until no other could be shown.
pub(super) async fn take_all(
    cpu: &Cpu,
    clock: &dyn Clock,
    rows: &mut MergedRows,
    loose: LooseEntries,
) -> Result<LooseEntries, CallError> {
    Ok(feed(cpu, clock, rows, loose).await?.0)
}

impl LooseEntries {
    pub(super) fn new(query: &Arc<LogQuery>, memory: &Arc<SharedMemory>, entries: LogEntries) -> Self {
        Self { query: Arc::clone(query), memory: Arc::clone(memory), entries, spans: HashMap::new() }
    }

    /// Where a chunk may have copies of the rows.
    pub(super) fn covered(&self, met: &Streams, known: &mut KnownStreams) -> Vec<Covered> {
        let mut covered = Vec::with_capacity(self.spans.len());
        for (id, (first, last)) in &self.spans {
            if let Some(stream) = met.find(*id) {
                let stream = known.of(stream).place;
                covered.push(Covered { stream, source: INGESTERS, first: *first, last: *last });
            }
        }
        covered
    }

    pub(super) fn into_entries(self) -> LogEntries {
        self.entries
    }
}

impl Evaluation for LooseEntries {
    fn take(&mut self, rows: &InputRows<'_>) -> Result<(), EvalError> {
        for row in rows.iter() {
            let time = row.timestamp().nanos();
            let (first, last) = self.spans.entry(row.stream).or_insert((time, time));
            (*first, *last) = ((*first).min(time), (*last).max(time));
        }
        self.query.read_rows(rows.iter(), &mut self.entries, &self.memory)
    }

    fn wants_behind(&self, time: Timestamp) -> bool {
        self.entries.wants_behind(time)
    }
}
