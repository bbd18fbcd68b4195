//! The grammar, its errors, and what becomes of labels.

use bytes::Bytes;
use proptest::prelude::*;

use super::*;
use crate::tests::mutations;

#[track_caller]
fn parses(text: &str, want: &[(&str, &str)]) {
    let pairs = parse_labels(text.as_bytes()).unwrap_or_else(|error| panic!("{text}: {error}"));
    let pairs: Vec<(&str, &str)> =
        pairs.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    assert_eq!(pairs, want, "{text}");
}

#[test]
fn accepted() {
    parses("", &[]);
    parses(" \t\n# nothing", &[]);
    parses("{}", &[]);
    parses(r#"{a="x", b='y', c=`z`}"#, &[("a", "x"), ("b", "y"), ("c", "z")]);
    parses(r#"{a="x",}"#, &[("a", "x")]);
    parses("{ a = \"x\" # first\n , b\r\n=\t'y' }  # all", &[("a", "x"), ("b", "y")]);
    parses(r#"{b="2", a="1", b="3", c=""}"#, &[("b", "2"), ("a", "1"), ("b", "3"), ("c", "")]);
    parses(r#"{a="\n\t\\\"\a\b\f\r\v"}"#, &[("a", "\n\t\\\"\u{7}\u{8}\u{c}\r\u{b}")]);
    parses(r#"{a="\x41\101\u00e4\U0001F600\xc3\xa4"}"#, &[("a", "AAä😀ä")]);
    parses(r"{a='\''}", &[("a", "'")]);
    parses(r"{a=`\n`}", &[("a", r"\n")]);
    parses("name", &[("__name__", "name")]);
    parses("a:b{}", &[("__name__", "a:b")]);
    parses(r#"name{a="x"}"#, &[("a", "x"), ("__name__", "name")]);
    parses(r#"name{__name__="other"}"#, &[("__name__", "name")]);
    parses(r#"{"name"}"#, &[("__name__", "name")]);
    parses(r#"{"name", a="x"}"#, &[("__name__", "name"), ("a", "x")]);
    parses(r#"{"odd.name"="x"}"#, &[("odd.name", "x")]);
    parses(r#"{on="1", by="2", sum="3"}"#, &[("on", "1"), ("by", "2"), ("sum", "3")]);
}

#[test]
fn refused() {
    for (text, error) in [
        ("{", "1:2: parse error: unexpected end of input inside braces"),
        (r#"{app="a""#, "1:9: parse error: unexpected end of input inside braces"),
        ("{app.kubernetes=\"x\"}", "1:5: parse error: unexpected character inside braces: '.'"),
        ("{\n  a-b=\"x\"}", "2:4: parse error: unexpected character inside braces: '-'"),
        ("{a=\"x\"\n,\nü=\"x\"}", "3:1: parse error: unexpected character inside braces: 'ü'"),
        ("{1st=\"x\"}", "1:2: parse error: unexpected character inside braces: '1'"),
        ("{'}", "1:2: parse error: unterminated quoted string"),
        ("{a=\"x\ny\"}", "1:4: parse error: unterminated quoted string"),
        ("{a=`x}", "1:4: parse error: unterminated raw string"),
        ("{a}", r#"1:3: parse error: unexpected "}" in label set, expected "=""#),
        ("{a=}", r#"1:4: parse error: unexpected "}" in label set, expected string"#),
        ("{a=b}", r#"1:4: parse error: unexpected identifier "b" in label set, expected string"#),
        ("{a=~\"b\"}", r#"1:3: parse error: unexpected <op:=~> in label set, expected "=""#),
        ("{a!=\"b\"}", r#"1:3: parse error: unexpected <op:!=> in label set, expected "=""#),
        ("{a!~\"b\"}", r#"1:3: parse error: unexpected <op:!~> in label set, expected "=""#),
        ("{a!b}", "1:3: parse error: unexpected character after '!' inside braces: 'b'"),
        ("{,}", r#"1:2: parse error: unexpected "," in label set, expected identifier or "}""#),
        ("{=\"x\"}", r#"1:2: parse error: unexpected "=" in label set, expected identifier or "}""#),
        (
            "{\"\"=\"x\"}",
            r#"1:2: parse error: unexpected string "\"\"" in label set, expected identifier or "}""#,
        ),
        (
            "{a=\"x\" b=\"y\"}",
            r#"1:8: parse error: unexpected identifier "b" in label set, expected "," or "}""#,
        ),
        (
            "{a=\"x\" \"a long string\"}",
            r#"1:8: parse error: unexpected string "\"a long st"... in label set, expected "," or "}""#,
        ),
        ("{a={}", "1:4: parse error: unexpected left brace '{'"),
        ("{a=\"x\"}}", "1:8: parse error: unexpected right brace '}'"),
        ("{a=\"x\"} b", r#"1:9: parse error: unexpected identifier "b""#),
        ("a b:c", r#"1:3: parse error: unexpected metric identifier "b:c""#),
        ("\"x\"", r#"1:1: parse error: unexpected string "\"x\"""#),
        ("5m", r#"1:1: parse error: unexpected number "5m""#),
        ("a + b", "1:3: parse error: unexpected <op:+>"),
        ("a == b", "1:3: parse error: unexpected <op:==>"),
        ("a = b", r#"1:3: parse error: unexpected "=""#),
        ("a[5m]", r#"1:2: parse error: unexpected "[""#),
        ("a, b", r#"1:2: parse error: unexpected ",""#),
        (")", "1:1: parse error: unexpected right parenthesis ')'"),
        ("ä", "1:1: parse error: unexpected character: 'ä'"),
        (r#"{a="\q"}"#, "1:4: parse error: unknown escape sequence U+0071 'q'"),
        (r#"{a="\'"}"#, "1:4: parse error: unknown escape sequence U+0027 '''"),
        (r#"{a="\x4"}"#, "1:4: parse error: illegal character U+0022 '\"' in escape sequence"),
        (r#"{a="\ud800"}"#, "1:4: parse error: escape sequence is an invalid Unicode code point"),
        (r#"{a="\UFFFFFFFF"}"#, "1:4: parse error: escape sequence is an invalid Unicode code point"),
        (r#"{a="\777"}"#, "1:4: parse error: escape sequence is an invalid Unicode code point"),
        (r#"{a="\"#, "1:4: parse error: escape sequence not terminated"),
        (r#"{a="\xff"}"#, "1:4: parse error: invalid UTF-8 rune"),
    ] {
        let found = parse_labels(text.as_bytes()).expect_err(text).to_string();
        assert_eq!(found, format!("couldn't parse labels: {error}"), "{text}");
    }
    let found = parse_labels(b"{a=\"x\xff\"}").unwrap_err().to_string();
    assert_eq!(found, "couldn't parse labels: 1:6: parse error: invalid UTF-8 rune");
}

#[test]
fn characters_as_go_quotes_them() {
    for (c, want) in
        [('\'', r"'\''"), ('"', "'\"'"), ('\n', r"'\n'"), ('\u{200b}', r"'\u200b'"), ('日', "'日'")]
    {
        assert_eq!(lex::quoted_char(c), want);
    }
}

fn text(text: &str) -> PushedLabels {
    PushedLabels::Text(Bytes::copy_from_slice(text.as_bytes()))
}

fn pairs(pairs: &[(&str, &str)]) -> PushedLabels {
    PushedLabels::Pairs(pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect())
}

#[track_caller]
fn check(pushed: PushedLabels, want: &str, duplicate: Option<&str>) {
    let discover = ["app".to_owned(), "job".to_owned()];
    let labels = StreamLabels::new(pushed, &discover, None, None).unwrap();
    assert_eq!((labels.text.as_str(), labels.duplicate.as_deref()), (want, duplicate));
    if duplicate.is_none() {
        assert_eq!(labels.labels.canonical(), want);
    }
}

#[test]
fn sorted_without_empty_values_and_with_a_service() {
    check(text(r#"{b="2", a="1"}"#), r#"{a="1", b="2", service_name="unknown_service"}"#, None);
    check(text(r#"{z="1", job="j", app="a"}"#), r#"{app="a", job="j", service_name="a", z="1"}"#, None);
    check(text(r#"{app="", job="j"}"#), r#"{job="j", service_name="j"}"#, None);
    check(text(r#"{service_name="s", app="a"}"#), r#"{app="a", service_name="s"}"#, None);
    check(text(r#"{__pattern__="p"}"#), r#"{__pattern__="p"}"#, None);
    check(text(""), r#"{service_name="unknown_service"}"#, None);
    check(text(r#"{a="1", a=""}"#), r#"{a="1", service_name="unknown_service"}"#, None);
    check(text(r#"{a="2", a="1"}"#), r#"{a="2", a="1", service_name="unknown_service"}"#, Some("a"));
    check(text(r#"{z="1", app="x", z="1"}"#), r#"{app="x", service_name="x", z="1", z="1"}"#, Some("z"));
    check(text(r#"{"odd.name"="x"}"#), r#"{odd.name="x", service_name="unknown_service"}"#, None);
    check(pairs(&[("b", "\"\n"), ("app", "")]), r#"{b="\"\n", service_name="unknown_service"}"#, None);
}

#[track_caller]
fn fails(pushed: PushedLabels, want: &str) {
    let error = StreamLabels::new(pushed, &[], None, None).unwrap_err().to_string();
    assert_eq!(error, want);
}

#[test]
fn pairs_are_told_as_text() {
    for (given, want) in [
        (&[("bad-name", "x")][..], "1:5: parse error: unexpected character inside braces: '-'"),
        (
            &[("a", "1"), ("b c", "2")],
            r#"1:11: parse error: unexpected identifier "c" in label set, expected "=""#,
        ),
        (&[("", "x")], r#"1:2: parse error: unexpected "=" in label set, expected identifier or "}""#),
        (&[("a=\"1\", b", "2")], "1:2: parse error: unexpected character inside braces: '='"),
    ] {
        fails(pairs(given), &format!("couldn't parse labels: {want}"));
    }
}

#[test]
fn names_that_are_not_found_again_are_refused() {
    let error = "couldn't parse labels: 1:2: parse error: label name \"a=\\\"1\\\", b\" cannot be used";
    fails(text(r#"{"a=\"1\", b"="2"}"#), error);
}

#[test]
fn reserved_labels_and_sizes() {
    let reserved = "streams must not contain the reserved labels __backfill__ or __backfill_shard__; set the \
                    X-Loki-Backfill-Shard header to mark a push as backfill data";
    fails(text(r#"{__backfill__="x"}"#), reserved);
    fails(pairs(&[("__backfill_shard__", "x")]), reserved);
    let long = "x".repeat(MAX_LABEL_BYTES);
    let too_large = "request body too large: stream labels size 17 MB exceeds limit of 17 MB";
    fails(text(&format!("{{{long}")), too_large);
    fails(pairs(&[("a", &long)]), too_large);
    let backfill = StreamLabels::new(text("{a='1'}"), &["a".to_owned()], Some("s"), None).unwrap();
    assert_eq!(backfill.text, r#"{__backfill__="true", __backfill_shard__="s", a="1", service_name="1"}"#);
}

#[test]
fn damaged_text_never_panics() {
    let corpus: Vec<Vec<u8>> = [
        r#"{app="checkout", env='prod', c=`z`}"#,
        r#"name{a="\x41\101\u00e4\U0001F600",} # c"#,
        r#"{"odd.name"="x", "b"}"#,
        "{a!=\"b\"} + 5m [",
    ]
    .map(|text| text.as_bytes().to_vec())
    .into();
    mutations(&corpus, crate::fuzz_labels);
}

proptest! {
    #[test]
    fn canonical_text_means_itself(
        map in prop::collection::btree_map("[a-z_][a-z0-9_]{0,8}", "\\PC{1,8}|[\\x00-\\x20\"\\\\]{1,4}", 0..6),
    ) {
        let labels = Labels::from_pairs(map.iter().map(|(n, v)| (n.as_str(), v.as_str()))).unwrap();
        let read = StreamLabels::new(text(&labels.canonical()), &[], None, None).unwrap();
        prop_assert_eq!(&read.labels, &labels);
        let of_pairs = PushedLabels::Pairs(map.into_iter().collect());
        let read = StreamLabels::new(of_pairs, &[], None, None).unwrap();
        prop_assert_eq!(read.labels, labels);
    }
}
