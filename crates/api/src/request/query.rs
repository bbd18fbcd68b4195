//! Range and instant queries.

use larch_proto::Direction;
use larch_types::{Span, Timestamp};

use super::values::{duration, seconds_or_duration, timestamp, whole};
use super::{Form, ParamError};

/// How far back a read looks that does not say it.
const DEFAULT_SINCE: Span = Span::from_hours(1);
/// Rows of an answer to a query that does not say it.
const DEFAULT_LIMIT: i64 = 100;
/// Points of one series.
const MAX_POINTS: i64 = 11_000;
/// Into so many steps a range is cut by a query that does not say it.
const DEFAULT_POINTS: i64 = 250;

/// The time range of a read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bounds {
    pub start: Timestamp,
    pub end: Timestamp,
}

/// `query_range`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RangeRequest {
    pub query: String,
    pub bounds: Bounds,
    pub limit: u32,
    pub direction: Direction,
    /// Above zero.
    pub step: Span,
    /// Not negative.
    pub interval: Span,
}

/// `query`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InstantRequest {
    pub query: String,
    pub time: Timestamp,
    pub limit: u32,
    /// Looked at only to say whether it is one.
    pub direction: Direction,
}

impl Bounds {
    /// From `start`, `end` and `since`.
    pub fn read(form: &Form, now: Timestamp) -> Result<Self, ParamError> {
        let since = match form.get("since") {
            "" => DEFAULT_SINCE,
            text => duration(text).map_err(ParamError::Since)?,
        };
        let end = timestamp_or(form.get("end"), now).map_err(ParamError::End)?;
        // An end in the future does not move the default start away from what can have happened.
        let start = timestamp_or(form.get("start"), end.min(now).minus(since)).map_err(ParamError::Start)?;
        Ok(Self { start, end })
    }

    pub fn length(self) -> Span {
        self.end.since(self.start)
    }

    pub(super) fn check(self) -> Result<Self, ParamError> {
        if self.end < self.start { Err(ParamError::EndBeforeStart) } else { Ok(self) }
    }
}

impl RangeRequest {
    pub fn read(form: &Form, now: Timestamp) -> Result<Self, ParamError> {
        let bounds = Bounds::read(form, now)?.check()?;
        let limit = limit(form.get("limit"))?;
        let direction = direction(form.get("direction"))?;
        let step = step(form, bounds)?;
        let interval = match form.get("interval") {
            "" => Span::ZERO,
            text => seconds_or_duration(text)?,
        };
        if interval.is_negative() {
            return Err(ParamError::NegativeInterval);
        }
        Ok(Self { query: form.get("query").to_owned(), bounds, limit, direction, step, interval })
    }
}

impl InstantRequest {
    pub fn read(form: &Form, now: Timestamp) -> Result<Self, ParamError> {
        let limit = limit(form.get("limit"))?;
        let time = timestamp_or(form.get("time"), now)?;
        let direction = direction(form.get("direction"))?;
        Ok(Self { query: form.get("query").to_owned(), time, limit, direction })
    }
}

pub(crate) fn timestamp_or(text: &str, default: Timestamp) -> Result<Timestamp, super::InvalidNumber> {
    if text.is_empty() { Ok(default) } else { timestamp(text) }
}

/// How many rows of a log query.
pub(crate) fn limit(text: &str) -> Result<u32, ParamError> {
    let limit = number_or(text, DEFAULT_LIMIT)?;
    if limit <= 0 {
        return Err(ParamError::LimitNotPositive);
    }
    u32::try_from(limit).map_err(|_| ParamError::LimitOutOfRange(limit))
}

pub(crate) fn number_or(text: &str, default: i64) -> Result<i64, ParamError> {
    if text.is_empty() { Ok(default) } else { Ok(whole("Atoi", text)?) }
}

fn direction(text: &str) -> Result<Direction, ParamError> {
    match text.to_ascii_lowercase().as_str() {
        "" | "backward" => Ok(Direction::Backward),
        "forward" => Ok(Direction::Forward),
        _ => Err(ParamError::Direction(text.to_owned())),
    }
}

/// The distance of samples; there are never more than a graph can show.
pub(super) fn step(form: &Form, bounds: Bounds) -> Result<Span, ParamError> {
    let step = match form.get("step") {
        "" => {
            let seconds = bounds.length().nanos() / Span::from_secs(1).nanos();
            Span::from_secs((seconds / DEFAULT_POINTS).max(1))
        }
        text => seconds_or_duration(text)?,
    };
    if step <= Span::ZERO {
        return Err(ParamError::StepNotPositive);
    }
    if bounds.length().nanos() / step.nanos() > MAX_POINTS {
        return Err(ParamError::TooManyPoints);
    }
    Ok(step)
}

#[cfg(test)]
mod tests;
