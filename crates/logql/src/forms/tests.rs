//! What forms are read, and which slots matter.

use super::*;
use crate::ast::{Expr, MetricExpr};
use crate::parse;

/// In forms `@` stands for digits and `%` for an id.
struct Form {
    pieces: Vec<Vec<u8>>,
    slots: Vec<SlotBytes>,
}

fn form(text: &str) -> Form {
    let mut form = Form { pieces: vec![Vec::new()], slots: Vec::new() };
    for byte in text.bytes() {
        match byte {
            b'@' => form.slots.push(SlotBytes::Digits),
            b'%' => form.slots.push(SlotBytes::Hex),
            _ => {
                form.pieces.last_mut().expect("a piece").push(byte);
                continue;
            }
        }
        form.pieces.push(Vec::new());
    }
    form
}

fn reader(query: &str) -> Option<FormReader> {
    let Ok(Expr::Metric(metric)) = parse(query) else { panic!("{query}") };
    let range = match metric {
        MetricExpr::Range(range) => RangeQuery { aggregation: *range, pushed: None },
        MetricExpr::Vector(vector) => match vector.expr {
            MetricExpr::Range(range) => RangeQuery { aggregation: *range, pushed: Some(vector.grouping) },
            _ => panic!("{query}"),
        },
        _ => panic!("{query}"),
    };
    FormReader::new(&range).expect("a query")
}

fn read(query: &str, text: &str) -> Option<FormReading> {
    let form = form(text);
    let pieces: Vec<&[u8]> = form.pieces.iter().map(Vec::as_slice).collect();
    reader(query).expect("a reader").read(LineForm { pieces: &pieces, slots: &form.slots })
}

/// The slots that matter; none if the form is refused.
#[track_caller]
fn check(stages: &str, text: &str, want: Option<&[u32]>) {
    let query = format!("sum by (a, b_c) (count_over_time({{x=\"y\"}} {stages} [1m]))");
    let found = read(&query, text).map(|reading| reading.slots);
    assert_eq!(found.as_deref(), want, "{stages} of {text}");
}

