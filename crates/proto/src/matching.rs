//! Which streams, which time, which lines.

use bytes::Bytes;
use larch_types::{MatchOp, Matcher, StreamShard, Timestamp};

use crate::check::{list, missing, optional, to_list};
use crate::{InvalidMessage, wire};

/// Streams for which every condition holds.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct Selector {
    pub matchers: Vec<Matcher>,
}

/// What the caller may see: streams that one of the selectors selects, and none without selectors.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct AccessPolicy {
    pub any_of: Vec<Selector>,
}

/// Which streams and which time a read is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Selection {
    /// Every stream, if there is none.
    pub any_of: Vec<Selector>,
    /// `None`: everything of the tenant may be seen.
    pub policy: Option<AccessPolicy>,
    /// Included.
    pub start: Timestamp,
    /// Not included.
    pub end: Timestamp,
    pub shard: Option<StreamShard>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Direction {
    /// Oldest first.
    Forward,
    /// Newest first.
    Backward,
}

/// A text that a line must contain.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Needle {
    pub text: Bytes,
    /// For ASCII letters only.
    pub ignore_case: bool,
}

/// Alternatives; never empty.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct NeedleGroup {
    pub any_of: Vec<Needle>,
}

// === conversions ===

/// Both ways between types that are not of this crate.
fn matcher(matcher: wire::types::Matcher) -> Result<Matcher, InvalidMessage> {
    use wire::types::MatchOp as Wire;
    let op = match Wire::try_from(matcher.op) {
        Ok(Wire::Equal) => MatchOp::Equal,
        Ok(Wire::NotEqual) => MatchOp::NotEqual,
        Ok(Wire::Regex) => MatchOp::Regex,
        Ok(Wire::NotRegex) => MatchOp::NotRegex,
        Ok(Wire::Unspecified) | Err(_) => return Err(missing("op")),
    };
    if matcher.name.is_empty() {
        return Err(InvalidMessage::new("name", "empty"));
    }
    Ok(Matcher { name: matcher.name, op, value: matcher.value })
}

fn to_matcher(matcher: Matcher) -> wire::types::Matcher {
    use wire::types::MatchOp as Wire;
    let op = match matcher.op {
        MatchOp::Equal => Wire::Equal,
        MatchOp::NotEqual => Wire::NotEqual,
        MatchOp::Regex => Wire::Regex,
        MatchOp::NotRegex => Wire::NotRegex,
    };
    wire::types::Matcher { name: matcher.name, op: op.into(), value: matcher.value }
}

impl From<Selector> for wire::types::Selector {
    fn from(selector: Selector) -> Self {
        Self { matchers: selector.matchers.into_iter().map(to_matcher).collect() }
    }
}

impl TryFrom<wire::types::Selector> for Selector {
    type Error = InvalidMessage;

    fn try_from(selector: wire::types::Selector) -> Result<Self, InvalidMessage> {
        let mut matchers = Vec::with_capacity(selector.matchers.len());
        for (index, one) in selector.matchers.into_iter().enumerate() {
            matchers.push(matcher(one).map_err(|error| error.inside(&format!("matchers[{index}]")))?);
        }
        Ok(Self { matchers })
    }
}

impl From<AccessPolicy> for wire::types::AccessPolicy {
    fn from(policy: AccessPolicy) -> Self {
        Self { any_of: to_list(policy.any_of) }
    }
}

impl TryFrom<wire::types::AccessPolicy> for AccessPolicy {
    type Error = InvalidMessage;

    fn try_from(policy: wire::types::AccessPolicy) -> Result<Self, InvalidMessage> {
        Ok(Self { any_of: list("any_of", policy.any_of)? })
    }
}

pub(crate) fn shard(
    field: &str,
    shard: Option<wire::types::StreamShard>,
) -> Result<Option<StreamShard>, InvalidMessage> {
    let Some(shard) = shard else { return Ok(None) };
    let reason = || format!("no part {} of {} streams", shard.index, shard.count);
    StreamShard::new(shard.index, shard.count).map(Some).ok_or_else(|| InvalidMessage::new(field, reason()))
}

pub(crate) fn to_shard(shard: Option<StreamShard>) -> Option<wire::types::StreamShard> {
    shard.map(|shard| wire::types::StreamShard { index: shard.index(), count: shard.count() })
}

/// A range that ends before it starts is a mistake of the sender; an empty one is not.
pub(crate) fn range(start_ns: i64, end_ns: i64) -> Result<(Timestamp, Timestamp), InvalidMessage> {
    if end_ns < start_ns {
        return Err(InvalidMessage::new("end_ns", "before the start"));
    }
    Ok((Timestamp::from_nanos(start_ns), Timestamp::from_nanos(end_ns)))
}

impl From<Selection> for wire::types::Selection {
    fn from(selection: Selection) -> Self {
        Self {
            any_of: to_list(selection.any_of),
            policy: selection.policy.map(Into::into),
            start_ns: selection.start.nanos(),
            end_ns: selection.end.nanos(),
            shard: to_shard(selection.shard),
        }
    }
}

impl TryFrom<wire::types::Selection> for Selection {
    type Error = InvalidMessage;

    fn try_from(selection: wire::types::Selection) -> Result<Self, InvalidMessage> {
        let (start, end) = range(selection.start_ns, selection.end_ns)?;
        Ok(Self {
            any_of: list("any_of", selection.any_of)?,
            policy: optional("policy", selection.policy)?,
            start,
            end,
            shard: shard("shard", selection.shard)?,
        })
    }
}

pub(crate) fn direction(field: &str, direction: i32) -> Result<Direction, InvalidMessage> {
    match wire::types::Direction::try_from(direction) {
        Ok(wire::types::Direction::Forward) => Ok(Direction::Forward),
        Ok(wire::types::Direction::Backward) => Ok(Direction::Backward),
        Ok(wire::types::Direction::Unspecified) | Err(_) => Err(missing(field)),
    }
}

pub(crate) fn to_direction(direction: Direction) -> i32 {
    match direction {
        Direction::Forward => wire::types::Direction::Forward.into(),
        Direction::Backward => wire::types::Direction::Backward.into(),
    }
}

impl From<NeedleGroup> for wire::types::NeedleGroup {
    fn from(group: NeedleGroup) -> Self {
        let wire =
            |needle: Needle| wire::types::Needle { text: needle.text, ignore_case: needle.ignore_case };
        Self { any_of: group.any_of.into_iter().map(wire).collect() }
    }
}

impl TryFrom<wire::types::NeedleGroup> for NeedleGroup {
    type Error = InvalidMessage;

    fn try_from(group: wire::types::NeedleGroup) -> Result<Self, InvalidMessage> {
        // No line could meet it, so it would hide everything.
        if group.any_of.is_empty() {
            return Err(InvalidMessage::new("any_of", "no alternatives"));
        }
        let checked =
            |needle: wire::types::Needle| Needle { text: needle.text, ignore_case: needle.ignore_case };
        Ok(Self { any_of: group.any_of.into_iter().map(checked).collect() })
    }
}
