//! Log queries: range by range in the order of the answer, until there are enough rows.

use larch_logql::{Expr, reads_clock};
use larch_proto::{Direction, PieceTenant, Question};
use larch_types::Span;

use super::{Cuts, Found, Read};
use crate::check::kind_of;
use crate::cut::{Extent, growing};
use crate::error::ReadError;
use crate::join::merged_rows;
use crate::plan::{Range, piece, shards};
use crate::run::{Gathered, Sharing, Thinning};
use crate::watch::Kind;

/// The rows of a log query: which, and how many.
pub(in crate::http) struct LogWork<'q> {
    pub(in crate::http) tenants: Vec<PieceTenant>,
    /// For the tenants' storage, as are the two texts of it.
    pub(in crate::http) expr: &'q Expr,
    pub(in crate::http) query: String,
    pub(in crate::http) range: Range,
    pub(in crate::http) direction: Direction,
    pub(in crate::http) limit: u32,
    /// Rows that are nearer to each other are left out; zero leaves none out.
    pub(in crate::http) interval: Span,
}

impl Read<'_> {
    /// In the order of the answer, and never more than are wanted.
    pub(in crate::http) async fn logs(&self, work: LogWork<'_>) -> Result<Found, ReadError> {
        self.check_enabled()?;
        if work.tenants.is_empty() || work.range.0 >= work.range.1 {
            return Ok(self.found(Vec::new(), Cuts::default()));
        }
        let (ranges, extent) = self.log_ranges(&work).await?;
        let origin = self.origin(work.tenants.clone(), 0);
        let mut thinning = (!work.interval.is_zero()).then(|| Thinning::new(work.interval, work.limit));
        let mut wanted = work.limit;
        let (mut all, mut cuts) = (Vec::new(), Cuts::default());
        for (number, range) in ranges.iter().enumerate() {
            // How many rows are left out in between is not known before they are seen.
            let limit = if thinning.is_some() { u64::from(u32::MAX) } else { u64::from(wanted) };
            let (query, direction) = (work.query.clone(), work.direction);
            let question = Question::Logs { query, direction, limit };
            let count = shards_of(&extent, &work, *range);
            let parts = if thinning.is_some() { vec![None] } else { shards(count) };
            let of_shard = |shard| piece(&origin, question.clone(), *range, shard);
            let pieces = parts.iter().map(|shard| of_shard(*shard)).collect();
            let sharing = match thinning.take() {
                Some(thinning) => Sharing::Thinned(thinning),
                None => self.log_sharing(&work),
            };
            let mut gathered = self.ask(pieces, sharing).await?;
            cuts.splits = number + 1;
            cuts.shards += if parts.len() > 1 { parts.len() } else { 0 };
            thinning = gathered.iter_mut().find_map(|piece| piece.thinning.take());
            if parts.len() > 1 {
                let has_several_tenants = work.tenants.len() > 1;
                merged_rows(&mut gathered, direction, wanted, has_several_tenants)?;
            }
            wanted = wanted.saturating_sub(rows_of(&gathered));
            all.extend(gathered);
            if wanted == 0 || thinning.as_ref().is_some_and(Thinning::has_enough) {
                break;
            }
        }
        Ok(self.found(all, cuts))
    }

    /// The ranges, in their order. Without a filter the first rows are the rows that are wanted, so that it is
    /// not asked how many there are.
    async fn log_ranges(&self, work: &LogWork<'_>) -> Result<(Vec<Range>, Option<Extent>), ReadError> {
        let interval = self.limits.split_interval;
        if kind_of(work.expr) != Kind::Filter {
            return Ok((growing(work.range, interval, work.direction, None), None));
        }
        let extent = self.extent(&work.tenants, work.expr, work.range, true).await?;
        let between_cuts = extent.bytes_between_cuts();
        if extent.bytes <= self.limits.shard_bytes {
            self.check_pieces(&extent, 1, 1)?;
            return Ok((vec![work.range], Some(extent)));
        }
        let pieces = extent.bytes.div_ceil(between_cuts);
        let whole = work.range.1.since(work.range.0).nanos();
        let most = Span::from_nanos(whole / i64::try_from(pieces).unwrap_or(i64::MAX).max(1));
        let ranges = growing(work.range, interval, work.direction, Some(most));
        self.check_pieces(&extent, ranges.len(), extent.shards(ranges.len()))?;
        Ok((ranges, Some(extent)))
    }

    fn log_sharing(&self, work: &LogWork<'_>) -> Sharing {
        if reads_clock(work.expr) {
            return Sharing::Alone;
        }
        let results = self.frontend.caches.results.as_ref();
        Sharing::WithOthers(self.keeping(results, self.limits.freshness))
    }
}

/// By the share of the bytes that falls into the range, if they are spread evenly.
fn shards_of(extent: &Option<Extent>, work: &LogWork<'_>, range: Range) -> u32 {
    let Some(extent) = extent else { return 1 };
    let nanos = |(start, end): Range| u128::from(end.since(start).nanos().unsigned_abs());
    let bytes = u128::from(extent.bytes) * nanos(range) / nanos(work.range).max(1);
    Extent { bytes: u64::try_from(bytes).unwrap_or(u64::MAX), ..*extent }.shards(1)
}

fn rows_of(gathered: &[Gathered]) -> u32 {
    let batches = gathered.iter().flat_map(|piece| &piece.entries);
    let rows: usize = batches.map(|batch| batch.entries.len()).sum();
    u32::try_from(rows).unwrap_or(u32::MAX)
}
