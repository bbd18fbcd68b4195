//! What planners are told of a query.

use larch_logql::{
    Expr, LabelNeed, LineNeed, Needle, divide, parse, parse_metric, reach, reads_clock, run_order, scans,
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

/// The legs with how they are merged, or that there are none.
fn describe_legs(query: &str, piece: Option<Span>) -> String {
    let metric = parse_metric(query).expect(query);
    let Some(division) = divide(&metric, piece) else { return "whole".to_owned() };
    let mut legs = Vec::new();
    for leg in &division.legs {
        let parts: Vec<String> = leg.parts.iter().map(ToString::to_string).collect();
        let how = leg.merge.map_or_else(|| "whole".to_owned(), |merge| format!("{merge:?}"));
        legs.push(format!("{how} {}", parts.join(" ++ ")));
    }
    legs.join("; ")
}

#[test]
fn legs() {
    for (query, want) in [
        (r#"count_over_time({a="b"} | json [1m])"#, r#"Sum count_over_time({a="b"} | json[1m])"#),
        (r#"rate({a="b"} | drop pod [1m])"#, r#"Sum count_over_time({a="b"} | drop pod[1m])"#),
        (r#"bytes_rate({a="b"}[1m])"#, r#"Sum bytes_over_time({a="b"}[1m])"#),
        (
            r#"min_over_time({a="b"} | unwrap x [1m]) by (y)"#,
            r#"Min min_over_time({a="b"} | unwrap x[1m]) by (y)"#,
        ),
        // Sums of fractions depend on their order.
        (r#"sum_over_time({a="b"} | unwrap x [1m])"#, "whole"),
        (r#"rate({a="b"} | unwrap x [1m])"#, "whole"),
        (r#"quantile_over_time(0.9, {a="b"} | unwrap x [1m])"#, "whole"),
        (r#"avg_over_time({a="b"} | unwrap x [1m])"#, "whole"),
        (r#"absent_over_time({a="b"}[1m])"#, "whole"),
        (
            r#"sum by (c) (rate({a="b"} | json [1m]))"#,
            r#"Sum sum by (c)(count_over_time({a="b"} | json[1m]))"#,
        ),
        // What is empty and what is not there are one group then, of two rates.
        (r#"sum without (c) (rate({a="b"} | json [1m]))"#, "whole"),
        (r#"sum without (c) (rate({a="b"}[1m]))"#, r#"Sum sum without (c)(count_over_time({a="b"}[1m]))"#),
        (
            r#"sum without (c) (count_over_time({a="b"} | json [1m]))"#,
            r#"Sum sum without (c)(count_over_time({a="b"} | json[1m]))"#,
        ),
        // Rows with an error keep their labels, unless none comes through.
        (r#"sum(rate({a="b"} | json | __error__!="x" [1m]))"#, "whole"),
        (r#"sum(rate({a="b"} | json | __error__="" | y > 1 [1m]))"#, "whole"),
        (
            r#"sum(rate({a="b"} | json | y > 1 | __error__="" |= "x" [1m]))"#,
            r#"Sum sum(count_over_time({a="b"} | json | y>1 | __error__="" |= "x"[1m]))"#,
        ),
        (
            r#"max(max_over_time({a="b"} | unwrap x [1m]))"#,
            r#"Max max(max_over_time({a="b"} | unwrap x[1m]))"#,
        ),
        (r#"max(min_over_time({a="b"} | unwrap x [1m]))"#, r#"Min min_over_time({a="b"} | unwrap x[1m])"#),
        // Above series that are few; a parser may find many.
        (r#"max(rate({a="b"}[1m]))"#, r#"Sum count_over_time({a="b"}[1m])"#),
        (r#"topk(3, rate({a="b"}[1m]))"#, r#"Sum count_over_time({a="b"}[1m])"#),
        (r#"topk(3, rate({a="b"} | json [1m]))"#, "whole"),
        (
            r#"sort(topk(3, sum by (c) (rate({a="b"}[1m]))))"#,
            r#"Sum sum by (c)(count_over_time({a="b"}[1m]))"#,
        ),
        (r#"topk(3, sort(rate({a="b"}[1m])))"#, "whole"),
        (r#"label_replace(rate({a="b"} | json [1m]), "a", "b", "c", "d") * 2"#, "whole"),
        (r#"rate({a="b"}[1m]) * 2 + vector(1)"#, r#"Sum count_over_time({a="b"}[1m])"#),
        (
            r#"sum(rate({a="b"}[1m])) / avg(avg_over_time({a="b"} | unwrap x [1m]))"#,
            r#"Sum sum(count_over_time({a="b"}[1m])); whole avg(avg_over_time({a="b"} | unwrap x[1m]))"#,
        ),
        ("vector(1)", "whole"),
        ("1", "whole"),
    ] {
        assert_eq!(describe_legs(query, None), want, "{query}");
    }
}

#[test]
fn pieces_of_ranges() {
    for (query, want) in [
        (
            r#"count_over_time({a="b"}[150m] offset -10m)"#,
            r#"Sum count_over_time({a="b"}[1h] offset -10m0s) ++ count_over_time({a="b"}[1h] offset 50m0s) ++ count_over_time({a="b"}[30m] offset 1h50m0s)"#,
        ),
        (
            r#"sum by (x) (rate({a="b"}[2h]))"#,
            r#"Sum sum by (x)(count_over_time({a="b"}[1h])) ++ sum by (x)(count_over_time({a="b"}[1h] offset 1h0m0s))"#,
        ),
        (
            r#"max(max_over_time({a="b"} | unwrap y [2h]) by (z))"#,
            r#"Max max(max_over_time({a="b"} | unwrap y[1h]) by (z)) ++ max(max_over_time({a="b"} | unwrap y[1h] offset 1h0m0s) by (z))"#,
        ),
        // The largest of a part says nothing of the whole.
        (
            r#"max(count_over_time({a="b"}[2h]))"#,
            r#"Sum count_over_time({a="b"}[1h]) ++ count_over_time({a="b"}[1h] offset 1h0m0s)"#,
        ),
        (r#"avg_over_time({a="b"} | unwrap y [3h])"#, "whole"),
        (r#"count_over_time({a="b"}[1h])"#, r#"Sum count_over_time({a="b"}[1h])"#),
        (r#"count_over_time({a="b"}[290y])"#, r#"Sum count_over_time({a="b"}[290y])"#),
    ] {
        let found = describe_legs(query, Some(Span::from_hours(1)));
        // Years are printed in hours.
        assert_eq!(found.replace("2540400h0m0s", "290y"), want, "{query}");
    }
}

#[test]
fn queries_that_read_the_clock() {
    for (query, want) in [
        (r#"{a="b"} | line_format "{{ now | date }}""#, true),
        (r#"{a="b"} | label_format x="{{ .y }}", z="{{ unixEpoch now }}""#, true),
        (r#"count_over_time({a="b"} | label_format x="{{ now }}" [1m])"#, true),
        (r#"{a="now"} |= "now" | line_format "{{ .x }}" | label_format now=x"#, false),
        ("vector(1)", false),
    ] {
        assert_eq!(reads_clock(&parse(query).expect(query)), want, "{query}");
    }
}
