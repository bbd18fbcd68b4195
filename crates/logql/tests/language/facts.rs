//! What planners are told of a query.

use larch_logql::{
    Expr, LabelNeed, LineNeed, Needle, ShardSplit, parse, parse_metric, reach, run_order, scans, shard_split,
    window_split,
};
use larch_types::Span;

/// `labels; line; needles`.
fn describe(query: &str) -> String {
    let expr = parse(query).expect(query);
    let mut out = Vec::new();
    for scan in scans(&expr) {
        let labels = match scan.labels {
            LabelNeed::All => "all".to_owned(),
            LabelNeed::Only(names) => format!("[{}]", names.into_iter().collect::<Vec<_>>().join(" ")),
        };
        let line = match scan.line {
            LineNeed::Nothing => "nothing",
            LineNeed::Length => "length",
            LineNeed::Content => "content",
        };
        let mut needles = Vec::new();
        for any_of in scan.needles.0 {
            let any_of: Vec<String> = any_of.0.iter().map(needle).collect();
            needles.push(any_of.join("|"));
        }
        let errors = if scan.groups_errors { " errors" } else { "" };
        out.push(format!("{labels}{errors}; {line}; {}", needles.join(" ")));
    }
    out.join(" + ")
}

/// In quotes; with a mark if its case does not matter.
fn needle(needle: &Needle) -> String {
    let case = if needle.ignore_ascii_case { "i" } else { "" };
    format!("{:?}{case}", String::from_utf8_lossy(&needle.bytes))
}

