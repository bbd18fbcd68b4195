//! Times with a zone, formatted and parsed by Go's layouts. There is no clock here.

mod civil;
mod format;
mod layout;
mod parse;
mod zone;

pub(crate) use civil::{month_name, weekday_name};
pub(crate) use parse::parse_time;
pub(crate) use zone::Zone;

use civil::Civil;

const NANOS_PER_SECOND: i64 = 1_000_000_000;

/// Go's zero time, what failed parses give: the first second of year 1.
const ZERO_SECONDS: i64 = -62_135_596_800;

#[derive(Debug, Clone)]
pub(crate) struct Time {
    /// Since 1970-01-01 UTC.
    pub(crate) seconds: i64,
    /// Below a thousand million.
    pub(crate) nanos: u32,
    pub(crate) zone: Zone,
}

impl Time {
    pub(crate) fn zero() -> Self {
        Self { seconds: ZERO_SECONDS, nanos: 0, zone: Zone::Utc }
    }

    pub(crate) fn from_seconds(seconds: i64) -> Self {
        Self { seconds, nanos: 0, zone: Zone::Utc }
    }

    pub(crate) fn from_nanos(nanos: i64) -> Self {
        Self::from_units(nanos, NANOS_PER_SECOND)
    }

    /// A count of units of which so many make a second; that many divide a thousand million.
    pub(crate) fn from_units(count: i64, per_second: i64) -> Self {
        let nanos = count.rem_euclid(per_second) * (NANOS_PER_SECOND / per_second);
        Self { seconds: count.div_euclid(per_second), nanos: nanos as u32, zone: Zone::Utc }
    }

    pub(crate) fn is_zero(&self) -> bool {
        self.seconds == ZERO_SECONDS && self.nanos == 0
    }

    pub(crate) fn instant(&self) -> (i64, u32) {
        (self.seconds, self.nanos)
    }

    /// Wraps beyond 1678 and 2262, as in Go.
    pub(crate) fn unix_nanos(&self) -> i64 {
        self.seconds.wrapping_mul(NANOS_PER_SECOND).wrapping_add(i64::from(self.nanos))
    }

    pub(crate) fn unix_millis(&self) -> i64 {
        self.seconds.wrapping_mul(1000).wrapping_add(i64::from(self.nanos / 1_000_000))
    }

    pub(crate) fn unix_micros(&self) -> i64 {
        self.seconds.wrapping_mul(1_000_000).wrapping_add(i64::from(self.nanos / 1000))
    }

    pub(crate) fn in_zone(&self, zone: Zone) -> Self {
        Self { zone, ..self.clone() }
    }

    pub(crate) fn civil(&self) -> Civil {
        Civil::from_seconds(self.seconds.saturating_add(i64::from(self.zone.offset_at(self.seconds))))
    }

    /// `%#v`.
    pub(crate) fn go_syntax(&self) -> String {
        let c = self.civil();
        let zone = match &self.zone {
            Zone::Utc => "time.UTC".to_owned(),
            other => format!("time.Location({:?})", other.name_at(self.seconds)),
        };
        let (month, nanos) = (month_name(c.month), self.nanos);
        format!(
            "time.Date({}, time.{month}, {}, {}, {}, {}, {nanos}, {zone})",
            c.year, c.day, c.hour, c.minute, c.second
        )
    }

    /// As Go prints a time that nobody formatted.
    pub(crate) fn text(&self) -> Vec<u8> {
        self.format(b"2006-01-02 15:04:05.999999999 -0700 MST")
    }
}
