use std::sync::Arc;

use http::HeaderMap;
use larch_launch::TenantLimits;
use larch_limits::{LimitsSettings, OperationalSettings};
use larch_logql::parse;

use super::*;

fn limits(settings: LimitsSettings) -> ReadLimits {
    let limits = TenantLimits::new(settings, OperationalSettings::default());
    ReadLimits::of(&limits, &"acme".parse().unwrap())
}

fn tags(text: &str) -> QueryTags {
    let mut headers = HeaderMap::new();
    headers.insert("x-query-tags", text.parse().unwrap());
    QueryTags::read(&headers)
}

fn checked(query: &str, limits: &ReadLimits, said: &str) -> Result<(), String> {
    check_query(&parse(query).unwrap(), query, limits, &tags(said)).map_err(|error| error.to_string())
}

#[test]
fn kinds() {
    for (query, kind) in [
        (r#"{a="1"}"#, Kind::Limited),
        (r#"{a="1"} | json | line_format "x""#, Kind::Limited),
        (r#"{a="1"} |= "x""#, Kind::Filter),
        (r#"{a="1"} | json | b="1""#, Kind::Filter),
        (r#"rate({a="1"}[1m])"#, Kind::Metric),
        ("vector(1)", Kind::Metric),
    ] {
        assert_eq!(kind_of(&parse(query).unwrap()), kind, "{query}");
    }
}

#[test]
fn labels_that_selectors_must_have() {
    let required = limits(LimitsSettings {
        required_labels: vec!["app".to_owned(), "env".to_owned()],
        minimum_labels_number: 3,
        ..LimitsSettings::default()
    });
    for (query, error) in [
        (r#"{app="1", env="2", x="3"}"#, None),
        ("vector(1)", None),
        (
            r#"{x="1", y="2", x!="3"}"#,
            Some(
                "stream selector is missing required matchers [app, env], labels present in the query were \
                 [x, y]",
            ),
        ),
        (
            r#"{app="1", env="2"}"#,
            Some(
                "stream selector has less label matchers than required: (present: [app, env], \
                 number_present: 2, required_number_label_matchers: 3)",
            ),
        ),
        (
            r#"rate({app="1", env="2", x="3"}[1m]) / rate({app="1"}[1m])"#,
            Some(
                "stream selector is missing required matchers [env], labels present in the query were [app]",
            ),
        ),
    ] {
        assert_eq!(checked(query, &required, "").err().as_deref(), error, "{query}");
    }
}

#[test]
fn matchers_and_ranges_are_bounded() {
    let tight = limits(LimitsSettings {
        max_streams_matchers_per_query: 2,
        max_query_range: Span::from_hours(1),
        ..LimitsSettings::default()
    });
    assert_eq!(checked(r#"{a="1", b="2"}"#, &tight, ""), Ok(()));
    assert_eq!(
        checked(r#"{a="1", b="2", c="3"}"#, &tight, "").unwrap_err(),
        "max streams matchers per query exceeded, matchers-count > limit (3 > 2)"
    );
    assert_eq!(checked(r#"rate({a="1"}[1h])"#, &tight, ""), Ok(()));
    assert_eq!(
        checked(r#"1 + sum(rate({a="1"}[90m]))"#, &tight, "").unwrap_err(),
        "[interval] value exceeds limit: [1h30m] > [1h]"
    );
}

#[test]
fn no_parallelism_is_no_querying() {
    for settings in [
        LimitsSettings { max_query_parallelism: 0, ..LimitsSettings::default() },
        LimitsSettings { tsdb_max_query_parallelism: 0, ..LimitsSettings::default() },
    ] {
        let error = checked(r#"{a="1"}"#, &limits(settings), "").unwrap_err();
        assert_eq!(error, "querying is disabled, please contact your Loki operator");
    }
}

#[test]
fn internal_streams_are_for_one_app() {
    let all = limits(LimitsSettings::default());
    for label in INTERNAL_LABELS {
        let query = format!(r#"{{{label}="x"}}"#);
        let text = "internal streams can only be queried from Logs Drilldown";
        assert_eq!(checked(&query, &all, "Source=logcli").unwrap_err(), text);
        assert_eq!(checked(&query, &all, "Source=grafana-lokiexplore-app"), Ok(()));
    }
}

#[test]
fn rules_that_block() {
    let query = r#"sum(rate({env="prod"}[1m]))"#;
    let rule = |rule: BlockedQuery| {
        limits(LimitsSettings { blocked_queries: vec![rule], ..LimitsSettings::default() })
    };
    let of_pattern =
        |pattern: &str, regex| BlockedQuery { pattern: pattern.to_owned(), regex, ..BlockedQuery::default() };
    let of_types = |types: &[QueryKind]| BlockedQuery { types: types.to_vec(), ..BlockedQuery::default() };
    let of_tag = |key: &str, value: &str| BlockedQuery {
        query_tags: BTreeMap::from([(key.to_owned(), value.to_owned())]),
        ..BlockedQuery::default()
    };
    for (case, one, blocked) in [
        ("everything", BlockedQuery::default(), true),
        ("its text", of_pattern(&format!(" {query} "), false), true),
        ("a part of its text", of_pattern("prod", false), false),
        ("an expression", of_pattern("env=\"pr.d\"", true), true),
        ("another expression", of_pattern("^env", true), false),
        ("no expression", of_pattern("(", true), false),
        ("its hash", BlockedQuery { hash: fnv1(query.as_bytes()), ..BlockedQuery::default() }, true),
        ("another hash", BlockedQuery { hash: 7, ..BlockedQuery::default() }, false),
        ("its kind", of_types(&[QueryKind::Filter, QueryKind::Metric]), true),
        ("other kinds", of_types(&[QueryKind::Filter, QueryKind::Limited]), false),
        ("its tag", of_tag("source", "GRAFANA"), true),
        ("another tag", of_tag("source", "logcli"), false),
        ("a tag that it has not", of_tag("team", "x"), false),
    ] {
        let found = checked(query, &rule(one), "Source=grafana").err();
        assert_eq!(found.as_deref(), blocked.then_some("query blocked by policy"), "{case}");
    }
}

#[test]
fn the_first_rule_that_fits_the_text_decides() {
    let query = r#"{env="prod"}"#;
    let of_metrics = BlockedQuery { types: vec![QueryKind::Metric], ..BlockedQuery::default() };
    let elsewhere = BlockedQuery { pattern: "other".to_owned(), ..BlockedQuery::default() };
    for (rules, blocked) in [
        (vec![BlockedQuery::default(), of_metrics.clone()], true),
        (vec![of_metrics.clone(), BlockedQuery::default()], false),
        (vec![elsewhere, BlockedQuery::default()], true),
    ] {
        let limits = limits(LimitsSettings { blocked_queries: rules, ..LimitsSettings::default() });
        assert_eq!(checked(query, &limits, "").is_err(), blocked);
    }
}

#[test]
fn rules_of_any_tenant_block() {
    let mut all = limits(LimitsSettings::default());
    let blocks =
        LimitsSettings { blocked_queries: vec![BlockedQuery::default()], ..LimitsSettings::default() };
    all.of_tenants.push(Arc::new(blocks));
    assert!(checked(r#"{a="1"}"#, &all, "").is_err());
}

#[test]
fn lookback_and_length() {
    let at = Timestamp::from_secs;
    let bounds = |start, end| Bounds { start: at(start), end: at(end) };
    let now = at(10_000);
    let hour = Span::from_hours(1);
    assert_eq!(within_lookback(bounds(0, 10), now, Span::ZERO), Some(bounds(0, 10)));
    assert_eq!(within_lookback(bounds(0, 9_000), now, hour), Some(bounds(6_400, 9_000)));
    assert_eq!(within_lookback(bounds(7_000, 9_000), now, hour), Some(bounds(7_000, 9_000)));
    assert_eq!(within_lookback(bounds(0, 6_400), now, hour), Some(bounds(6_400, 6_400)));
    assert_eq!(within_lookback(bounds(0, 6_399), now, hour), None);
    assert_eq!(check_length(bounds(0, 3_600), hour), Ok(()));
    assert_eq!(check_length(bounds(0, 1_000_000), Span::ZERO), Ok(()));
    assert!(check_length(bounds(0, 3_601), hour).is_err());
}
