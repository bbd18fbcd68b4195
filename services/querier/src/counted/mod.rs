//! Counts instead of rows, where a question only counts: ingesters and footers say how many rows there are by
//! stream and minute, and how long their lines are.
//!
//! Rows are read where a border of the question lies inside a minute, and where it is not proved that a count
//! has every row once. Where that is much, nothing is answered here: reading all rows is less work then.

mod ask;
mod borders;
mod left;
mod table;

use std::collections::BTreeMap;
use std::sync::Arc;

use larch_proto::{CountedLabels, Selector};
use larch_rpc::CallError;
use larch_types::Timestamp;

use crate::rows::{AnswerHead, Asker, MergedRows, Opened, Stream};

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
    pub(crate) streams: Vec<CountedStream>,
    pub(crate) rows: MergedRows,
    /// Which of the rows count.
    pub(crate) left: Arc<Left>,
    pub(crate) heads: Vec<AnswerHead>,
}

/// Rows of one stream.
pub(crate) struct CountedStream {
    pub(crate) stream: Arc<Stream>,
    /// By level; under none if levels do not matter.
    pub(crate) by_level: BTreeMap<Option<Arc<str>>, Vec<Cell>>,
}

/// Rows that no border divides.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Cell {
    /// A time among theirs, as far as borders go.
    pub(crate) time: Timestamp,
    pub(crate) rows: u64,
    pub(crate) line_bytes: u64,
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
    let (streams, gaps) = table.finish();
    let (left, reads) = left::left(&wanted.any_of, cells.broken, gaps);
    let Opened { rows, heads: of_rows } = asker.open(&reads).await?;
    heads.extend(of_rows);
    Ok(Ok(Counted { streams, rows, left: Arc::new(left), heads }))
}
