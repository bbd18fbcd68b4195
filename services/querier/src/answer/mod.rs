//! Answers to pieces: each kind of question in its own file.

mod counted;
mod estimate;
mod feed;
mod kept;
mod labels;
mod logs;
mod metric;
mod output;
mod patterns;
mod statistics;
mod stats;
mod unbuilt;
mod volume;

use std::sync::Arc;
use std::time::Duration;

use larch_logql::EvalLimits;
use larch_proto::{AnswerPath, Done, Piece, QueryStatistics, Question};
use larch_rpc::{CallContext, CallError};
use larch_store::MAX_VIEW_AGE;
use larch_types::{ErrorKind, Span, Timestamp};

use tracing::debug;

use crate::cpu::Cpu;
use crate::deps::Deps;
use crate::rows::Asker;

pub(crate) use feed::{Evaluation, feed};
pub(crate) use logs::{Entries, Shown};
pub(crate) use output::Output;

/// One piece while it is answered.
pub(crate) struct Task {
    pub(crate) asker: Asker,
    pub(crate) cpu: Cpu,
    /// The rows that may count: start included, end not.
    range: (Timestamp, Timestamp),
    /// 0: no limit.
    max_series: u64,
    limits: EvalLimits,
    /// For templates that ask for the time.
    now: Timestamp,
    /// Whether the queue keeps the answer, and under what it keeps one already.
    keeps_answer: bool,
    kept: Option<u128>,
}

impl Task {
    pub(crate) fn new(deps: &Arc<Deps>, piece: &Piece, call: CallContext, cpu: Cpu) -> Self {
        let max_memory = deps.config.querier.engine.max_memory;
        let limits = EvalLimits {
            max_series: number_or_unbounded(piece.max_series),
            max_range: max_range(deps, piece),
            max_memory,
        };
        let asker = Asker {
            deps: Arc::clone(deps),
            call,
            tenants: piece.tenants.clone(),
            shard: piece.shard,
            max_memory,
            max_bytes: piece.max_bytes,
            max_view_age: MAX_VIEW_AGE,
        };
        Self {
            asker,
            cpu,
            range: (piece.start, piece.end),
            max_series: piece.max_series,
            limits,
            now: deps.env.clock.now(),
            keeps_answer: piece.keeps_answer && !piece.no_cache,
            kept: piece.kept,
        }
    }
}

fn number_or_unbounded(number: u64) -> usize {
    if number == 0 { usize::MAX } else { usize::try_from(number).unwrap_or(usize::MAX) }
}

/// Of several tenants the smallest that is set counts.
fn max_range(deps: &Deps, piece: &Piece) -> Option<Span> {
    let of_tenants = piece.tenants.iter().map(|tenant| deps.limits.limits(&tenant.tenant).max_query_range);
    of_tenants.filter(|range| *range > Span::ZERO).min()
}

/// Answers the question part by part; what is left is the last part. If the queue keeps an answer that is
/// still the right one, that is all.
pub(crate) async fn answer(task: &mut Task, question: &Question, output: &Output) -> Result<Done, CallError> {
    let cache_key = if task.keeps_answer { kept::key(task, question).await? } else { None };
    if cache_key.is_some() && cache_key == task.kept {
        return Ok(Done { cache_key, unchanged: true, path: AnswerPath::Kept, ..Done::default() });
    }
    let mut done = answer_anew(task, question, output).await?;
    if task.keeps_answer {
        done.reasons.insert(0, why_not_kept(task, cache_key).to_owned());
    }
    Ok(Done { cache_key, ..done })
}

/// Of an answer that is looked for in a cache.
fn why_not_kept(task: &Task, cache_key: Option<u128>) -> &'static str {
    match (cache_key, task.kept) {
        (None, _) => "kept: an ingester holds rows of it, or answers to such questions are not kept",
        (Some(_), None) => "kept: it was not asked before",
        (Some(_), Some(_)) => "kept: there are other segments than there were",
    }
}

/// A segment that the plan names may be gone, because others have taken its place: then all of it is done
/// once more, with a view of the catalog as it is now. Nothing was sent by then, for parts are sent once all
/// rows are read.
async fn answer_anew(task: &mut Task, question: &Question, output: &Output) -> Result<Done, CallError> {
    match answer_once(task, question, output).await {
        Err(error) if error.kind() == ErrorKind::NotFound => {
            debug!(%error, "plan again");
            task.asker.max_view_age = Duration::ZERO;
        }
        answer => return answer,
    }
    answer_once(task, question, output).await.map_err(lost)
}

/// What it means that a segment is gone from a plan that was just made.
pub(crate) fn lost(error: CallError) -> CallError {
    match error.kind() {
        ErrorKind::NotFound => {
            let text = format!("a segment that the catalog names cannot be found: {}", error.text());
            CallError::new(ErrorKind::Unavailable, text)
        }
        _ => error,
    }
}

async fn answer_once(task: &Task, question: &Question, output: &Output) -> Result<Done, CallError> {
    // Queries are explained, and what is asked to plan them.
    let unsaid = |statistics| Answered::by(AnswerPath::Unknown, statistics);
    let of_index = |statistics| Answered::by(AnswerPath::Index, statistics);
    let Answered { path, statistics, reasons } = match question {
        Question::Logs { query, direction, limit } => {
            logs::answer(task, query, *direction, *limit, output).await?
        }
        Question::Metric { query, start, end, step } => {
            metric::answer(task, query, (*start, *end, *step), output).await?
        }
        Question::Labels { query, any_of } => of_index(labels::answer(task, query, any_of, output).await?),
        Question::Volume { any_of, target_labels, by_label_names, step } => {
            let by = volume::By { target_labels, by_label_names: *by_label_names, step: *step };
            unsaid(volume::answer(task, any_of, &by, output).await?)
        }
        Question::Stats { any_of } => unsaid(stats::answer(task, any_of, output).await?),
        Question::Estimate { any_of } => of_index(estimate::answer(task, any_of, output).await?),
        Question::Patterns { any_of, step } => unsaid(patterns::answer(task, any_of, *step, output).await?),
    };
    Ok(Done { statistics, path, reasons, ..Done::default() })
}

/// What an answer cost, and how it was come by.
struct Answered {
    path: AnswerPath,
    statistics: QueryStatistics,
    /// Why no faster way was taken.
    reasons: Vec<String>,
}

impl Answered {
    const fn by(path: AnswerPath, statistics: QueryStatistics) -> Self {
        Self { path, statistics, reasons: Vec::new() }
    }

    /// A way that was not taken, and why.
    fn without(mut self, way: &str, reason: impl std::fmt::Display) -> Self {
        self.reasons.push(format!("{way}: {reason}"));
        self
    }
}

/// For metrics and logs: what a question is called.
pub(crate) fn kind_of(question: &Question) -> &'static str {
    match question {
        Question::Logs { .. } => "logs",
        Question::Metric { .. } => "metric",
        Question::Labels { .. } => "labels",
        Question::Volume { .. } => "volume",
        Question::Stats { .. } => "stats",
        Question::Estimate { .. } => "estimate",
        Question::Patterns { .. } => "patterns",
    }
}

/// For the line that is logged: what was asked in the words of the query, if it has one.
pub(crate) fn query_of(question: &Question) -> &str {
    match question {
        Question::Logs { query, .. } | Question::Metric { query, .. } => query,
        Question::Labels { .. }
        | Question::Volume { .. }
        | Question::Stats { .. }
        | Question::Estimate { .. }
        | Question::Patterns { .. } => "",
    }
}
