//! Counts instead of rows, where a question only counts: ingesters and footers say how many rows there are by
//! stream and minute, and how long their lines are.
//!
//! Rows are read where a border of the question lies inside a minute, and where it is not proved that a count
//! has every row once. Where that is much, nothing is answered here: reading all rows is less work then.

mod ask;
mod borders;
mod left;
mod table;

use std::sync::Arc;

use larch_proto::{CountedLabels, Selector};
use larch_rpc::CallError;
use larch_types::{StreamId, TenantId, Timestamp};

use crate::rows::{AnswerHead, Asker, MergedRows, Opened};

pub(crate) use borders::Borders;
pub(crate) use left::Left;

/// Rows that a question counts.
pub(crate) struct Wanted {
    pub(crate) any_of: Vec<Selector>,
    /// Rows on different sides of one must be told apart.
    pub(crate) borders: Borders,
    /// By which else they are told apart.
    pub(crate) labels: CountedLabels,
}

/// What was counted, and the rows that are not in it.
pub(crate) struct Counted {
    pub(crate) counts: Counts,
    pub(crate) rows: MergedRows,
    /// Which of the rows count.
    pub(crate) left: Arc<Left>,
    pub(crate) heads: Vec<AnswerHead>,
}

/// Rows by stream, level and time.
#[derive(Debug, Default)]
pub(crate) struct Counts {
    streams: Vec<CountedStream>,
    /// By stream, level and time.
    cells: Vec<StreamCell>,
}

/// One stream that has counts.
#[derive(Debug)]
pub(crate) struct CountedStream {
    pub(crate) tenant: TenantId,
    /// Canonical, as stored.
    pub(crate) text: Box<str>,
    /// Of its labels as they are shown.
    pub(crate) id: StreamId,
}

/// Rows of one stream that no border divides.
#[derive(Debug)]
pub(crate) struct StreamCell {
    /// Place of the stream.
    stream: u32,
    /// None too if levels do not matter.
    pub(crate) level: Option<Arc<str>>,
    pub(crate) cell: Cell,
}

/// Rows that no border divides.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Cell {
    /// A time among theirs, as far as borders go.
    pub(crate) time: Timestamp,
    pub(crate) rows: u64,
    pub(crate) line_bytes: u64,
}

impl Counts {
    /// How many streams have counts.
    pub(crate) fn streams(&self) -> usize {
        self.by_stream().count()
    }

    /// Each stream that has counts, with all of them.
    pub(crate) fn by_stream(&self) -> impl Iterator<Item = (&CountedStream, &[StreamCell])> {
        let by_stream = self.cells.chunk_by(|one, other| one.stream == other.stream);
        by_stream.map(|cells| (&self.streams[cells[0].stream as usize], cells))
    }
}

/// Where more than one row in so many would have to be read, all of them are.
const MOST_ROWS_READ: u64 = 4;

/// Why rows are the better way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Uncounted {
    #[error("the query needs more of rows than their streams, levels and lengths")]
    Query,
    #[error("borders of its windows lie inside of minutes in too many places")]
    Borders,
    #[error("there are segments without counts of what is asked")]
    NoCounts,
    #[error(
        "of {counted} rows {left} would have to be read all the same: it is not proved that they are there once"
    )]
    Gaps { counted: u64, left: u64 },
}

/// Or why rows are the better way.
pub(crate) async fn count(asker: &Asker, wanted: &Wanted) -> Result<Result<Counted, Uncounted>, CallError> {
    let Some(cells) = wanted.borders.cells() else { return Ok(Err(Uncounted::Borders)) };
    let Some((mut table, mut heads)) = ask::ask(asker, wanted, &cells).await? else {
        return Ok(Err(Uncounted::NoCounts));
    };
    table.settle();
    let (counted, left) = (table.counted_rows(), table.gap_rows());
    if left > counted / MOST_ROWS_READ {
        return Ok(Err(Uncounted::Gaps { counted, left }));
    }
    let (counts, gaps) = table.finish();
    let (left, reads) = left::left(&wanted.any_of, cells.broken, gaps);
    let Opened { rows, heads: of_rows } = asker.open(&reads).await?;
    heads.extend(of_rows);
    Ok(Ok(Counted { counts, rows, left: Arc::new(left), heads }))
}
