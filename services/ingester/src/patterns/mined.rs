//! The patterns of one tenant: by stream, by level.

use std::collections::HashMap;

use larch_types::{Labels, StreamId, TenantId, Timestamp};

use super::metrics::{Dropped, Metrics};
use super::samples::Intervals;
use super::tokens::{Format, Unfit, tokenize};
use super::tree::{Outcome, Rules, Tree};
use super::waiting::Row;

/// Levels of a stream that are told apart. Clients may send any text as one.
const MAX_LEVELS: usize = 16;

/// What a stream takes in memory besides its labels and its trees.
const STREAM_BYTES: usize = 256;

#[derive(Debug, Default)]
pub(super) struct Mined {
    streams: HashMap<StreamId, Stream>,
}

/// What the patterns of one stream are mined from, and how.
#[derive(Debug, Clone, Copy)]
pub(super) struct Mining<'a> {
    pub(super) tenant: &'a TenantId,
    /// Of objects, in which text to look.
    pub(super) fields: &'a [String],
    /// Older rows do not count any more, and newer ones cannot be right.
    pub(super) oldest: Timestamp,
    pub(super) newest: Timestamp,
    pub(super) rules: Rules,
    pub(super) metrics: &'a Metrics,
}

#[derive(Debug)]
pub(super) struct Stream {
    /// The canonical text.
    pub(super) text: String,
    pub(super) labels: Labels,
    pub(super) levels: Vec<Level>,
}

#[derive(Debug)]
pub(super) struct Level {
    pub(super) name: Box<str>,
    format: Format,
    pub(super) tree: Tree,
}

/// How much there is, to be compared before and after a change.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Extent {
    pub(super) bytes: usize,
    pub(super) patterns: usize,
}

impl Mined {
    /// Mines rows of one stream. Returns by how much it has grown; only what is pruned shrinks.
    pub(super) fn add(
        &mut self,
        labels: &str,
        rows: &[(&Row, &str)],
        mining: Mining<'_>,
    ) -> (Extent, Extent) {
        let id = StreamId::of_canonical(labels);
        let is_known = self.streams.contains_key(&id);
        if !is_known && !mining.rules.has_room {
            mining.metrics.count_dropped(mining.tenant, Dropped::Full, rows.len() as u64);
            return Default::default();
        }
        // It was parsed before it was logged.
        let Ok(parsed) = labels.parse::<Labels>() else { return Default::default() };
        let stream = self.streams.entry(id).or_insert_with(|| Stream {
            text: labels.to_owned(),
            labels: parsed,
            levels: Vec::new(),
        });
        let before = if is_known { stream.extent() } else { Extent::default() };
        for (row, level) in rows {
            stream.add(row, level, mining);
        }
        (before, stream.extent())
    }

    pub(super) fn ids(&self) -> Vec<StreamId> {
        self.streams.keys().copied().collect()
    }

    pub(super) fn stream(&self, id: StreamId) -> Option<&Stream> {
        self.streams.get(&id)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.streams.is_empty()
    }

    /// Forgets what came before in one stream, and the stream if nothing came since. Returns what it was
    /// and what is left.
    pub(super) fn forget_before(
        &mut self,
        id: StreamId,
        time: Timestamp,
        intervals: Intervals,
    ) -> (Extent, Extent) {
        let Some(stream) = self.streams.get_mut(&id) else { return Default::default() };
        let before = stream.extent();
        for level in &mut stream.levels {
            level.tree.forget_before(time, intervals);
        }
        stream.levels.retain(|level| level.tree.len() > 0);
        if stream.levels.is_empty() {
            self.streams.remove(&id);
            return (before, Extent::default());
        }
        (before, stream.extent())
    }
}

impl Stream {
    fn extent(&self) -> Extent {
        let trees = || self.levels.iter().map(|level| &level.tree);
        Extent {
            bytes: STREAM_BYTES + 2 * self.text.len() + trees().map(Tree::bytes).sum::<usize>(),
            patterns: trees().map(Tree::len).sum(),
        }
    }

    fn add(&mut self, row: &Row, level: &str, mining: Mining<'_>) {
        let Mining { tenant, metrics, .. } = mining;
        let drop = |why| metrics.count_dropped(tenant, why, 1);
        if row.time < mining.oldest || row.time > mining.newest {
            return drop(Dropped::Time);
        }
        let Ok(line) = std::str::from_utf8(&row.line) else { return drop(Dropped::NotText) };
        let Some(level) = self.level(level, line) else { return drop(Dropped::TooManyLevels) };
        let tokens = match tokenize(line, level.format, mining.fields) {
            Ok(tokens) => tokens,
            Err(Unfit::TooFewTokens) => return drop(Dropped::TooFewTokens),
            Err(Unfit::TooManyTokens) => return drop(Dropped::TooManyTokens),
            Err(Unfit::NoField) => return drop(Dropped::NoField),
        };
        match level.tree.add(&tokens, row.time, mining.rules) {
            Outcome::Known => {}
            Outcome::New { evicted } => metrics.count_new(tenant, level.format, evicted),
            Outcome::Paused => drop(Dropped::Paused),
            Outcome::Full => drop(Dropped::Full),
        }
    }

    /// The first line of a level decides how its lines are read.
    fn level(&mut self, name: &str, line: &str) -> Option<&mut Level> {
        let at = match self.levels.iter().position(|level| *level.name == *name) {
            Some(at) => at,
            None if self.levels.len() >= MAX_LEVELS => return None,
            None => {
                let format = Format::of(line);
                self.levels.push(Level { name: name.into(), format, tree: Tree::default() });
                self.levels.len() - 1
            }
        };
        self.levels.get_mut(at)
    }
}