#[test]
fn reads() {
    for (query, want) in [
        (r#"{a="b"} | json | x="y""#, "all; content; "),
        (r#"{a="b"} |= "x" or "y" |= "z" != "n" |~ "re""#, r#"all; content; "x"|"y" "z" "re""#),
        (r#"{a="b"} | json |= "x" | level="e" |= "y""#, r#"all; content; "x" "y""#),
        // Any of these may be another line.
        (r#"{a="b"} |= "x" | line_format "l" |= "y""#, r#"all; content; "x""#),
        (r#"{a="b"} | unpack |= "y""#, "all; content; "),
        (r#"{a="b"} | decolorize |= "y""#, "all; content; "),
        // An operand that may match anything makes the filter worthless.
        (r#"{a="b"} |= "" or "x""#, "all; content; "),
        (r#"{a="b"} |= ip("1.2.3.4") or "x""#, "all; content; "),
        (r#"{a="b"} |> "<_> error <_> code=<_>""#, r#"all; content; " error " " code=""#),
        (r#"{a="b"} |> "<_>ab" or "c<_>def""#, r#"all; content; "ab"|"def""#),
        (r#"{a="b"} |~ "code=5\\d\\d.*(get|put)" !~ "x""#, r#"all; content; "code=5" "get"|"put""#),
        (r#"{a="b"} |~ "(?i)Timeout" or "refused""#, r#"all; content; "refused"|"timeout"i"#),
        (r#"{a="b"} |~ "a|.*""#, "all; content; "),
        (r#"{a="b"} |> "<_>" !> "x""#, "all; content; "),
        (r#"count_over_time({a="b"}[1m])"#, "all; nothing; "),
        (r#"bytes_rate({a="b"} | x="y" | drop z [1m])"#, "all; length; "),
        (r#"count_over_time({a="b"} |= "x" [1m])"#, r#"all; content; "x""#),
        // Nothing is asked of the parser.
        (r#"sum(count_over_time({a="b"} | json [1m]))"#, "[]; nothing; "),
        (r#"sum(bytes_over_time({a="b"} | unpack [1m]))"#, "[]; content; "),
        (r#"sum(count_over_time({a="b"} | json | x_extracted > 5 [1m]))"#, "[x x_extracted]; content; "),
        (r#"sum by (l) (rate({a="b"} | logfmt | x="1" or y=2 [1m]))"#, "[l x y]; content; "),
        (r#"sum by (l) (rate({a="b"} | label_format l=m [1m]))"#, "[l m]; nothing; "),
        (r#"sum by (l) (rate({a="b"} | label_format l="{{.m}}" [1m]))"#, "[l m]; nothing; "),
        (r#"sum by (l) (rate({a="b"} | label_format l="{{.}}" [1m]))"#, "all; nothing; "),
        (r#"sum by (l) (rate({a="b"} | label_format l="{{__line__}}" [1m]))"#, "[l]; content; "),
        (r#"sum by (l) (rate({a="b"} | label_format l="m" [1m]))"#, "[l]; nothing; "),
        (r#"sum without (l) (rate({a="b"} | json [1m]))"#, "all; content; "),
        (r#"max by (l) (rate({a="b"} | json [1m]))"#, "all; content; "),
        (r#"sum by (l) (max_over_time({a="b"} | json | unwrap x [1m]))"#, "all; content; "),
        (r#"max_over_time({a="b"} | json | unwrap x | y=1 [1m]) by (l)"#, "[l x y]; content; "),
        (r#"sum by (l) (sum_over_time({a="b"} | unwrap x [1m]))"#, "[l x]; nothing; "),
        (r#"sum by (__error__) (rate({a="b"} | json [1m]))"#, "[__error__] errors; content; "),
        (r#"rate({a="b"} | json | __error__="" [1m])"#, "all errors; content; "),
        (r#"sum(rate({a="b"}[1m])) / sum(bytes_rate({c="d"}[2m]))"#, "[]; nothing;  + []; length; "),
        ("1 + vector(1)", ""),
    ] {
        assert_eq!(describe(query), want, "{query}");
    }
}

#[test]
fn how_far_back() {
    for (query, want) in [
        ("vector(1)", None),
        (r#"rate({a="b"}[5m])"#, Some((300, 0, 300))),
        (r#"rate({a="b"}[5m] offset 1h) + rate({a="b"}[10m] offset -1m)"#, Some((3900, -60, 600))),
    ] {
        let found = reach(&parse_metric(query).expect(query));
        let seconds = |span: Span| span.nanos() / 1_000_000_000;
        let found =
            found.map(|found| (seconds(found.back), seconds(found.front), seconds(found.longest_range)));
        assert_eq!(found, want, "{query}");
    }
}

#[test]
fn filters_run_early() {
    for (query, want) in [
        (r#"{a="b"} | json |= "x" | drop y != "z""#, r#"|= "x" | json | drop y!="z""#),
        (
            r#"{a="b"} | json |= "x" | label_format a=b | keep c,d |= "y""#,
            r#"|= "x" |= "y" | json | label_format a=b | keep c,d"#,
        ),
        (r#"{a="b"} | json | x="1" | json |= "x""#, r#"| json | x="1" |= "x" | json"#),
        (
            r#"{a="b"} | decolorize |= "x" | unpack |= "y" | line_format "l" |= "z""#,
            r#"| decolorize |= "x" | unpack |= "y" | line_format "l" |= "z""#,
        ),
    ] {
        let Expr::Log(log) = parse(query).expect(query) else { panic!("{query}") };
        let ordered: Vec<String> = run_order(&log.pipeline).iter().map(ToString::to_string).collect();
        assert_eq!(ordered.join(" "), want);
    }
}

fn describe_shards(query: &str) -> String {
    match shard_split(&parse_metric(query).expect(query)) {
        ShardSplit::Whole => "whole".to_owned(),
        ShardSplit::Operands => "operands".to_owned(),
        ShardSplit::Merged(merge) => format!("{merge:?}"),
        ShardSplit::Average { sum, count } => {
            for part in [&sum, &count] {
                // Each part must be a query that can be merged by adding.
                let part = parse_metric(&part.to_string()).expect(query);
                assert!(matches!(shard_split(&part), ShardSplit::Merged(larch_logql::Merge::Sum)), "{part}");
            }
            format!("{sum} over {count}")
        }
    }
}

#[test]
fn shards() {
    for (query, want) in [
        (r#"count_over_time({a="b"}[1m])"#, "Sum"),
        (r#"rate({a="b"} | drop pod | unwrap x [1m])"#, "Sum"),
        (r#"min_over_time({a="b"} | unwrap x [1m]) by (y)"#, "Min"),
        (r#"max_over_time({a="b"} | drop pod | unwrap x [1m])"#, "Max"),
        (r#"quantile_over_time(0.9, {a="b"} | unwrap x [1m])"#, "whole"),
        (r#"first_over_time({a="b"} | unwrap x [1m])"#, "whole"),
        (r#"stddev_over_time({a="b"} | unwrap x [1m])"#, "whole"),
        (r#"rate_counter({a="b"} | unwrap x [1m])"#, "whole"),
        (r#"absent_over_time({a="b"}[1m])"#, "whole"),
        (
            r#"avg_over_time({a="b"} | json | unwrap duration(x) | y="1" [1m] offset 1h)"#,
            r#"sum_over_time({a="b"} | json | unwrap duration(x) | y="1"[1m] offset 1h0m0s) over count_over_time({a="b"} | json | x!="" | y="1" | drop x[1m] offset 1h0m0s)"#,
        ),
        (
            r#"avg_over_time({a="b"} | unwrap x [1m]) by (y)"#,
            r#"sum by (y)(sum_over_time({a="b"} | unwrap x[1m])) over sum by (y)(count_over_time({a="b"} | x!="" | drop x[1m]))"#,
        ),
        // Where sum and count would see other labels than the mean does.
        (r#"avg_over_time({a="b"} | unwrap x [1m]) by (x)"#, "whole"),
        (r#"avg_over_time({a="b"} | unwrap x [1m]) without (y)"#, "whole"),
        (r#"avg_over_time({a="b"} | unwrap x | __error__="" [1m])"#, "whole"),
        (r#"avg_over_time({a="b"} | json | drop __error__ | unwrap x [1m])"#, "whole"),
        (r#"sum by (a) (rate({a="b"} | drop pod [1m]))"#, "Sum"),
        (r#"sum(sum by (a) (rate({a="b"}[1m])))"#, "Sum"),
        (r#"sum(count(rate({a="b"}[1m])))"#, "Sum"),
        (r#"sum(max_over_time({a="b"} | unwrap x [1m]))"#, "operands"),
        (r#"sum(avg_over_time({a="b"} | unwrap x [1m]))"#, "operands"),
        (r#"sum(max(rate({a="b"}[1m])))"#, "operands"),
        (r#"max(rate({a="b"} | json [1m]))"#, "Max"),
        (r#"max(rate({a="b"} | drop pod [1m]))"#, "operands"),
        (r#"max(rate({a="b"} | label_format pod="x" [1m]))"#, "operands"),
        (r#"max(rate({a="b"} | unwrap x [1m]))"#, "operands"),
        (r#"max(max_over_time({a="b"} | keep y | unwrap x [1m]))"#, "Max"),
        (r#"min(max_over_time({a="b"} | unwrap x [1m]))"#, "operands"),
        (r#"min(min_over_time({a="b"} | unwrap x [1m]))"#, "Min"),
        (r#"max(sum by (y) (rate({a="b"}[1m])))"#, "operands"),
        (r#"max(absent_over_time({a="b"}[1m]))"#, "operands"),
        (r#"count by (y) (rate({a="b"}[1m]))"#, "Sum"),
        (r#"count(rate({a="b"} | keep y [1m]))"#, "operands"),
        (
            r#"avg by (y) (rate({a="b"}[1m]))"#,
            r#"sum by (y)(rate({a="b"}[1m])) over count by (y)(rate({a="b"}[1m]))"#,
        ),
        (r#"avg(rate({a="b"} | keep y [1m]))"#, "operands"),
        (r#"topk(3, rate({a="b"}[1m]))"#, "operands"),
        (r#"stddev(rate({a="b"}[1m]))"#, "operands"),
        (r#"rate({a="b"}[1m]) * 2"#, "operands"),
        (r#"label_replace(rate({a="b"}[1m]), "a", "b", "c", "d")"#, "operands"),
        ("1", "operands"),
    ] {
        assert_eq!(describe_shards(query), want, "{query}");
    }
}

fn describe_windows(query: &str) -> String {
    let Some(split) = window_split(&parse_metric(query).expect(query), Span::from_hours(1)) else {
        return "no".to_owned();
    };
    let parts: Vec<String> = split.windows.iter().map(|window| split.part(*window).to_string()).collect();
    format!("{:?}/{} {}", split.merge, split.divisor, parts.join(" ++ "))
}

#[test]
fn windows() {
    for (query, want) in [
        (
            r#"count_over_time({a="b"}[150m] offset -10m)"#,
            r#"Sum/1 count_over_time({a="b"}[1h] offset -10m0s) ++ count_over_time({a="b"}[1h] offset 50m0s) ++ count_over_time({a="b"}[30m] offset 1h50m0s)"#,
        ),
        (
            r#"rate({a="b"}[2h])"#,
            r#"Sum/7200 count_over_time({a="b"}[1h]) ++ count_over_time({a="b"}[1h] offset 1h0m0s)"#,
        ),
        (
            r#"sum by (x) (rate({a="b"} | unwrap y [2h]))"#,
            r#"Sum/7200 sum by (x)(sum_over_time({a="b"} | unwrap y[1h])) ++ sum by (x)(sum_over_time({a="b"} | unwrap y[1h] offset 1h0m0s))"#,
        ),
        (
            r#"bytes_rate({a="b"}[2h])"#,
            r#"Sum/7200 bytes_over_time({a="b"}[1h]) ++ bytes_over_time({a="b"}[1h] offset 1h0m0s)"#,
        ),
        (
            r#"max(max_over_time({a="b"} | unwrap y [2h]) by (z))"#,
            r#"Max/1 max(max_over_time({a="b"} | unwrap y[1h]) by (z)) ++ max(max_over_time({a="b"} | unwrap y[1h] offset 1h0m0s) by (z))"#,
        ),
        // The largest of a part says nothing of the whole.
        (r#"max(count_over_time({a="b"}[3h]))"#, "no"),
        (r#"sum(max_over_time({a="b"} | unwrap y [3h]))"#, "no"),
        (r#"avg(count_over_time({a="b"}[3h]))"#, "no"),
        (r#"avg_over_time({a="b"} | unwrap y [3h])"#, "no"),
        (r#"topk(2, count_over_time({a="b"}[3h]))"#, "no"),
        (r#"count_over_time({a="b"}[1h])"#, "no"),
        (r#"count_over_time({a="b"}[0])"#, "no"),
        (r#"count_over_time({a="b"}[290y])"#, "no"),
        ("1", "no"),
    ] {
        assert_eq!(describe_windows(query), want, "{query}");
    }
}
