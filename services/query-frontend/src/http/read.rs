//! What the endpoints have in common once they know what they ask.

mod bytes;
mod explain;
mod logs;
mod metric;

use std::sync::{Arc, Mutex, PoisonError};

use larch_api::{Bounds, Explained, ExplainedPiece, Statistics, explains};
use larch_proto::{Piece, PieceTenant, Question};
use larch_rpc::Deadline;
use larch_types::{Monotonic, Span};

use explain::{answered_piece, asked_piece};
pub(super) use logs::LogWork;
pub(super) use metric::MetricWork;

use super::asked::Asked;
use crate::check::{check_length, within_lookback};
use crate::cut::even;
use crate::error::ReadError;
use crate::frontend::Frontend;
use crate::join;
use crate::limits::{LimitError, ReadLimits};
use crate::plan::{Origin, Range, piece};
use crate::queue::Owner;
use crate::run::{AnswerCache, Gathered, Job, Keeping, Memory, Sharing};

/// One read on its way.
pub(super) struct Read<'a> {
    pub(super) frontend: &'a Frontend,
    pub(super) asked: &'a Asked,
    pub(super) limits: ReadLimits,
    begun: Monotonic,
    /// Of all that is asked for it.
    deadline: Deadline,
    owner: Owner,
    memory: Arc<Memory>,
    /// What was asked of workers and how they answered, if the request wants to know.
    explained: Option<Mutex<Vec<ExplainedPiece>>>,
}

/// What is asked of the workers, if it is no query.
pub(super) struct Work {
    pub(super) tenants: Vec<PieceTenant>,
    pub(super) question: Question,
    pub(super) range: Range,
    /// 0: no limit.
    pub(super) max_series: u32,
}

/// What they brought.
#[derive(Default)]
pub(super) struct Found {
    pub(super) gathered: Vec<Gathered>,
    pub(super) statistics: Statistics,
    pub(super) warnings: Vec<String>,
}

impl<'a> Read<'a> {
    pub(super) fn begin(frontend: &'a Frontend, asked: &'a Asked) -> Self {
        let mut limits = frontend.limits_of(&asked.tenants);
        if let Some(own) = &asked.own_limits {
            limits.tighten(own);
        }
        Self {
            deadline: Deadline::after(limits.timeout.to_std()),
            owner: Owner { name: Arc::from(asked.user.as_str()), share: limits.workers },
            frontend,
            asked,
            limits,
            begun: frontend.env.clock.monotonic(),
            memory: Arc::default(),
            explained: explains(&asked.form).then(Mutex::default),
        }
    }

    /// The part of the range that may be looked at; none if there is none, which is an empty answer.
    pub(super) fn clamp(&self, bounds: Bounds) -> Result<Option<Bounds>, LimitError> {
        let Some(bounds) = within_lookback(bounds, self.asked.now, self.limits.lookback) else {
            return Ok(None);
        };
        check_length(bounds, self.limits.length)?;
        Ok(Some(bounds))
    }

    /// Asks the workers. Where no tenant and no time is left there is nothing to ask.
    pub(super) async fn run(&self, work: Work) -> Result<Found, ReadError> {
        self.check_enabled()?;
        let Work { tenants, question, range, max_series } = work;
        if tenants.is_empty() || range.0 >= range.1 {
            return Ok(self.found(Vec::new(), Cuts::default()));
        }
        let ranges = match &question {
            Question::Labels { .. } => self.metadata_ranges(range),
            _ => vec![range],
        };
        let caches = &self.frontend.caches;
        let freshness = self.limits.stats_freshness;
        let keeping = match &question {
            Question::Stats { .. } => self.keeping(caches.stats.as_ref(), freshness),
            Question::Volume { .. } => self.keeping(caches.volume.as_ref(), freshness),
            _ => None,
        };
        let origin = self.origin(tenants, max_series);
        let of_range = |range: &Range| piece(&origin, question.clone(), *range, None);
        let pieces: Vec<Piece> = ranges.iter().map(of_range).collect();
        let gathered = self.ask(pieces, Sharing::WithOthers(keeping)).await?;
        Ok(self.found(gathered, Cuts { splits: ranges.len(), shards: 0 }))
    }

    fn check_enabled(&self) -> Result<(), LimitError> {
        if self.limits.parallelism == 0 { Err(LimitError::Disabled) } else { Ok(()) }
    }

    /// The part of a range that is within the recent window may have an interval of its own.
    fn metadata_ranges(&self, (start, end): Range) -> Vec<Range> {
        let limits = &self.limits;
        let recent = self.asked.now.minus(limits.recent_metadata_window).clamp(start, end);
        if limits.recent_metadata_window.is_zero() || recent >= end {
            return even((start, end), limits.metadata_interval);
        }
        let mut ranges = Vec::new();
        if start < recent {
            ranges.extend(even((start, recent), limits.metadata_interval));
        }
        ranges.extend(even((recent, end), limits.recent_metadata_interval));
        ranges
    }

    /// Keeps answers about rows that are old enough: newer ones ingesters hold.
    fn keeping(&self, cache: Option<&Arc<AnswerCache>>, freshness: Span) -> Option<Keeping> {
        let cache = cache.filter(|_| !self.asked.no_cache)?;
        Some(Keeping { cache: Arc::clone(cache), until: self.asked.now.minus(freshness) })
    }

    fn origin(&self, tenants: Vec<PieceTenant>, max_series: u32) -> Origin {
        Origin {
            tenants,
            request: self.asked.request.clone(),
            trace: self.asked.trace,
            query_tags: self.asked.tags.as_str().to_owned(),
            no_cache: self.asked.no_cache,
            max_bytes: self.limits.piece_bytes,
            max_series: u64::from(max_series),
        }
    }

    async fn ask(&self, pieces: Vec<Piece>, sharing: Sharing) -> Result<Vec<Gathered>, ReadError> {
        let asked: Vec<ExplainedPiece> = match &self.explained {
            Some(_) => pieces.iter().map(asked_piece).collect(),
            None => Vec::new(),
        };
        let job = Job {
            owner: self.owner.clone(),
            pieces,
            deadline: self.deadline,
            parallelism: self.limits.parallelism,
            memory: Arc::clone(&self.memory),
            sharing,
        };
        let gathered = self.frontend.runner.run(job).await?;
        if let Some(explained) = &self.explained {
            let answered =
                asked.into_iter().zip(&gathered).map(|(asked, gathered)| answered_piece(asked, gathered));
            explained.lock().unwrap_or_else(PoisonError::into_inner).extend(answered);
        }
        Ok(gathered)
    }

    fn found(&self, gathered: Vec<Gathered>, cuts: Cuts) -> Found {
        let (mut statistics, warnings) = join::costs(&gathered);
        statistics.exec = self.frontend.env.clock.monotonic().since(self.begun);
        statistics.splits = cuts.splits as u64;
        statistics.shards = cuts.shards as u64;
        let explained = self.explained.as_ref();
        let pieces = explained.map(|pieces| pieces.lock().unwrap_or_else(PoisonError::into_inner).clone());
        statistics.explained = pieces.map(|pieces| Explained { pieces });
        self.frontend.watched.metrics.cut(cuts.splits, cuts.shards);
        Found { gathered, statistics, warnings }
    }
}

/// Into how much a query was cut.
#[derive(Debug, Clone, Copy, Default)]
struct Cuts {
    splits: usize,
    /// In all splits together; none if streams were not told apart.
    shards: usize,
}
