//! What can be asked of a time with a dot: `{{ __timestamp__.Format "15:04" }}`.

use crate::functions::{Call, Function, Type, fixed};
use crate::time::{Time, Zone};
use crate::value::{IntType, Value};

/// The receiver is the first argument and is not among the parameters.
static METHODS: &[Function] = &[
    fixed("Format", &[Type::Text], |call| Ok(Value::text(time(call, 0).format(&call.text(1))))),
    fixed("String", &[], |call| Ok(Value::text(time(call, 0).text()))),
    fixed("Unix", &[], |call| Ok(Value::int64(time(call, 0).seconds))),
    fixed("UnixMilli", &[], |call| Ok(Value::int64(time(call, 0).unix_millis()))),
    fixed("UnixMicro", &[], |call| Ok(Value::int64(time(call, 0).unix_micros()))),
    fixed("UnixNano", &[], |call| Ok(Value::int64(time(call, 0).unix_nanos()))),
    fixed("UTC", &[], |call| Ok(Value::Time(time(call, 0).in_zone(Zone::Utc)))),
    fixed("Local", &[], |call| Ok(Value::Time(time(call, 0).in_zone(Zone::Utc)))),
    fixed("Year", &[], |call| Ok(Value::int(time(call, 0).civil().year))),
    fixed("Month", &[], |call| Ok(Value::Int(time(call, 0).civil().month, IntType::Month))),
    fixed("Day", &[], |call| Ok(Value::int(time(call, 0).civil().day))),
    fixed("Hour", &[], |call| Ok(Value::int(time(call, 0).civil().hour))),
    fixed("Minute", &[], |call| Ok(Value::int(time(call, 0).civil().minute))),
    fixed("Second", &[], |call| Ok(Value::int(time(call, 0).civil().second))),
    fixed("Nanosecond", &[], |call| Ok(Value::int(i64::from(time(call, 0).nanos)))),
    fixed("Weekday", &[], |call| Ok(Value::Int(time(call, 0).civil().weekday(), IntType::Weekday))),
    fixed("YearDay", &[], |call| Ok(Value::int(time(call, 0).civil().day_of_year()))),
    fixed("IsZero", &[], |call| Ok(Value::Bool(time(call, 0).is_zero()))),
    fixed("Before", &[Type::Time], |call| Ok(Value::Bool(time(call, 0).instant() < time(call, 1).instant()))),
    fixed("After", &[Type::Time], |call| Ok(Value::Bool(time(call, 0).instant() > time(call, 1).instant()))),
    fixed("Equal", &[Type::Time], |call| Ok(Value::Bool(time(call, 0).instant() == time(call, 1).instant()))),
];

pub(crate) fn find_method(receiver: &Value<'_>, name: &str) -> Option<&'static Function> {
    match receiver {
        Value::Time(_) => METHODS.iter().find(|method| method.name == name),
        _ => None,
    }
}

fn time(call: &Call<'_, '_>, index: usize) -> Time {
    match call.any(index) {
        Value::Time(time) => time.clone(),
        _ => Time::zero(),
    }
}
