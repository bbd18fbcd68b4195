//! What was asked of workers and how they answered, for whoever wants to know why a query takes as long as it does.

use larch_api::{ExplainedPiece, PathTaken};
use larch_proto::{AnswerPath, Piece, Question};

use crate::run::Gathered;

/// What is known of a piece before it is answered.
pub(super) fn asked_piece(piece: &Piece) -> ExplainedPiece {
    let (question, query) = match &piece.question {
        Question::Logs { query, .. } => ("logs", query.clone()),
        Question::Metric { query, .. } => ("metric", query.clone()),
        Question::Labels { .. } => ("labels", String::new()),
        Question::Volume { .. } => ("volume", String::new()),
        Question::Stats { .. } => ("stats", String::new()),
        Question::Patterns { .. } => ("patterns", String::new()),
        Question::Estimate { .. } => ("estimate", String::new()),
    };
    ExplainedPiece {
        question,
        query,
        start: piece.start,
        end: piece.end,
        shard: piece.shard.map(|shard| (shard.index(), shard.count())),
        path: PathTaken::Unknown,
        reasons: Vec::new(),
        cost: Default::default(),
        queued: Default::default(),
    }
}

pub(super) fn answered_piece(asked: ExplainedPiece, gathered: &Gathered) -> ExplainedPiece {
    let path = match gathered.done.path {
        _ if gathered.was_kept => PathTaken::Kept,
        AnswerPath::Unknown => PathTaken::Unknown,
        AnswerPath::Kept => PathTaken::Kept,
        AnswerPath::Histograms => PathTaken::Histograms,
        AnswerPath::Columns => PathTaken::Columns,
        AnswerPath::Rows => PathTaken::Rows,
        AnswerPath::Index => PathTaken::Index,
    };
    // Those are of the answer that is kept, and why it was not kept before.
    let reasons = if path == PathTaken::Kept { Vec::new() } else { gathered.done.reasons.clone() };
    ExplainedPiece { path, reasons, cost: gathered.done.statistics, queued: gathered.queued, ..asked }
}
