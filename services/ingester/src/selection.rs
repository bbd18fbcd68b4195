//! Which streams and which time a call is about, ready to be asked.

use larch_logql::{LabelMatcher, RegexError};
use larch_proto::{Selection, Selector};
use larch_rpc::CallError;
use larch_segment::{OrdinalSet, Test};
use larch_types::{ErrorKind, Labels, MatchOp, Matcher, StreamId, StreamShard, Timestamp};

use crate::source::Source;

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
    pub(crate) fn new(selection: Selection) -> Result<Self, CallError> {
        let policy = selection.policy.map(|policy| all_conditions(policy.any_of)).transpose()?;
        Ok(Self {
            any_of: all_conditions(selection.any_of)?,
            policy,
            start: selection.start,
            end: selection.end,
            shard: selection.shard,
        })
    }

    pub(crate) fn has_time(&self, time: Timestamp) -> bool {
        self.start <= time && time < self.end
    }

    /// The source's streams that are meant.
    pub(crate) fn streams(&self, source: &Source) -> Result<OrdinalSet, CallError> {
        let mut chosen = if self.any_of.is_empty() {
            OrdinalSet::all(source.streams())
        } else {
            one_of(&self.any_of, source)?
        };
        if let Some(policy) = &self.policy {
            keep(&mut chosen, &one_of(policy, source)?);
        }
        if let Some(shard) = self.shard {
            for stream in chosen.iter().collect::<Vec<u32>>() {
                if !shard.contains(source.stream_id(stream)?) {
                    chosen.remove(stream);
                }
            }
        }
        Ok(chosen)
    }

    /// Whether one stream is meant.
    pub(crate) fn has_stream(&self, labels: &Labels, id: StreamId) -> bool {
        let chosen = self.any_of.is_empty() || self.any_of.iter().any(|all| hold(all, labels));
        let allowed = self.policy.as_ref().is_none_or(|policy| policy.iter().any(|all| hold(all, labels)));
        chosen && allowed && self.shard.is_none_or(|shard| shard.contains(id))
    }
}

fn all_conditions(selectors: Vec<Selector>) -> Result<Vec<Conditions>, CallError> {
    let mut all = Vec::with_capacity(selectors.len());
    for selector in selectors {
        let mut conditions = Vec::with_capacity(selector.matchers.len());
        for matcher in selector.matchers {
            let compiled = LabelMatcher::new(&matcher).map_err(|error| no_matcher(&error))?;
            conditions.push((matcher, compiled));
        }
        all.push(conditions);
    }
    Ok(all)
}

fn no_matcher(error: &RegexError) -> CallError {
    CallError::new(ErrorKind::Invalid, error.to_string())
}

fn one_of(any_of: &[Conditions], source: &Source) -> Result<OrdinalSet, CallError> {
    let mut union = OrdinalSet::none(source.streams());
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
        for stream in source.select(&selectors)?.iter() {
            // Streams may have come in between two looks at a growing table.
            if stream < union.count() {
                union.insert(stream);
            }
        }
    }
    Ok(union)
}

fn keep(chosen: &mut OrdinalSet, allowed: &OrdinalSet) {
    for stream in chosen.iter().collect::<Vec<u32>>() {
        if stream >= allowed.count() || !allowed.contains(stream) {
            chosen.remove(stream);
        }
    }
}

fn hold(conditions: &Conditions, labels: &Labels) -> bool {
    conditions.iter().all(|(matcher, compiled)| {
        let value = labels.get(&matcher.name).unwrap_or_default();
        compiled.matches(value.as_bytes())
    })
}
