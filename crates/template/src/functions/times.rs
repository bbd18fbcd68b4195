//! Times and durations. What Go does in the machine's zone is done in UTC here.

use larch_types::Span;

use crate::functions::{Call, CallError, CallResult, Function, Type, fixed};
use crate::go::parse_int;
use crate::time::{Time, Zone, parse_time};
use crate::value::{IntType, Value};

const TEXT: &[Type] = &[Type::Text];
const TIME: &[Type] = &[Type::Time];

pub(super) static FUNCTIONS: &[Function] = &[
    fixed("now", &[], |call| Ok(Value::Time(Time::from_nanos(call.input.now)))),
    fixed("__timestamp__", &[], |call| Ok(Value::Time(Time::from_nanos(call.input.timestamp)))),
    fixed("date", &[Type::Text, Type::Any], date),
    fixed("toDate", &[Type::Text, Type::Text], |call| Ok(parsed(&call.text(0), &call.text(1), &Zone::Utc))),
    fixed("toDateInZone", &[Type::Text, Type::Text, Type::Text], |call| {
        let zone = Zone::named(&call.text(1)).unwrap_or(Zone::Utc);
        Ok(parsed(&call.text(0), &call.text(2), &zone))
    }),
    fixed("unixEpoch", TIME, |call| Ok(Value::text(time(call).seconds.to_string()))),
    fixed("unixEpochMillis", TIME, |call| Ok(Value::text(time(call).unix_millis().to_string()))),
    fixed("unixEpochNanos", TIME, |call| Ok(Value::text(time(call).unix_nanos().to_string()))),
    fixed("unixToTime", TEXT, unix_to_time),
    fixed("duration", TEXT, duration_seconds),
    fixed("duration_seconds", TEXT, duration_seconds),
];

fn time(call: &Call<'_, '_>) -> Time {
    match call.any(0) {
        Value::Time(time) => time.clone(),
        _ => Time::zero(),
    }
}

/// Whole numbers are seconds; anything else but a time is taken for now.
fn date<'a>(call: &mut Call<'_, 'a>) -> CallResult<'a> {
    let time = match call.any(1) {
        Value::Time(time) => time.clone(),
        Value::Int(seconds, IntType::Int | IntType::Int64) => Time::from_seconds(*seconds),
        _ => Time::from_nanos(call.input.now),
    };
    Ok(Value::text(time.in_zone(Zone::Utc).format(&call.text(0))))
}

fn parsed<'a>(layout: &[u8], text: &[u8], zone: &Zone) -> Value<'a> {
    Value::Time(parse_time(layout, text, zone).unwrap_or_else(Time::zero))
}

/// The unit follows from the number of characters.
fn unix_to_time<'a>(call: &mut Call<'_, 'a>) -> CallResult<'a> {
    let text = call.text(0);
    let shown = String::from_utf8_lossy(&text);
    let unable = |why: &str| CallError(format!("unable to parse time '{shown}': {why}"));
    let number = parse_int(&text, 10).map_err(|error| unable(&error.to_string()))?;
    let time = match text.len() {
        // Days: five characters cannot overflow.
        5 => Time::from_seconds(number * 86_400),
        10 => Time::from_seconds(number),
        13 => Time::from_units(number, 1_000),
        16 => Time::from_units(number, 1_000_000),
        19 => Time::from_nanos(number),
        _ => return Err(unable("%!w(<nil>)")),
    };
    Ok(Value::Time(time))
}

/// Go divides seconds and the rest on their own, which decides the last digit.
fn duration_seconds<'a>(call: &mut Call<'_, 'a>) -> CallResult<'a> {
    let text = call.text(0);
    let nanos = Span::parse_go(&String::from_utf8_lossy(&text))?.nanos();
    let seconds = (nanos / 1_000_000_000) as f64;
    Ok(Value::Float(seconds + (nanos % 1_000_000_000) as f64 / 1e9))
}
