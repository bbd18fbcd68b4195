//! Parameters: what they may be, what is said of others, and which is looked at first.

use super::*;

const NUMBER: &str = "strconv.ParseInt: parsing \"x\": invalid syntax";

#[test]
fn of_range_queries() {
    let house = House::start(SETTINGS);
    let start = format!("could not parse 'start' parameter: {NUMBER}");
    let end = format!("could not parse 'end' parameter: {NUMBER}");
    let step = "zero or negative query resolution step widths are not accepted. Try a positive integer";
    let points = "exceeded maximum resolution of 11,000 points per time series. Try increasing the value of the step parameter";
    let order = "end timestamp must not be before or equal to start time";
    let positive = "limit must be a positive value";
    let cases = [
        ("start=x", start.as_str()),
        (
            "start=1.7e9x",
            "could not parse 'start' parameter: strconv.ParseInt: parsing \"1.7e9x\": invalid syntax",
        ),
        (
            "start=17e8",
            "could not parse 'start' parameter: strconv.ParseInt: parsing \"17e8\": invalid syntax",
        ),
        ("end=x", &end),
        ("since=1y2", "could not parse 'since' parameter: not a valid duration string: \"1y2\""),
        ("start=10&end=5", order),
        ("limit=0", positive),
        ("limit=-1", positive),
        ("limit=x", "strconv.Atoi: parsing \"x\": invalid syntax"),
        ("limit=4294967296", "limit value 4294967296 is out of range [0, 4294967295]"),
        (
            "limit=5001",
            "max entries limit per query exceeded, limit > max_entries_limit_per_query (5001 > 5000)",
        ),
        ("direction=up", "invalid direction 'up'"),
        ("step=0", step),
        ("step=-5", step),
        ("step=x", "cannot parse \"x\" to a valid duration"),
        ("step=NaN", "cannot parse \"NaN\" to a valid duration"),
        ("step=1e300", "cannot parse \"1e300\" to a valid duration. It overflows int64"),
        ("step=1s&start=1&end=12000", points),
        ("interval=-1", "interval must be >= 0"),
        ("interval=x", "cannot parse \"x\" to a valid duration"),
        (
            "start=1&end=9000000",
            "the query time range exceeds the limit (query length: 2499h59m59s, limit: 30d1h)",
        ),
    ];
    for (parameters, text) in cases {
        let target = format!(r#"/loki/api/v1/query_range?query={{app="shop"}}&{parameters}"#);
        house.check(&[bad(&target, text)]);
    }
    // Of several mistakes the first in this order is told; that of the query is the last.
    for (parameters, text) in [
        ("start=10&end=5&limit=0&direction=up&step=0&interval=-1&query={", order),
        ("limit=0&direction=up&step=0&interval=-1&query={", positive),
        ("direction=up&step=0&interval=-1&query={", "invalid direction 'up'"),
        ("step=0&interval=-1&query={", step),
        ("step=1ms&interval=-1&query={", points),
        ("interval=-1&query={", "interval must be >= 0"),
    ] {
        house.check(&[bad(&format!("/loki/api/v1/query_range?{parameters}"), text)]);
    }
    for parameters in [
        "direction=FORWARD",
        "direction=backward",
        "step=1h30m",
        "step=15000ms",
        "step=0.5&since=1h",
        "since=1w",
        "shards=1&unknown=x",
    ] {
        let target = format!(r#"/loki/api/v1/query_range?query={{app="shop"}}&{parameters}"#);
        house.check(&[Case { target: &target, ..GET }]);
    }
    house.larch.stop();
}

#[test]
fn of_other_endpoints() {
    let house = House::start(SETTINGS);
    let positive = "limit must be a positive value";
    let shop = r#"query={app="shop"}"#;
    for (target, text) in [
        ("query?query=vector(1)&time=x", NUMBER),
        ("query?query=vector(1)&limit=0", positive),
        ("query?query=vector(1)&direction=up", "invalid direction 'up'"),
        ("index/volume?query={}&limit=-1", positive),
        ("index/volume?query={}&limit=x", "strconv.Atoi: parsing \"x\": invalid syntax"),
        ("index/volume?query={}&aggregateBy=x", "invalid aggregation option"),
        (
            "index/volume_range?query={}&step=0",
            "zero or negative query resolution step widths are not accepted. Try a positive integer",
        ),
        (&format!("index/shards?{shop}"), "targetBytesPerShard must be a positive value"),
        (
            &format!("index/shards?{shop}&targetBytesPerShard=-1"),
            "targetBytesPerShard must be a positive value",
        ),
        (&format!("detected_fields?{shop}&limit=0"), positive),
        (&format!("detected_fields?{shop}&line_limit=0"), positive),
        (
            &format!("detected_fields?{shop}&line_limit=5001"),
            "max entries limit per query exceeded, limit > max_entries_limit_per_query (5001 > 5000)",
        ),
        (
            &format!("detected_fields?{shop}&step=0"),
            "zero or negative query resolution step widths are not accepted. Try a positive integer",
        ),
    ] {
        house.check(&[bad(&format!("/loki/api/v1/{target}"), text)]);
    }
    for endpoint in [
        "labels",
        "label/app/values",
        "series",
        "index/stats",
        "index/volume",
        "detected_labels",
        "detected_fields",
    ] {
        let target = format!("/loki/api/v1/{endpoint}?{shop}&start=x");
        house.check(&[bad(&target, &format!("could not parse 'start' parameter: {NUMBER}"))]);
    }
    house.larch.stop();
}
