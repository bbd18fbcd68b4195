use super::*;

/// 2026-10-01T03:00:00Z.
const NOW: Timestamp = Timestamp::from_secs(1_790_823_600);

fn range(parameters: &str) -> Result<RangeRequest, String> {
    let form = Form::parse(b"", parameters).unwrap();
    RangeRequest::read(&form, NOW).map_err(|error| error.to_string())
}

fn instant(parameters: &str) -> Result<InstantRequest, String> {
    let form = Form::parse(b"", parameters).unwrap();
    InstantRequest::read(&form, NOW).map_err(|error| error.to_string())
}

#[test]
fn defaults() {
    let hour = range("query=x").unwrap();
    assert_eq!(hour.bounds, Bounds { start: NOW.minus(Span::from_hours(1)), end: NOW });
    assert_eq!((hour.limit, hour.direction), (100, Direction::Backward));
    assert_eq!((hour.step, hour.interval), (Span::from_secs(14), Span::ZERO));
    let now = instant("query=x").unwrap();
    assert_eq!((now.time, now.limit), (NOW, 100));
}

#[test]
fn bounds_follow_from_each_other() {
    for (parameters, start, end) in [
        ("end=1790820000", 1_790_816_400, 1_790_820_000),
        ("since=30m", 1_790_821_800, 1_790_823_600),
        ("since=1d&end=1790820000", 1_790_733_600, 1_790_820_000),
        ("end=1790827200", 1_790_820_000, 1_790_827_200),
        ("start=1790820000", 1_790_820_000, 1_790_823_600),
        ("start=1790820000&end=1790820000", 1_790_820_000, 1_790_820_000),
    ] {
        let want = Bounds { start: Timestamp::from_secs(start), end: Timestamp::from_secs(end) };
        assert_eq!(range(parameters).unwrap().bounds, want, "{parameters}");
    }
}

#[test]
fn default_steps() {
    for (length, step) in [(3600, 14), (6 * 3600, 86), (24 * 3600, 345), (100, 1), (499, 1), (500, 2)] {
        let asked = range(&format!("start=0&end={length}")).unwrap();
        assert_eq!(asked.step, Span::from_secs(step), "{length}");
    }
}

const NO_STEP: &str =
    "zero or negative query resolution step widths are not accepted. Try a positive integer";
const POINTS: &str = "exceeded maximum resolution of 11,000 points per time series. Try increasing the value of \
                      the step parameter";
const BACKWARDS: &str = "end timestamp must not be before or equal to start time";

#[test]
fn mistakes_of_range_queries() {
    for (parameters, text) in [
        ("since=x", r#"could not parse 'since' parameter: not a valid duration string: "x""#),
        ("since=1.5h", r#"could not parse 'since' parameter: not a valid duration string: "1.5h""#),
        ("end=x", r#"could not parse 'end' parameter: strconv.ParseInt: parsing "x": invalid syntax"#),
        ("start=x", r#"could not parse 'start' parameter: strconv.ParseInt: parsing "x": invalid syntax"#),
        ("start=2&end=1", BACKWARDS),
        ("limit=0", "limit must be a positive value"),
        ("limit=-1", "limit must be a positive value"),
        ("limit=4294967296", "limit value 4294967296 is out of range [0, 4294967295]"),
        ("limit=abc", r#"strconv.Atoi: parsing "abc": invalid syntax"#),
        ("limit=1.5", r#"strconv.Atoi: parsing "1.5": invalid syntax"#),
        ("limit=99999999999999999999", r#"strconv.Atoi: parsing "99999999999999999999": value out of range"#),
        ("direction=sideways", "invalid direction 'sideways'"),
        ("step=abc", r#"cannot parse "abc" to a valid duration"#),
        ("step=1e11", r#"cannot parse "1e11" to a valid duration. It overflows int64"#),
        ("step=0", NO_STEP),
        ("step=-5", NO_STEP),
        ("start=0&end=11001&step=1", POINTS),
        ("interval=x", r#"cannot parse "x" to a valid duration"#),
        ("interval=-1", "interval must be >= 0"),
    ] {
        assert_eq!(range(parameters).unwrap_err(), text, "{parameters}");
    }
    assert!(range("start=0&end=11000.999&step=1").is_ok());
    assert_eq!(range("limit=4294967295").unwrap().limit, u32::MAX);
    assert_eq!(range("direction=FoRward").unwrap().direction, Direction::Forward);
}

#[test]
fn the_first_mistake_is_told() {
    // Each is looked at before all that follow.
    let wrong = ["since=x", "end=x", "start=x", "limit=0", "direction=x", "step=x", "interval=x"];
    let texts = ["'since'", "'end'", "'start'", "limit", "direction", "\"x\"", "\"x\""];
    for first in 0..wrong.len() {
        let error = range(&wrong[first..].join("&")).unwrap_err();
        assert!(error.contains(texts[first]), "{first}: {error}");
    }
    assert_eq!(range("start=2&end=1&limit=0").unwrap_err(), BACKWARDS);
    assert_eq!(range("start=0&end=11001&step=1&interval=x").unwrap_err(), POINTS);
}

#[test]
fn mistakes_of_instant_queries() {
    for (parameters, text) in [
        ("limit=0&time=x", "limit must be a positive value"),
        ("time=x&direction=x", r#"strconv.ParseInt: parsing "x": invalid syntax"#),
        ("direction=x", "invalid direction 'x'"),
    ] {
        assert_eq!(instant(parameters).unwrap_err(), text, "{parameters}");
    }
    assert_eq!(instant("time=4000000000").unwrap().time, Timestamp::from_secs(4_000_000_000));
    assert!(instant("step=x&interval=x&start=x").is_ok(), "these are of range queries");
}
