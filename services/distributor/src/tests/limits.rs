//! What a tenant's limits do to streams and rows, in the words that clients know.

use std::collections::BTreeMap;

use larch_limits::{BlockedUntil, LimitsSettings, PolicyLimits, PriorityStream, StreamRetention};
use larch_types::{ByteSize, Span};
use regex::{Captures, Regex};

use super::house::{Answer, JSON, V1, Wanted, in_house};

/// One push. In bodies `@` is now in nanoseconds, `@-5m` and `@+5m` are minutes before and behind it.
struct Case<'c> {
    limits: LimitsSettings,
    headers: &'c [(&'c str, &'c str)],
    streams: &'c str,
    status: u16,
    text: &'c str,
    rows: &'c [&'c str],
}

impl Default for Case<'_> {
    fn default() -> Self {
        Self {
            limits: LimitsSettings::default(),
            headers: &[],
            streams: "",
            status: 204,
            text: "",
            rows: &[],
        }
    }
}

/// Gives what is counted as discarded, by reason.
#[track_caller]
fn check(case: Case<'_>) -> BTreeMap<String, u64> {
    let Case { limits, headers, streams, status, text, rows } = case;
    let mut discarded = BTreeMap::new();
    let counted = &mut discarded;
    in_house(Wanted { limits, ..Wanted::default() }, async move |house| {
        let now = house.now().nanos();
        let time = |found: &Captures<'_>| {
            let minutes: i64 = found.get(1).map_or(0, |minutes| minutes.as_str().parse().unwrap());
            (now + minutes * 60_000_000_000).to_string()
        };
        let times = Regex::new(r"@(?:([+-]\d+)m)?").unwrap();
        let body = format!(r#"{{"streams":[{}]}}"#, times.replace_all(streams, time));
        let headers: Vec<_> = [JSON].into_iter().chain(headers.iter().copied()).collect();
        let end = if status == 204 { "" } else { "\n" };
        let want = Answer { status, text: format!("{text}{end}") };
        assert_eq!(house.push(V1, &headers, body).await, want);
        assert_eq!(house.rows(), rows);
        for line in house.scraped("loki_discarded_samples_total{") {
            let reason = line.split("reason=\"").nth(1).unwrap().split('"').next().unwrap();
            *counted.entry(reason.to_owned()).or_default() +=
                line.rsplit(' ').next().unwrap().parse::<f64>().unwrap() as u64;
        }
    });
    discarded
}

#[track_caller]
fn discards(case: Case<'_>, reason: &str, rows: u64) {
    assert_eq!(check(case), BTreeMap::from([(reason.to_owned(), rows)]));
}

const A: &str = r#"{app="a", service_name="a"}"#;
const ROW: &str = r#"{"stream":{"app":"a"},"values":[["@","x"]]}"#;
const GOOD: &str = r#"{app="a", service_name="a"} x [unknown]"#;

/// A second stream that is taken whatever becomes of the first.
fn and_good(bad: &str) -> String {
    format!("{bad},{ROW}")
}