#[test]
fn json() {
    for (text, want) in [
        (r#"{"a":@}"#, Some(&[0][..])),
        (r#"{"z":@,"a":"x @ %","b":{"c":-@.@e@,"d":@}}"#, Some(&[1, 2, 3, 4, 5])),
        (r#" { "z" : [@, {"y": "@"}] , "a" : @ } @ tail"#, Some(&[2])),
        (r#"{"z":{"a":@}}"#, Some(&[])),
        (r#"{"a":@,"a":@}"#, Some(&[0])),
        (r#"{"a":null,"z":@,"b_c":[@]}"#, Some(&[])),
        (r#"{"a":"\n@\"\uabcd@"}"#, Some(&[0, 1])),
        (r#"{"a":"\@"}"#, None),
        (r#"{"a":"\u@"}"#, None),
        (r#"{"a":"\uab@"}"#, None),
        (r#"{"k@":"x","a":@}"#, None),
        (r#"{"a":%}"#, None),
        (r#"{"a":x@}"#, None),
        (r#"{"a":@x}"#, None),
        (r#"{"a":@,}"#, None),
        (r#"{"a":@ "b":@}"#, None),
        (r#"{"a":@"#, None),
        ("plain @ text", Some(&[])),
        ("@ plain", Some(&[])),
        ("", Some(&[])),
        (r#"[{"a":@}]"#, Some(&[])),
    ] {
        check("| json", text, want);
    }
    let deep = |depth: usize| format!("{}@{}", r#"{"a":"#.repeat(depth), "}".repeat(depth));
    check("| json", &deep(90), Some(&[]));
    check("| json", &deep(140), None);
}

#[test]
fn json_paths() {
    for (text, want) in [
        (r#"{"z":@,"q":{"r":[@,@]}}"#, Some(&[2][..])),
        (r#"{"q":{"r":[@,@]}} "#, Some(&[1])),
        (r#"{"q":{"r":[@,@]}} @"#, None),
        (r#"[{"q":@}]"#, None),
        (" {", Some(&[])),
        ("@ x", Some(&[])),
    ] {
        check(r#"| json a="q.r[1]""#, text, want);
    }
}

#[test]
fn logfmt() {
    for (stages, text, want) in [
        ("| logfmt", "z=@ a=@x@ b.c=\"@ %\" d=@", Some(&[1, 2, 3, 4][..])),
        ("| logfmt", "@ and k@ a=@", Some(&[2])),
        ("| logfmt", "k@=x a=@", None),
        ("| logfmt --keep-empty", "k@ a=@", None),
        ("| logfmt", "a=@ a=@", Some(&[0])),
        ("| logfmt", "z\"@ a=@", Some(&[1])),
        ("| logfmt --strict", "z\"@ a=@", None),
        ("| logfmt", r#"z="\@" a=@"#, None),
        ("| logfmt", r#"z="\ua@" a=@"#, None),
        ("| logfmt", r#"a="\t@""#, Some(&[0])),
        ("| logfmt a=\"z\"", "z=@ a=@", Some(&[1])),
        ("| logfmt a=\"z\"", "a=@ z=@ y=@", Some(&[1])),
        ("| logfmt a=\"z\"", "z=@ k@", None),
        ("| logfmt --strict a=\"z\"", "z=@ y\"@", None),
    ] {
        check(stages, text, want);
    }
}

#[test]
fn pattern() {
    for (pattern, text, want) in [
        ("[<a>] <_>", "[@ %] @", Some(&[0, 1][..])),
        ("[<_>] [<a>] <_>", "[@ %] [@] @", Some(&[2])),
        ("<_> level=<a> <_>", "% level=@ %", Some(&[1])),
        ("<_>1<a>", "@ @", None),
        ("<_> d<a>", "@ d@", Some(&[1])),
        ("<_> d<a>", "% d@", None),
        ("<_>-de-<a>", "% -de-@", None),
        ("<_>_de-<a>", "% _de-@", Some(&[1])),
        ("x<a>", "@ y", Some(&[])),
    ] {
        check(&format!("| pattern \"{pattern}\""), text, want);
    }
}

#[test]
fn what_is_read_by_form() {
    for (query, is_read) in [
        ("sum by (a) (count_over_time({x=\"y\"} | json [1m]))", true),
        (
            "sum by (a) (count_over_time({x=\"y\"} |= \"z\" | json | a > 1 | drop b | keep a |= \"q\" [1m]))",
            false,
        ),
        ("sum by (a) (count_over_time({x=\"y\"} | json |= \"q\" [1m]))", true),
        ("sum by (a) (count_over_time({x=\"y\"} [1m]))", false),
        ("count_over_time({x=\"y\"} | json [1m])", false),
        ("sum(count_over_time({x=\"y\"} | json [1m]))", false),
        ("sum by (a) (count_over_time({x=\"y\"} | json | line_format \"{{.a}}\" | logfmt [1m]))", false),
        ("sum by (a) (count_over_time({x=\"y\"} | json | line_format \"{{.a}}\" [1m]))", true),
        ("sum by (a) (count_over_time({x=\"y\"} | regexp \"(?P<a>x)\" [1m]))", false),
        ("sum by (a) (count_over_time({x=\"y\"} | unpack [1m]))", false),
        ("sum by (a) (count_over_time({x=\"y\"} | json | label_format a=\"{{.b}}\" [1m]))", true),
        ("sum by (a) (count_over_time({x=\"y\"} | json | label_format a=\"{{__line__}}\" [1m]))", false),
        ("sum by (a) (count_over_time({x=\"y\"} | json | label_format a=\"{{__timestamp__}}\" [1m]))", false),
    ] {
        assert_eq!(reader(query).is_some(), is_read, "{query}");
    }
}

#[test]
fn values() {
    let range = |stages: &str, by: &str| format!("max_over_time({{x=\"y\"}} {stages} [1m]) by ({by})");
    let text = r#"{"a":@.@,"b":@}"#;
    let own = |query: &str| read(query, text).map(|reading| (reading.slots, reading.value.is_some()));
    for (stages, by, want) in [
        ("| json | unwrap a", "b", (vec![2], true)),
        ("| json | unwrap duration(a) | __error__=\"\"", "b", (vec![2], true)),
        ("| json | unwrap a", "a", (vec![0, 1], false)),
        ("| json | a > 1 | unwrap a", "b", (vec![0, 1, 2], false)),
        ("| json | unwrap a | a > 1", "b", (vec![0, 1, 2], false)),
        ("| json | drop a | unwrap a", "b", (vec![0, 1, 2], false)),
        ("| json | label_format a=b | unwrap a", "b", (vec![0, 1, 2], false)),
        ("| json | json | unwrap a", "b", (vec![0, 1, 2, 0, 1, 2], false)),
        ("| json | unwrap a_extracted", "b", (vec![0, 1, 2], false)),
    ] {
        assert_eq!(own(&range(stages, by)), Some(want), "{stages} by {by}");
    }
    let plain = reader(&range("| json | unwrap a", "b")).expect("a reader");
    assert_eq!((plain.value_label(), plain.value_is_number()), (Some("a"), true));
    assert_eq!((plain.value_of(b"1.5"), plain.value_of(b""), plain.value_of(b"x")), (Some(1.5), None, None));
    let duration = reader(&range("| json | unwrap duration(a)", "b")).expect("a reader");
    assert_eq!((duration.value_is_number(), duration.value_of(b"1m")), (false, Some(60.0)));
}

#[test]
fn forms_that_are_one() {
    let query = "sum by (a, b) (count_over_time({x=\"y\"} | json [1m]))";
    let signature = |text: &str| read(query, text).expect(text).signature;
    let first = signature(r#"{"z":@,"a":@,"b":"x@"}"#);
    for (text, is_same) in [
        (r#"{"b":"x@","a":@,"y":"%"}"#, true),
        (r#"{"a":"@","b":"x@"}"#, true),
        (r#"{"a":@,"b":"y@"}"#, false),
        (r#"{"a":@,"b":"x"}"#, false),
        (r#"{"a":@}"#, false),
        (r#"{"a":"@x","b":"@"}"#, false),
        ("plain", false),
    ] {
        assert_eq!(signature(text) == first, is_same, "{text}");
    }
    // Whichever comes first is the label of a stream that has the name.
    let query = "sum by (a_extracted) (count_over_time({x=\"y\"} | json [1m]))";
    let signature = |text: &str| read(query, text).expect(text).signature;
    assert_ne!(signature(r#"{"a":@,"a_extracted":@}"#), signature(r#"{"a_extracted":@,"a":@}"#));
}
