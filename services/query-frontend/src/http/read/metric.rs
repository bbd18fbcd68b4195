//! Metric queries: cut by time and by streams, all pieces side by side, and put together again.

use larch_logql::{
    Division, EvalLimits, Expr, MetricAnswer, MetricEvaluation, MetricExpr, Steps, divide, reach, reads_clock,
};
use larch_proto::{Piece, PieceTenant, Question};
use larch_types::{ByteSize, Span};

use super::{Cuts, Found, Read};
use crate::cut::{Extent, instants};
use crate::error::ReadError;
use crate::join::{self, Portion};
use crate::plan::{Origin, Range, piece, rows_of, shards};
use crate::run::Sharing;
use crate::selectors::sorts;

/// The samples of a metric query, and when.
pub(in crate::http) struct MetricWork {
    pub(in crate::http) tenants: Vec<PieceTenant>,
    /// For the tenants' storage, as is the text of it.
    pub(in crate::http) expr: MetricExpr,
    pub(in crate::http) query: String,
    pub(in crate::http) steps: Steps,
    /// Zero for one instant.
    pub(in crate::http) step: Span,
    /// 0: no limit.
    pub(in crate::http) max_series: u32,
}

/// As much as a worker may take by default.
const JOIN_MEMORY: ByteSize = ByteSize::mib(512);

/// Where every multiple of an interval is a cut, there are to be no more of them.
const MOST_PIECES: i64 = 1000;

/// How a query is cut.
#[derive(Debug, Clone)]
struct Layout {
    /// The first and last instant of each piece of time.
    times: Vec<Range>,
    shards: u32,
    /// How long pieces of ranges are, if those are cut.
    window: Option<Span>,
}