#[test]
fn labels_of_a_stream() {
    let nothing_found = LimitsSettings { discover_service_name: Vec::new(), ..Default::default() };
    discards(
        Case {
            limits: nothing_found,
            streams: r#"{"values":[["@","x"],["@","y"]]}"#,
            status: 400,
            text: "error at least one label pair is required per stream",
            ..Case::default()
        },
        "missing_labels",
        2,
    );
    // As long as the name and the value that Larch itself gives.
    let limits = LimitsSettings {
        max_label_names_per_series: 2,
        max_label_name_length: 12,
        max_label_value_length: 15,
        ..Default::default()
    };
    for (labels, reason, text) in [
        (
            r#"{a="1", b="2", c="3"}"#,
            "max_label_names_per_series",
            r#"entry for stream '{a="1", b="2", c="3", service_name="unknown_service"}' has 3 label names; limit 2"#,
        ),
        (
            r#"{a="1234567890123456", name_of_13_by="1"}"#,
            "label_value_too_long",
            r#"stream '{a="1234567890123456", name_of_13_by="1", service_name="unknown_service"}' has label value too long: '1234567890123456'"#,
        ),
        (
            r#"{name_of_13_by="1234567890123456"}"#,
            "label_name_too_long",
            r#"stream '{name_of_13_by="1234567890123456", service_name="unknown_service"}' has label name too long: 'name_of_13_by'"#,
        ),
        (
            r#"{b="2", b="1"}"#,
            "duplicate_label_names",
            r#"stream '{b="2", b="1", service_name="unknown_service"}' has duplicate label name: 'b'"#,
        ),
    ] {
        let labels = labels.replace('"', "\\\"");
        let row = r#"{"ts":"2026-01-01T00:00:00Z","line":"x"}"#;
        let streams = and_good(&format!(r#"{{"labels":"{labels}","entries":[{row}]}}"#));
        let limits = limits.clone();
        discards(
            Case { limits, streams: &streams, status: 400, text, rows: &[GOOD], ..Case::default() },
            reason,
            1,
        );
    }
    // What the client itself calls its service is no more its own.
    check(Case {
        limits,
        streams: r#"{"stream":{"a":"1","b":"2","service_name":"s"},"values":[["@","x"]]}"#,
        rows: &[r#"{a="1", b="2", service_name="s"} x [unknown]"#],
        ..Case::default()
    });
}

#[test]
fn zero_is_no_limit() {
    check(Case {
        limits: LimitsSettings {
            max_label_names_per_series: 0,
            max_label_name_length: 0,
            max_label_value_length: 0,
            max_line_size: ByteSize::bytes(0),
            max_structured_metadata_size: ByteSize::bytes(0),
            max_structured_metadata_entries_count: 0,
            ..Default::default()
        },
        streams: r#"{"stream":{"app":"a"},"values":[["@","x",{"k":"v"}]]}"#,
        rows: &[r#"{app="a", service_name="a"} x k=v [unknown]"#],
        ..Case::default()
    });
}

#[test]
fn enforced_labels() {
    let limits = LimitsSettings {
        enforced_labels: vec!["team".into(), "env".into()],
        policy_enforced_labels: BTreeMap::from([
            ("*".to_owned(), vec!["zone".to_owned()]),
            ("p".to_owned(), vec!["owner".to_owned(), "team".to_owned()]),
        ]),
        policy_stream_mapping: BTreeMap::from([(
            "p".to_owned(),
            vec![PriorityStream { selector: r#"{app="a"}"#.into(), priority: 1 }],
        )]),
        ..Default::default()
    };
    let text = r#"missing required labels 'team,env,owner,zone' for user 't' for stream '{app="a", service_name="a"}' (policy: 'p')"#;
    discards(
        Case { limits: limits.clone(), streams: ROW, status: 400, text, ..Case::default() },
        "missing_enforced_labels",
        1,
    );
    let text = r#"missing required labels 'env,zone' for user 't' for stream '{service_name="unknown_service", team="x"}' (policy: '')"#;
    discards(
        Case {
            limits: limits.clone(),
            streams: r#"{"stream":{"team":"x"},"values":[["@","x"]]}"#,
            status: 400,
            text,
            ..Case::default()
        },
        "missing_enforced_labels",
        1,
    );
    let twice =
        r#"{"labels":"{__pattern__=\"x\", a=\"1\", a=\"2\"}","entries":[{"ts":"2026-01-01T00:00:00Z"}]}"#;
    let text = r#"stream '{__pattern__="x", a="1", a="2"}' has duplicate label name: 'a'"#;
    let of_limits = limits.clone();
    discards(
        Case { limits: of_limits, streams: twice, status: 400, text, ..Case::default() },
        "duplicate_label_names",
        1,
    );
    check(Case {
        limits,
        streams: r#"{"stream":{"__pattern__":"x"},"values":[["@","internal"]]}"#,
        rows: &[r#"{__pattern__="x"} internal [unknown]"#],
        ..Case::default()
    });
}

#[test]
fn blocked_ingestion() {
    let until = BlockedUntil::new("2026-01-02T00:00:00.5Z".parse().unwrap());
    let all = LimitsSettings { block_ingestion_until: until, ..Default::default() };
    let text = "ingestion blocked for user 't' until '2026-01-02T00:00:00Z' with status code '260'";
    let twice = format!("{ROW},{ROW}");
    discards(
        Case { limits: all.clone(), streams: &twice, status: 260, text, ..Case::default() },
        "blocked_ingestion",
        2,
    );
    let silent = LimitsSettings { block_ingestion_status_code: 200, ..all.clone() };
    discards(Case { limits: silent, streams: ROW, ..Case::default() }, "blocked_ingestion", 1);
    let past = BlockedUntil::new("2025-12-31T23:59:59Z".parse().unwrap());
    let over = LimitsSettings { block_ingestion_until: past, ..Default::default() };
    check(Case { limits: over, streams: ROW, rows: &[GOOD], ..Case::default() });

    let of_policy = LimitsSettings {
        block_ingestion_policy_until: BTreeMap::from([("p".to_owned(), until)]),
        block_ingestion_status_code: 429,
        policy_stream_mapping: BTreeMap::from([(
            "p".to_owned(),
            vec![PriorityStream { selector: r#"{app="b"}"#.into(), priority: 1 }],
        )]),
        ..Default::default()
    };
    let blocked = r#"{"stream":{"app":"b"},"values":[["@","y"]]}"#;
    let text =
        "ingestion blocked for user 't' (policy: 'p') until '2026-01-02T00:00:00Z' with status code '429'";
    discards(
        Case {
            limits: of_policy.clone(),
            streams: &and_good(blocked),
            status: 429,
            text,
            rows: &[GOOD],
            ..Case::default()
        },
        "blocked_ingestion_policy",
        1,
    );
    let forced = [("x-loki-ingestion-policy", "p")];
    discards(
        Case {
            limits: of_policy.clone(),
            headers: &forced,
            streams: ROW,
            status: 429,
            text,
            ..Case::default()
        },
        "blocked_ingestion_policy",
        1,
    );
    // What is invalid outranks what is blocked.
    let both = format!(r#"{blocked},{{"stream":{{"app":"a"}},"values":[["@","x"],["@+11m","new"]]}}"#);
    let text = format!("entry for stream '{A}' has timestamp too new: 2026-01-01T00:11:00Z");
    check(Case {
        limits: of_policy,
        streams: &both,
        status: 400,
        text: &text,
        rows: &[GOOD],
        ..Case::default()
    });

    let without_policy = LimitsSettings {
        block_ingestion_policy_until: BTreeMap::from([("*".to_owned(), until)]),
        ..Default::default()
    };
    let text =
        "ingestion blocked for user 't' (policy: '*') until '2026-01-02T00:00:00Z' with status code '260'";
    discards(
        Case { limits: without_policy, streams: ROW, status: 260, text, ..Case::default() },
        "blocked_ingestion_policy",
        1,
    );
}

fn case<'c>(streams: &'c str, status: u16, text: &'c str, rows: &'c [&'c str]) -> Case<'c> {
    Case { streams, status, text, rows, ..Case::default() }
}

#[test]
fn times_of_rows() {
    let stream = |values: &str| format!(r#"{{"stream":{{"app":"a"}},"values":[{values}]}}"#);
    check(Case {
        streams: &stream(r#"["@-10080m","at the bound"],["@+10m","at the other"]"#),
        rows: &[&format!("{A} at the bound [unknown]"), &format!("{A} at the other [unknown]")],
        ..Case::default()
    });
    let old = format!(
        "entry for stream '{A}' has timestamp too old: 2025-12-24T00:00:00Z, oldest acceptable timestamp is: \
         2025-12-25T00:00:00Z"
    );
    discards(
        case(&stream(r#"["@-11520m","old"],["@","x"]"#), 400, &old, &[GOOD]),
        "greater_than_max_sample_age",
        1,
    );
    let new = format!("entry for stream '{A}' has timestamp too new: 2026-01-01T00:11:00Z");
    discards(case(&stream(r#"["@+11m","new"],["@","x"]"#), 400, &new, &[GOOD]), "too_far_in_future", 1);
    let missing = old.replace("2025-12-24T00:00:00Z", "0001-01-01T00:00:00Z");
    discards(case(&stream("[]"), 400, &missing, &[]), "greater_than_max_sample_age", 1);
    let several = format!("2 errors like: {old}; 1 errors like: {new}");
    let counted = check(case(
        &stream(r#"["@-11520m","old"],["@+11m","new"],["@-11520m","as old"],["@","x"]"#),
        400,
        &several,
        &[GOOD],
    ));
    assert_eq!(counted.values().sum::<u64>(), 3);

    let any_age = LimitsSettings { reject_old_samples: false, ..Default::default() };
    check(Case {
        limits: any_age.clone(),
        streams: &stream(r#"["0","old"]"#),
        rows: &[&format!("{A} old [unknown]")],
        ..Case::default()
    });
    let missing = missing.replace("2025-12-25T00:00:00Z", "1677-09-21T00:12:43Z");
    discards(
        Case { limits: any_age, streams: &stream("[]"), status: 400, text: &missing, ..Case::default() },
        "greater_than_max_sample_age",
        1,
    );
}

#[test]
fn lines_and_metadata() {
    let small = LimitsSettings {
        max_line_size: ByteSize::bytes(4),
        max_structured_metadata_size: ByteSize::bytes(6),
        max_structured_metadata_entries_count: 2,
        ..Default::default()
    };
    let streams_of = |row: &str| format!(r#"{{"stream":{{"app":"a"}},"values":[["@","x"],["@",{row}]]}}"#);
    let contact = "or contact your Loki administrator to increase it";
    for (row, reason, text) in [
        (
            r#""12345""#,
            "line_too_long",
            format!(
                "max entry size '4' bytes exceeded for stream '{A}' while adding an entry with length '5' bytes"
            ),
        ),
        (
            r#""y",{"key":"1234"}"#,
            "structured_metadata_too_large",
            format!(
                "stream '{A}' has structured metadata too large: '7' bytes, limit: '6' bytes. Please see \
                 `limits_config.max_structured_metadata_size` {contact}"
            ),
        ),
        (
            r#""y",{"a":"1","b":"","a":"3"}"#,
            "structured_metadata_too_many",
            format!(
                "stream '{A}' has too many structured metadata labels: '3', limit: '2'. Please see \
                 `limits_config.max_structured_metadata_entries_count` {contact}"
            ),
        ),
    ] {
        let limits = small.clone();
        let streams = streams_of(row);
        discards(
            Case { limits, streams: &streams, status: 400, text: &text, rows: &[GOOD], ..Case::default() },
            reason,
            1,
        );
    }
    let none = LimitsSettings { allow_structured_metadata: false, ..Default::default() };
    let text = format!(
        "stream '{A}' includes structured metadata, but this feature is disallowed. Please see \
         `limits_config.allow_structured_metadata` or contact your Loki administrator to enable it"
    );
    discards(
        Case {
            limits: none,
            streams: &streams_of(r#""y",{"a":"1"}"#),
            status: 400,
            text: &text,
            rows: &[&format!("{A} x")],
            ..Case::default()
        },
        "disallowed_structured_metadata",
        1,
    );
}

#[test]
fn lines_are_cut_if_the_tenant_wants_it() {
    let limits = |end: &str| LimitsSettings {
        max_line_size: ByteSize::bytes(6),
        max_line_size_truncate: true,
        max_line_size_truncate_identifier: end.to_owned(),
        ..Default::default()
    };
    let streams = r#"{"stream":{"app":"a"},"values":[["@","123456"],["@","12345678"]]}"#;
    for (end, cut) in [("", "123456"), ("...", "123..."), ("......", "......"), ("longer than it", "123456")]
    {
        let rows = [format!("{A} 123456 [unknown]"), format!("{A} {cut} [unknown]")];
        let rows = rows.each_ref().map(String::as_str);
        check(Case { limits: limits(end), streams, rows: &rows, ..Case::default() });
    }
    in_house(Wanted { limits: limits("..."), ..Wanted::default() }, async |house| {
        let now = house.now().nanos().to_string();
        house.push_json(&format!(r#"{{"streams":[{}]}}"#, streams.replace('@', &now))).await;
        assert_eq!(
            house.scraped("loki_mutated_"),
            [
                r#"loki_mutated_bytes_total{reason="line_too_long",tenant="t"} 2"#,
                r#"loki_mutated_samples_total{reason="line_too_long",tenant="t"} 1"#,
            ]
        );
    });
}

#[test]
fn levels() {
    let streams = r#"{"stream":{"app":"a"},"values":[["@","an error"],["@","an error",{"level":"dbg"}],
        ["@","an error",{"detected_level":"WRN"}],["@","an error",{"detected_level":"odd"}]]},
        {"stream":{"app":"a","severity":"odd"},"values":[["@","an error"]]}"#;
    let with_severity = r#"{app="a", service_name="a", severity="odd"} an error"#;
    check(Case {
        streams,
        rows: &[
            &format!("{A} an error [error]"),
            &format!("{A} an error level=dbg [debug]"),
            &format!("{A} an error detected_level=warn"),
            &format!("{A} an error detected_level=odd"),
            &format!("{with_severity} [odd]"),
        ],
        ..Case::default()
    });
    check(Case {
        limits: LimitsSettings { discover_log_levels: false, ..Default::default() },
        streams,
        rows: &[
            &format!("{A} an error"),
            &format!("{A} an error level=dbg"),
            &format!("{A} an error detected_level=WRN"),
            &format!("{A} an error detected_level=odd"),
            with_severity,
        ],
        ..Case::default()
    });
}

#[test]
fn equal_times_are_moved_apart_if_the_tenant_wants_it() {
    let limits = LimitsSettings { increment_duplicate_timestamp: true, ..Default::default() };
    in_house(Wanted { limits, ..Wanted::default() }, async |house| {
        let now = house.now().nanos();
        let times = [(0, "a"), (0, "b"), (0, "b"), (0, "c"), (1, "d"), (9, "e"), (9, "e"), (0, "f")];
        let values = times.map(|(behind, line)| format!(r#"["{}","{line}"]"#, now + behind)).join(",");
        let body = format!(r#"{{"streams":[{{"stream":{{"app":"a"}},"values":[{values}]}}]}}"#);
        assert_eq!(house.push_json(&body).await.status, 204);
        let request = &house.kept()[0];
        let rows: Vec<_> = request.streams[0]
            .entries
            .iter()
            .map(|row| (row.timestamp.nanos() - now, String::from_utf8_lossy(&row.line).into_owned()))
            .collect();
        let want = [(0, "a"), (1, "b"), (0, "b"), (1, "c"), (2, "d"), (9, "e"), (9, "e"), (0, "f")];
        assert_eq!(rows, want.map(|(behind, line)| (behind, line.to_owned())));
    });
}

#[test]
fn the_rate_refuses_a_push_as_a_whole() {
    let limits = LimitsSettings {
        ingestion_rate_mb: 1.0 / 1024.0,
        ingestion_burst_size_mb: 1.0 / 1024.0,
        policy_override_limits: BTreeMap::from([(
            "p".to_owned(),
            PolicyLimits { ingestion_rate_mb: 1.0, ingestion_burst_size_mb: 1.0, ..Default::default() },
        )]),
        ..Default::default()
    };
    let line = "x".repeat(1000);
    let streams = format!(
        r#"{{"stream":{{"app":"a"}},"values":[["@","{line}",{{"key":"{}"}}],["@-11520m","too old"]]}},{ROW}"#,
        "v".repeat(21)
    );
    let text = "ingestion rate limit exceeded for user t (limit: 1024 bytes/sec) while attempting to ingest '2' \
                lines totaling '1025' bytes, reduce log volume or contact your Loki administrator to see if the \
                limit can be increased";
    let counted =
        check(Case { limits: limits.clone(), streams: &streams, status: 429, text, ..Case::default() });
    let want = [("greater_than_max_sample_age".to_owned(), 1), ("rate_limited".to_owned(), 2)];
    assert_eq!(counted, BTreeMap::from(want), "the rate outranks what is invalid");

    let forced = [("x-loki-ingestion-policy", "p")];
    let rows = [format!("{A} {line} [unknown]"), GOOD.to_owned()];
    let rows = rows.each_ref().map(String::as_str);
    let streams = format!(r#"{{"stream":{{"app":"a"}},"values":[["@","{line}"]]}},{ROW}"#);
    check(Case { limits, headers: &forced, streams: &streams, rows: &rows, ..Case::default() });
}

#[test]
fn what_is_counted() {
    let limits = LimitsSettings {
        retention_period: Span::from_days(31),
        retention_stream: vec![StreamRetention {
            period: Span::from_days(1),
            priority: 1,
            selector: r#"{app="b"}"#.into(),
        }],
        policy_stream_mapping: BTreeMap::from([(
            "p".to_owned(),
            vec![PriorityStream { selector: r#"{app="b"}"#.into(), priority: 1 }],
        )]),
        ..Default::default()
    };
    in_house(Wanted { limits, ..Wanted::default() }, async |house| {
        let (now, before) = (house.now().nanos(), house.now().nanos() - 1_500_000_000);
        let body = format!(
            r#"{{"streams":[
                {{"stream":{{"app":"a"}},"values":[["{before}","12345",{{"k":"v"}}],["1","old"]]}},
                {{"stream":{{"app":"b"}},"values":[["{before}","1"]]}}]}}"#
        );
        let headers = [JSON, ("user-agent", "promtail/3")];
        assert_eq!(house.push(V1, &headers, body.clone()).await.status, 400);
        let size = body.len();
        let of_a = r#"is_internal_stream="false",policy="",format="loki"} "#;
        let of_b = r#"is_internal_stream="false",policy="p",format="loki"} "#;
        assert_eq!(
            house.scraped("loki_distributor_"),
            [
                format!(r#"loki_distributor_bytes_received_total{{tenant="t",retention_hours="24",{of_b}1"#),
                format!(
                    r#"loki_distributor_bytes_received_total{{tenant="t",retention_hours="744",{of_a}10"#
                ),
                format!(
                    r#"loki_distributor_expanded_bytes_received_total{{tenant="t",format="loki"}} {size}"#
                ),
                r#"loki_distributor_ingester_appends_total{ingester="ingester-0:1"} 1"#.to_owned(),
                "loki_distributor_ingester_clients 1".to_owned(),
                r#"loki_distributor_lag_ms_total{tenant="t",userAgent="promtail/3",format="loki"} 1500"#
                    .to_owned(),
                format!(r#"loki_distributor_lines_received_total{{tenant="t",{of_a}2"#),
                format!(r#"loki_distributor_lines_received_total{{tenant="t",{of_b}1"#),
                r#"loki_distributor_push_stats_count{tenant="t",content_type="application/json",content_encoding="",content_version="v1",format="loki"} 1"#
                    .to_owned(),
                "loki_distributor_replication_factor 1".to_owned(),
                format!(
                    r#"loki_distributor_structured_metadata_bytes_received_total{{tenant="t",retention_hours="744",{of_a}2"#
                ),
            ]
        );
        let labels = r#"reason="greater_than_max_sample_age",tenant="t",retention_hours="744",policy="",format="loki""#;
        assert_eq!(
            house.scraped("loki_discarded_"),
            [
                format!("loki_discarded_bytes_total{{{labels}}} 3"),
                format!("loki_discarded_samples_total{{{labels}}} 1"),
            ]
        );
        assert_eq!(house.scraped("loki_bytes_per_line_count"), ["loki_bytes_per_line_count 3"]);
        assert!(now > before);
    });
}
