//! Rows that come one by one, as from a source that has no pages to give.

use larch_logql::stage::Row;
use larch_logql::{EvalError, Identity, InputRow};
use larch_types::Timestamp;

use crate::gather::{ContestedSample, Gathered, RangeGathered, Sampled};
use crate::memory::SharedMemory;
use crate::query::MetricQuery;
use crate::range::RangePlan;
use crate::seen::Seen;

/// A row and what is known of others.
#[derive(Debug, Clone, Copy)]
pub struct LooseRow<'a> {
    /// The stream's number.
    pub stream: u32,
    pub row: InputRow<'a>,
    /// A chunk may have a copy of it, or be asked to show one.
    pub is_contested: bool,
    /// Other rows may have its stream and time, so that the order of pushes matters.
    pub is_tied: bool,
}

impl MetricQuery {
    /// Takes rows in for some ranges, by their numbers. No two of them are copies of one another.
    pub fn read_rows(
        &self,
        ranges: &[usize],
        rows: &[LooseRow<'_>],
        gathered: &mut Gathered,
        (memory, seen): (&SharedMemory, &Seen),
    ) -> Result<(), EvalError> {
        for range in ranges {
            let plan = &self.ranges[*range];
            let kept = if plan.gathers.keeps_samples() {
                rows.to_vec()
            } else {
                without_copies(*range as u32, rows, memory, seen)?
            };
            let mut work = Row::new(self.now);
            for row in &kept {
                read_row(plan, row, &mut work, &mut gathered.ranges[*range]);
            }
        }
        gathered.charge(memory)
    }
}

fn without_copies<'a>(
    range: u32,
    rows: &[LooseRow<'a>],
    memory: &SharedMemory,
    seen: &Seen,
) -> Result<Vec<LooseRow<'a>>, EvalError> {
    let contested = rows.iter().filter(|row| row.is_contested);
    let entered: Vec<(Timestamp, Identity)> =
        contested.map(|row| (row.row.timestamp(), row.row.identity())).collect();
    let mut firsts = seen.enter(range, &entered, memory)?.into_iter();
    let mut kept = Vec::with_capacity(rows.len());
    for row in rows {
        if !row.is_contested || firsts.next().unwrap_or(true) {
            kept.push(*row);
        }
    }
    Ok(kept)
}

fn read_row<'r>(plan: &RangePlan, loose: &LooseRow<'r>, work: &mut Row<'r>, out: &mut RangeGathered) {
    let (row, time) = (&loose.row, loose.row.timestamp());
    let steps = plan.windows.seen(time.nanos()).steps;
    if steps.is_none() {
        return;
    }
    let Some((value, labels)) = plan.sampler.sample(row, work) else { return };
    let (series, stream) = (out.series(&labels), loose.stream);
    if !plan.gathers.keeps_samples() {
        out.add(plan.gathers, series, steps, value);
    } else if loose.is_contested || loose.is_tied {
        let (stamp, index) = (row.order.stamp, row.order.index);
        let identity = row.identity();
        out.add_contested(ContestedSample { series, stream, time, value, stamp, index, identity });
    } else {
        let sample = Sampled { time: time.nanos(), value, stream, chunk: 0 };
        out.add_sample(plan.gathers, series, steps, sample);
    }
}
