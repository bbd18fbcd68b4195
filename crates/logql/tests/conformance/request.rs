//! The parameters of a recorded request, as far as queries need them.

use larch_logql::{Direction, LogParams, Steps, StreamKey};
use larch_types::{Span, Timestamp};
use serde_json::Value;

use crate::text;

/// More points than this a range query may not ask for.
const MAX_POINTS: i64 = 11_000;

pub(crate) struct Request {
    pub(crate) query: String,
    pub(crate) logs: LogParams,
    pub(crate) steps: Steps,
    pub(crate) key: StreamKey,
    /// `encodingFlags` of the answer.
    pub(crate) flags: Option<String>,
}

impl Request {
    /// None: a parameter makes no sense, which is not for queries to say.
    pub(crate) fn of(case: &Value) -> Option<Self> {
        let param = |name: &str| case["params"].get(name).and_then(Value::as_str);
        let query = param("query")?.to_owned();
        let limit: i64 = param("limit").unwrap_or("100").parse().ok()?;
        let limit = usize::try_from(limit).ok().filter(|limit| *limit > 0)?;
        let direction = match param("direction") {
            None | Some("backward") => Direction::Backward,
            Some("forward") => Direction::Forward,
            Some(_) => return None,
        };
        let flags = param("_header:X-Loki-Response-Encoding-Flags").map(str::to_owned);
        let is_categorized =
            flags.as_deref().is_some_and(|flags| flags.split(',').any(|f| f == "categorize-labels"));
        let key = if is_categorized { StreamKey::StreamLabels } else { StreamKey::AllLabels };
        if text(case, "path") == "/loki/api/v1/query" {
            let time = timestamp(param("time")?)?;
            let logs = LogParams::at(time, limit, time);
            return Some(Self { query, logs, steps: Steps::at(time), key, flags });
        }
        let (start, end) = (timestamp(param("start")?)?, timestamp(param("end")?)?);
        let default = Span::from_secs((end.since(start).nanos() / 250_000_000_000).max(1));
        let step = param("step").map_or(Some(default), span)?;
        if step.nanos() <= 0 || end.since(start).nanos() / step.nanos() > MAX_POINTS {
            return None;
        }
        let interval = param("interval").map_or(Some(Span::ZERO), span)?;
        let logs = LogParams { start, end, direction, limit, interval, now: end };
        let steps = Steps::range(start, end, step)?.aligned();
        Some(Self { query, logs, steps, key, flags })
    }
}

/// Seconds with a fraction, nanoseconds (more than ten digits) or RFC 3339.
fn timestamp(text: &str) -> Option<Timestamp> {
    if let Some((seconds, fraction)) = text.split_once('.')
        && let (Ok(seconds), Ok(_)) = (seconds.parse::<i64>(), fraction.parse::<u64>())
    {
        let nanos = format!("{fraction:0<9}").parse::<i64>().ok()?;
        return Some(Timestamp::from_nanos(seconds * 1_000_000_000 + nanos));
    }
    match text.parse::<i64>() {
        Ok(number) if text.len() <= 10 => Some(Timestamp::from_secs(number)),
        Ok(number) => Some(Timestamp::from_nanos(number)),
        Err(_) => text.parse().ok(),
    }
}

/// Seconds or a duration.
fn span(text: &str) -> Option<Span> {
    match text.parse::<f64>() {
        Ok(seconds) => Some(Span::from_nanos((seconds * 1e9) as i64)),
        Err(_) => Span::parse_prometheus(text).ok(),
    }
}
