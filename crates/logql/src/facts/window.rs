//! Long ranges in pieces: `count_over_time({…}[7d])` at one time is the sum of seven counts over a day.

use larch_types::Span;

use crate::ast::LogRange;

/// Bounds the plan of a query that asks for years in seconds.
const MAX_PIECES: i64 = 10_000;

/// The range from the newest piece to the oldest; together they cover it, each instant once. None if it is
/// not longer than a piece.
pub(super) fn windows(range: &LogRange, piece: Span) -> Option<Vec<LogRange>> {
    let (whole, piece) = (range.range.nanos(), piece.nanos());
    if piece <= 0 || whole <= piece || whole / piece >= MAX_PIECES {
        return None;
    }
    let mut windows = Vec::new();
    let mut done = 0;
    while done < whole {
        let length = piece.min(whole - done);
        let offset = range.offset.nanos().checked_add(done)?;
        windows.push(LogRange {
            range: Span::from_nanos(length),
            offset: Span::from_nanos(offset),
            ..range.clone()
        });
        done += length;
    }
    Some(windows)
}