impl Read<'_> {
    pub(in crate::http) async fn metric(&self, work: MetricWork) -> Result<(MetricAnswer, Found), ReadError> {
        self.check_enabled()?;
        let empty = || match work.steps.is_instant() {
            true => MetricAnswer::Vector(Vec::new()),
            false => MetricAnswer::Matrix(Vec::new()),
        };
        let Some(rows) = rows_of(&work.expr, work.steps.start(), work.steps.end()) else {
            return Ok((self.constant(&work)?, Found::default()));
        };
        if work.tenants.is_empty() || rows.0 >= rows.1 {
            return Ok((empty(), self.found(Vec::new(), Cuts::default())));
        }
        let expr = Expr::Metric(work.expr.clone());
        let extent = self.extent(&work.tenants, &expr, rows, divide(&work.expr, None).is_some()).await?;
        let layout = self.lay_out(&work, &extent);
        let (portions, pieces) = {
            let division = division(&work.expr, &layout);
            self.check_pieces(&extent, cuts_in_time(&layout, division.as_ref()), layout.shards)?;
            self.pieces(&work, &layout, division.as_ref())
        };
        let cuts =
            Cuts { splits: layout.times.len(), shards: if layout.shards > 1 { pieces.len() } else { 0 } };
        let caches = &self.frontend.caches;
        let cache = if work.steps.is_instant() { &caches.instant } else { &caches.results };
        let sharing = match reads_clock(&expr) {
            true => Sharing::Alone,
            false => Sharing::WithOthers(self.keeping(cache.as_ref(), self.limits.freshness)),
        };
        let gathered = self.ask(pieces, sharing).await?;
        let mut found = self.found(gathered, cuts);
        let answer = self.put_together(work, &layout, portions, &mut found).await?;
        Ok((answer, found))
    }

    fn lay_out(&self, work: &MetricWork, extent: &Extent) -> Layout {
        let (first, last) = (work.steps.start(), work.steps.end());
        let longest = reach(&work.expr).map_or(Span::ZERO, |reach| reach.longest_range);
        if work.steps.is_instant() {
            let interval = self.limits.instant_interval;
            let window = extent.piece_length(longest, interval);
            let window = (window > Span::ZERO).then_some(window);
            let cut = window.and_then(|window| divide(&work.expr, Some(window)));
            let parts = cut.map_or(1, |cut| cut.legs.iter().map(|leg| leg.parts.len()).max().unwrap_or(1));
            return Layout { times: vec![(first, last)], shards: extent.shards(parts), window };
        }
        let interval = self.limits.split_interval;
        let keeps = self.frontend.caches.results.is_some() && !self.asked.no_cache;
        // What is cut at every multiple is found again by a query for another range.
        let length = if keeps { interval } else { extent.piece_length(last.since(first), interval) };
        // Pieces that are shorter than the range would read every row many times.
        let shortest = longest.max(Span::from_nanos(last.since(first).nanos() / MOST_PIECES));
        let length = if length.is_zero() { length } else { multiple(interval, length.max(shortest)) };
        let times = instants(first, last, work.step, length);
        Layout { shards: extent.shards(times.len()), times, window: None }
    }

    /// What each piece is for, and the pieces, in the same order.
    fn pieces(
        &self,
        work: &MetricWork,
        layout: &Layout,
        division: Option<&Division<'_>>,
    ) -> (Vec<Portion>, Vec<Piece>) {
        // A series of the one leg is one of the answer; what stands above several legs may leave fewer.
        let is_one_leg = division.is_none_or(Division::is_one_leg);
        let origin = self.origin(work.tenants.clone(), if is_one_leg { work.max_series } else { 0 });
        let mut out = (Vec::new(), Vec::new());
        for times in &layout.times {
            let Some(division) = division else {
                add_pieces(&mut out, &origin, work, (0, &work.expr, &work.query), *times, 1);
                continue;
            };
            for (leg_number, leg) in division.legs.iter().enumerate() {
                let shards = if leg.merge.is_some() { layout.shards } else { 1 };
                for part in &leg.parts {
                    let query = part.to_string();
                    add_pieces(&mut out, &origin, work, (leg_number, part, &query), *times, shards);
                }
            }
        }
        out
    }

    async fn put_together(
        &self,
        work: MetricWork,
        layout: &Layout,
        portions: Vec<Portion>,
        found: &mut Found,
    ) -> Result<MetricAnswer, ReadError> {
        let mut gathered = std::mem::take(&mut found.gathered);
        let step = work.step;
        if division(&work.expr, layout).is_none() {
            return Ok(if work.steps.is_instant() {
                MetricAnswer::Vector(join::vector(&mut gathered, sorts(&work.expr)))
            } else {
                MetricAnswer::Matrix(join::matrix(&mut gathered, &portions, step))
            });
        }
        let (now, layout) = (self.asked.now, layout.clone());
        // Thousands of steps over hundreds of series would hold up others.
        let joined = tokio::task::spawn_blocking(move || {
            // It is the same one again: the expression alone says what can be divided.
            let Some(division) = division(&work.expr, &layout) else { return Ok(None) };
            let limits = EvalLimits { max_series: usize::MAX, max_range: None, max_memory: JOIN_MEMORY };
            let whole = MetricEvaluation::of_division(&division, work.steps, now, &limits)?;
            join::legs(whole, &mut gathered, &portions, step).map(Some)
        });
        let joined = joined.await.map_err(|error| ReadError::Malformed(error.to_string()))??;
        joined.ok_or_else(|| ReadError::Malformed("a query was divided in two ways".to_owned()))
    }

    /// A query without a selector reads nothing.
    fn constant(&self, work: &MetricWork) -> Result<MetricAnswer, ReadError> {
        let limits = EvalLimits { max_series: usize::MAX, max_range: None, max_memory: CONSTANT_MEMORY };
        Ok(MetricEvaluation::new(&work.expr, work.steps, self.asked.now, &limits)?.finish()?)
    }
}

/// A constant has 11,000 points at most, far less than this.
const CONSTANT_MEMORY: ByteSize = ByteSize::mib(16);

/// None: every piece evaluates the query as it is.
fn division<'q>(expr: &'q MetricExpr, layout: &Layout) -> Option<Division<'q>> {
    let is_cut = layout.shards > 1 || layout.window.is_some();
    if is_cut { divide(expr, layout.window) } else { None }
}

fn cuts_in_time(layout: &Layout, division: Option<&Division<'_>>) -> usize {
    let parts = division.and_then(|division| division.legs.iter().map(|leg| leg.parts.len()).max());
    layout.times.len() * parts.unwrap_or(1)
}

/// The shards of one expression over some instants. One that can need no row needs no piece.
fn add_pieces(
    (portions, pieces): &mut (Vec<Portion>, Vec<Piece>),
    origin: &Origin,
    work: &MetricWork,
    (leg, expr, query): (usize, &MetricExpr, &str),
    (first, last): Range,
    count: u32,
) {
    let Some(rows) = rows_of(expr, first, last).filter(|rows| rows.0 < rows.1) else { return };
    for shard in shards(count) {
        let question = Question::Metric { query: query.to_owned(), start: first, end: last, step: work.step };
        portions.push(Portion { leg, start: first });
        pieces.push(piece(origin, question, rows, shard));
    }
}

/// The smallest multiple of the interval that is not shorter.
fn multiple(interval: Span, length: Span) -> Span {
    let nanos = interval.nanos().max(1);
    let cells = length.nanos() / nanos + i64::from(length.nanos() % nanos > 0);
    Span::from_nanos(nanos.saturating_mul(cells))
}
