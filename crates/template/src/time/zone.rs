//! Zones by name from the tables that are part of the binary: a container has none of its own.

use std::sync::{Arc, LazyLock};

use jiff::tz::{TimeZone, TimeZoneDatabase};

use crate::time::civil::seconds_from_date;

/// Transitions looked at when a time names its zone: more than any zone has had so far.
const MAX_TRANSITIONS: usize = 500;

static ZONES: LazyLock<TimeZoneDatabase> = LazyLock::new(TimeZoneDatabase::bundled);

#[derive(Debug, Clone)]
pub(crate) enum Zone {
    Utc,
    Named(Arc<TimeZone>),
    /// Read from a text; the name may be empty.
    Fixed {
        name: Arc<str>,
        offset: i32,
    },
}

impl Zone {
    /// `None`: no such zone. Names keep their case. Local time is UTC, so that a result does not depend
    /// on where it was computed.
    pub(crate) fn named(name: &[u8]) -> Option<Self> {
        if matches!(name, b"" | b"UTC" | b"Local") {
            return Some(Self::Utc);
        }
        let name = str::from_utf8(name).ok()?;
        let zone = ZONES.get(name).ok()?;
        (zone.iana_name() == Some(name)).then(|| Self::Named(Arc::new(zone)))
    }

    /// Seconds east of Greenwich.
    pub(crate) fn offset_at(&self, seconds: i64) -> i32 {
        match self {
            Self::Utc => 0,
            Self::Fixed { offset, .. } => *offset,
            Self::Named(zone) => zone.to_offset(instant(seconds)).seconds(),
        }
    }

    /// The abbreviation in use, such as `CEST`.
    pub(crate) fn name_at(&self, seconds: i64) -> String {
        match self {
            Self::Utc => "UTC".to_owned(),
            Self::Fixed { name, .. } => name.to_string(),
            Self::Named(zone) => zone.to_offset_info(instant(seconds)).abbreviation().to_owned(),
        }
    }

    /// The instant of a wall clock. In a gap or an overlap Go takes one of the two offsets by this rule.
    pub(super) fn seconds_of(&self, wall: i64) -> i64 {
        let guess = self.offset_at(wall);
        if guess == 0 {
            return wall;
        }
        wall - i64::from(self.offset_at(wall - i64::from(guess)))
    }

    /// The offset that an abbreviation means at a wall clock, if the zone ever used it.
    pub(super) fn offset_of_name(&self, name: &str, wall: i64) -> Option<i32> {
        let Self::Named(zone) = self else {
            return (self.name_at(wall) == name).then(|| self.offset_at(wall));
        };
        let mut known = Vec::new();
        let mut remember = |abbreviation: &str, offset: i32| {
            if abbreviation == name && !known.contains(&offset) {
                known.push(offset);
            }
        };
        let now = zone.to_offset_info(instant(wall));
        remember(now.abbreviation(), now.offset().seconds());
        for transition in zone.preceding(instant(wall)).take(MAX_TRANSITIONS) {
            remember(transition.abbreviation(), transition.offset().seconds());
        }
        // A text without a year is in the year 0, before all of them.
        for transition in zone.following(instant(wall)).take(MAX_TRANSITIONS) {
            remember(transition.abbreviation(), transition.offset().seconds());
        }
        let in_use = known.iter().find(|offset| self.name_at(wall - i64::from(**offset)) == name);
        in_use.or(known.first()).copied()
    }
}

/// Zone tables reach as far as jiff's times do; beyond, the first or last rule goes on.
fn instant(seconds: i64) -> jiff::Timestamp {
    let earliest = seconds_from_date(-9998, 1, 1, 0, 0, 0);
    let latest = seconds_from_date(9999, 12, 1, 0, 0, 0);
    jiff::Timestamp::from_second(seconds.clamp(earliest, latest)).unwrap_or_default()
}
