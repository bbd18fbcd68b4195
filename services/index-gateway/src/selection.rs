//! Which streams and which time a call is about, ready to be asked of segments.

use larch_logql::LabelMatcher;
use larch_proto::{LabelSummary, SegmentEntry, Selection, Selector};
use larch_rpc::CallError;
use larch_segment::{Corrupt, Index, OrdinalSet, Test};
use larch_types::{ErrorKind, MatchOp, Matcher, StreamShard, Timestamp};

/// A selection with its regexes compiled.
#[derive(Debug)]
pub(crate) struct Chosen {
    any_of: Vec<Conditions>,
    policy: Option<Vec<Conditions>>,
    pub(crate) start: Timestamp,
    pub(crate) end: Timestamp,
    shard: Option<StreamShard>,
}

/// All of them must hold.
type Conditions = Vec<(Matcher, LabelMatcher)>;

impl Chosen {
    pub(crate) fn new(selection: &Selection) -> Result<Self, CallError> {
        let policy = selection.policy.as_ref();
        Ok(Self {
            any_of: all_conditions(&selection.any_of)?,
            policy: policy.map(|policy| all_conditions(&policy.any_of)).transpose()?,
            start: selection.start,
            end: selection.end,
            shard: selection.shard,
        })
    }

    pub(crate) fn range(&self) -> (Timestamp, Timestamp) {
        (self.start, self.end)
    }

    pub(crate) fn has_time(&self, time: Timestamp) -> bool {
        self.start <= time && time < self.end
    }

    /// False for a segment that cannot hold such a row, by what the catalog says of it.
    pub(crate) fn may_be_in(&self, entry: &SegmentEntry) -> bool {
        let summaries = &entry.label_summaries;
        let any = |all: &[Conditions]| all.iter().any(|conditions| may_hold(conditions, summaries));
        entry.first < self.end
            && entry.last >= self.start
            && (self.any_of.is_empty() || any(&self.any_of))
            && self.policy.as_ref().is_none_or(|policy| any(policy))
    }

    /// The segment's streams that are meant.
    pub(crate) fn streams(&self, index: &Index) -> Result<OrdinalSet, Corrupt> {
        let mut chosen = if self.any_of.is_empty() {
            OrdinalSet::all(index.streams())
        } else {
            one_of(&self.any_of, index)?
        };
        if let Some(policy) = &self.policy {
            chosen.keep(&one_of(policy, index)?);
        }
        if let Some(shard) = self.shard {
            for stream in chosen.iter().collect::<Vec<u32>>() {
                if !shard.contains(index.stream_id(stream)?) {
                    chosen.remove(stream);
                }
            }
        }
        Ok(chosen)
    }
}

fn all_conditions(selectors: &[Selector]) -> Result<Vec<Conditions>, CallError> {
    let mut all = Vec::with_capacity(selectors.len());
    for selector in selectors {
        let mut conditions = Vec::with_capacity(selector.matchers.len());
        for matcher in &selector.matchers {
            let compiled = LabelMatcher::new(matcher)
                .map_err(|error| CallError::new(ErrorKind::Invalid, error.to_string()))?;
            conditions.push((matcher.clone(), compiled));
        }
        all.push(conditions);
    }
    Ok(all)
}

/// Labels without a summary may have any value.
fn may_hold(conditions: &Conditions, summaries: &[LabelSummary]) -> bool {
    conditions.iter().all(|(matcher, compiled)| {
        let summary = summaries.iter().find(|summary| summary.name == matcher.name);
        summary.is_none_or(|summary| summary.values.iter().any(|value| compiled.matches(value.as_bytes())))
    })
}

fn one_of(any_of: &[Conditions], index: &Index) -> Result<OrdinalSet, Corrupt> {
    let mut union = OrdinalSet::none(index.streams());
    for conditions in any_of {
        let passes: Vec<_> =
            conditions.iter().map(|(_, one)| |value: &str| one.matches(value.as_bytes())).collect();
        let mut selectors = Vec::with_capacity(conditions.len());
        for ((matcher, _), passes) in conditions.iter().zip(&passes) {
            let test = match matcher.op {
                MatchOp::Equal => Test::Is(&matcher.value),
                MatchOp::NotEqual => Test::IsNot(&matcher.value),
                MatchOp::Regex | MatchOp::NotRegex => Test::Passes(passes),
            };
            selectors.push(larch_segment::Selector { name: &matcher.name, test });
        }
        union.add(&index.select(&selectors)?);
    }
    Ok(union)
}
