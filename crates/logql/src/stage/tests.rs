//! Stages on rows: what users see of a row before and after.

use larch_types::{Labels, MatchOp, Matcher, Span, Timestamp};
use proptest::prelude::*;

use super::*;
use crate::regex::LabelMatcher;

/// Stream, metadata and line of a row, its stages, and what is left: the line and the labels as text, or
/// `-` if the row is dropped. The labels of the stream stand only where they changed or clash.
#[track_caller]
fn check_row(metadata: &[(&str, &str)], line: &[u8], stages: Vec<Stage>, want_line: &str, want_labels: &str) {
    let stream = Labels::from_pairs([("team", "core"), ("pod", "p1")]).unwrap();
    let mut row = Row::new(Timestamp::from_secs(1));
    row.load(&stream, Timestamp::from_nanos(1_700_000_000_000_000_001), line);
    for (name, value) in metadata {
        row.add_metadata(name, value.as_bytes());
    }
    let pipeline = Pipeline::new(stages);
    let shown = if pipeline.run(&mut row) {
        (String::from_utf8_lossy(row.line()).into_owned(), labels_text(&row))
    } else {
        ("-".to_owned(), String::new())
    };
    assert_eq!(
        shown,
        (want_line.to_owned(), want_labels.to_owned()),
        "on {:?}",
        String::from_utf8_lossy(line)
    );
}

/// `s:` for the stream's, `m:` for metadata, nothing for parsed ones. The stream's two are left out while
/// they are as they were.
fn labels_text(row: &Row<'_>) -> String {
    let mut out = Vec::new();
    let mut untouched = 0;
    for label in row.labels().sorted() {
        let value = String::from_utf8_lossy(label.value);
        let mark = match label.category {
            Category::Stream => "s:",
            Category::Metadata => "m:",
            Category::Parsed => "",
        };
        if label.category == Category::Stream {
            untouched += 1;
        }
        out.push(format!("{mark}{}={value}", label.name));
    }
    if untouched == 2 {
        out.retain(|text| !text.starts_with("s:"));
    }
    out.join(" ")
}

#[track_caller]
fn check_labels(line: &str, stages: Vec<Stage>, want: &str) {
    check_row(&[], line.as_bytes(), stages, line, want);
}

fn json() -> Stage {
    Stage::Json(Json::new(Hints::all()))
}

fn json_paths(extractions: &[(&str, &str)]) -> Stage {
    let paths = extractions.iter().map(|(name, path)| ((*name).to_owned(), JsonPath::parse(path).unwrap()));
    Stage::JsonPaths(JsonPaths::new(paths.collect(), Hints::all()))
}

fn logfmt(strict: bool, keep_empty: bool) -> Stage {
    Stage::Logfmt(Logfmt::new(LogfmtFlags { strict, keep_empty }, Hints::all()))
}

fn logfmt_keys(strict: bool, extractions: &[(&str, &str)]) -> Stage {
    let extractions = extractions.iter().map(|(name, key)| ((*name).to_owned(), (*key).to_owned())).collect();
    let flags = LogfmtFlags { strict, keep_empty: false };
    Stage::LogfmtKeys(LogfmtKeys::new(flags, extractions, Hints::all()).unwrap())
}

/// `<name>` is a capture, `<_>` a gap; the real language knows more.
fn parts(pattern: &str) -> Vec<PatternPart> {
    let mut parts = Vec::new();
    let mut rest = pattern;
    while let Some((literal, tail)) = rest.split_once('<') {
        if !literal.is_empty() {
            parts.push(PatternPart::Literal(literal.as_bytes().to_vec()));
        }
        let (name, tail) = tail.split_once('>').unwrap();
        parts.push(if name == "_" { PatternPart::Unnamed } else { PatternPart::Capture(name.to_owned()) });
        rest = tail;
    }
    if !rest.is_empty() {
        parts.push(PatternPart::Literal(rest.as_bytes().to_vec()));
    }
    parts
}

fn pattern(text: &str) -> Stage {
    Stage::Pattern(Pattern::new(&parts(text), Hints::all()))
}

fn regexp(text: &str) -> Stage {
    Stage::Regexp(Box::new(Regexp::new(text, Hints::all()).unwrap()))
}

fn unpack() -> Stage {
    Stage::Unpack(Unpack::new(Hints::all()))
}

fn text_filter(name: &str, op: MatchOp, value: &str) -> LabelFilter {
    LabelFilter::text(name, op, value).unwrap()
}

fn number_filter(name: &str, comparison: Comparison, number: f64) -> LabelFilter {
    LabelFilter::quantity(name, comparison, Quantity::Number(number))
}

fn line_format(text: &str) -> Stage {
    Stage::LineFormat(LineFormat::new(text).unwrap())
}

/// `x=y` renames, `x={…}` is a template.
fn label_format(items: &[(&str, &str)]) -> Stage {
    Stage::LabelFormat(LabelFormat::new(&format_items(items)).unwrap())
}

/// A source that starts with `=` is the name of a label.
fn format_items(items: &[(&str, &str)]) -> Vec<LabelFormatItem> {
    let item = |(to, source): &(&str, &str)| match source.strip_prefix('=') {
        Some(from) => LabelFormatItem::Rename { to: (*to).to_owned(), from: from.to_owned() },
        None => LabelFormatItem::Template { to: (*to).to_owned(), text: (*source).to_owned() },
    };
    items.iter().map(item).collect()
}

fn selected(items: &[(&str, MatchOp, &str)]) -> Vec<Selected> {
    let item = |(name, op, value): &(&str, MatchOp, &str)| {
        if *value == "*" {
            return Selected::Name((*name).into());
        }
        let matcher = Matcher { name: (*name).to_owned(), op: *op, value: (*value).to_owned() };
        Selected::Matching(LabelMatcher::new(&matcher).unwrap())
    };
    items.iter().map(item).collect()
}

/// A value of `*` selects by name alone.
fn drop_labels(items: &[(&str, MatchOp, &str)]) -> Stage {
    Stage::Drop(DropLabels::new(selected(items)))
}

fn keep_labels(items: &[(&str, MatchOp, &str)]) -> Stage {
    Stage::Keep(KeepLabels::new(selected(items)))
}

fn filter(op: LineFilterOp, operands: &[&str]) -> LineFilter {
    let operands: Vec<_> = operands
        .iter()
        .map(|text| match (text.strip_prefix("ip:"), op) {
            (Some(ip), _) => LineOperand::Ip(ip.to_owned()),
            (None, LineFilterOp::Fits | LineFilterOp::NotFits) => LineOperand::Pattern(parts(text)),
            (None, _) => LineOperand::Text(text.as_bytes().to_vec()),
        })
        .collect();
    LineFilter::new(op, &operands).unwrap()
}

const OBJECT_FAULT: &str =
    "__error__=JSONParserErr __error_details__=Value looks like object, but can't find closing '}' symbol";

#[test]
fn line_filters() {
    use LineFilterOp::{Contains, Fits, Matches, NotContains, NotFits, NotMatches};
    let lines = ["level=info dur=5ms", "level=error dur=1.2s", "", "LEVEL=ERROR"];
    for (op, operands, want) in [
        (Contains, &["error"][..], "B"),
        (Matches, &["(?i)error"], "BD"),
        (NotContains, &["error"], "ACD"),
        (Contains, &[""], "ABCD"),
        (NotContains, &[""], ""),
        (NotMatches, &[""], ""),
        (Matches, &[".+"], "ABD"),
        (NotMatches, &[".+"], "C"),
        (Contains, &["info", "LEVEL"], "AD"),
        (NotContains, &["info", "LEVEL"], "BC"),
        (Matches, &["^level"], "AB"),
        (Matches, &["s$"], "AB"),
        (Contains, &["", "info"], "ABCD"),
        (Matches, &["x|.*"], "ABCD"),
        (Matches, &["er.*dur|er.*ms"], "B"),
        (Fits, &["level=<_> dur=<_>"], "AB"),
        (Fits, &["level=<_>"], "AB"),
        (Fits, &["<_>level=<_>"], ""),
        (Fits, &["info"], ""),
        (Fits, &["<_>=5ms", "LEVEL=ERROR"], "AD"),
        (NotFits, &["level=<_>"], "CD"),
        (Fits, &[""], "C"),
        (NotFits, &[""], "ABD"),
        (Matches, &["ERR", "inf."], "AD"),
        (NotMatches, &["ERR", "inf."], "BC"),
    ] {
        let filter = filter(op, operands);
        let mut kept = String::new();
        for (line, name) in lines.iter().zip("ABCD".chars()) {
            if filter.keeps(line.as_bytes()) {
                kept.push(name);
            }
        }
        assert_eq!(kept, want, "{op:?} {operands:?}");
    }
}

#[test]
fn line_filters_on_bytes_that_are_no_text() {
    let bytes = [LineOperand::Text(b"a\xff".to_vec())];
    for (line, want) in [(&b"xa\xffx"[..], true), ("a\u{ff}".as_bytes(), false)] {
        assert_eq!(LineFilter::new(LineFilterOp::Contains, &bytes).unwrap().keeps(line), want);
        assert_eq!(LineFilter::new(LineFilterOp::NotContains, &bytes).unwrap().keeps(line), !want);
    }
    let error = LineFilter::new(LineFilterOp::Matches, &bytes).unwrap_err();
    assert_eq!(error.to_string(), "error parsing regexp: invalid UTF-8: `a\u{fffd}`");
}

#[test]
fn patterns_in_line_filters_find_the_first_occurrence() {
    for (pattern, line, want) in [
        ("info", "x info", true),
        ("<_>a", "xaya", false),
        ("GET <_>", "xx GET /p", true),
        ("<_>", "x", true),
        ("a<_>b", "ab", false),
        ("a<_>b", "axb", true),
        ("[<_>] <_> Partition <_> offline (<_>)", "[t] E Partition 5 offline (k)", true),
    ] {
        assert_eq!(
            filter(LineFilterOp::Fits, &[pattern]).keeps(line.as_bytes()),
            want,
            "{pattern} on {line}"
        );
    }
}

#[test]
fn addresses_in_line_filters() {
    for (op, operands, line, want) in [
        (LineFilterOp::Contains, &["ip:10.0.0.0/8"][..], "from 10.2.3.4:80", true),
        (LineFilterOp::Contains, &["ip:10.0.0.1-10.0.0.9"], "10.0.0.10", false),
        (LineFilterOp::NotContains, &["ip:10.0.0.1"], "no address", true),
        (LineFilterOp::Contains, &["ip:::1"], "addr=[::1]:3100", true),
        (LineFilterOp::Contains, &["ip:10.0.0.1"], "ip 10.0.0.1.", false),
        (LineFilterOp::Contains, &["ip:10.0.0.1", "broken"], "broken", true),
    ] {
        assert_eq!(filter(op, operands).keeps(line.as_bytes()), want, "{operands:?} on {line}");
    }
    let ip = [LineOperand::Ip("10.0.0.1".to_owned())];
    for op in [LineFilterOp::Matches, LineFilterOp::NotMatches, LineFilterOp::Fits, LineFilterOp::NotFits] {
        assert_eq!(LineFilter::new(op, &ip).unwrap_err().to_string(), "ip: invalid operation");
    }
    let bad = LineFilter::new(LineFilterOp::Contains, &[LineOperand::Ip("abc".to_owned())]).unwrap_err();
    assert_eq!(bad.to_string(), r#"ip: invalid pattern: "abc""#);
}

#[test]
fn line_filters_see_the_line_as_it_is_then() {
    let x = || Stage::LineFilter(filter(LineFilterOp::Contains, &["x"]));
    let error = || Stage::LineFilter(filter(LineFilterOp::Contains, &["error"]));
    check_row(&[], b"abc", vec![line_format("x"), x()], "x", "");
    check_row(&[], b"abc", vec![x(), line_format("x")], "-", "");
    let red = b"\x1b[31mer\x1b[0mror";
    check_row(&[], red, vec![Stage::Decolorize(Decolorize), error()], "error", "");
    check_row(&[], red, vec![json(), error(), Stage::Decolorize(Decolorize)], "-", "");
    let packed = br#"{"_entry":"hello","k":"v"}"#;
    let hello = Stage::LineFilter(filter(LineFilterOp::NotContains, &["_entry"]));
    check_row(&[], packed, vec![unpack(), hello], "hello", "k=v");
}

#[test]
fn json_members() {
    for (line, want) in [
        (r#"{"a":"x","n":1.50,"t":true,"z":null,"l":[1]}"#, "a=x n=1.50 t=true"),
        (r#"{"a":{"b":{"c-d":1}}}"#, "a_b_c_d=1"),
        (r#"{"a":{"b-c":{"9":1}}}"#, "a_b_c_9=1"),
        (r#"{"9a":1," k ":2,"ü":3}"#, "_=3 _9a=1 k=2"),
        (r#"{"team":"other"}"#, "team_extracted=other"),
        (r#"{"a":1,"a":2}"#, "a=1"),
        (r#"{"a_b":1,"a":{"b":2}}"#, "a_b=1"),
        (r#"{"a":{"b":1},"a_b":2}"#, "a_b=1"),
        ("not json", OBJECT_FAULT),
        ("", OBJECT_FAULT),
        ("[1,2]", OBJECT_FAULT),
        (r#""text""#, OBJECT_FAULT),
        (r#"{"a":"x"} tail"#, "a=x"),
        (r#"{"a":"x","b":"#, "__error__=JSONParserErr __error_details__=Malformed JSON error a=x"),
        (r#"{"a":"x",}"#, "a=x"),
        (r#"{"a":"tab\tq\u00e9\ud83d\ude00"}"#, "a=tab\tq\u{e9}\u{1f600}"),
        (r#"{"a":"bad \x","b":"ok"}"#, "a= b=ok"),
        (r#"{"e":""}"#, "e="),
        (r#"{"o":{}}"#, ""),
        ("{}", ""),
        (r#"{"big":12345678901234567890,"m":-0,"e":1e3}"#, "big=12345678901234567890 e=1e3 m=-0"),
        (r#"{"n":12abc}"#, "n=12abc"),
        (r#"{"":"x","  ":"y","a":{"":"z"}}"#, "a=z"),
        (r#"{"":{"":"x"}}"#, ""),
        (r#"{"broken": json"#, "__error__=JSONParserErr __error_details__=Unknown value type"),
        (r#"{"a":tru}"#, "__error__=JSONParserErr __error_details__=Unknown value type"),
        (
            r#"{"a":[1,"b":2}"#,
            "__error__=JSONParserErr __error_details__=Value is array, but can't find closing ']' symbol",
        ),
        (
            r#"{"a":"x"#,
            "__error__=JSONParserErr __error_details__=Value is string, but can't find closing '\"' symbol",
        ),
        (r#"{"a":1,"b":{"c":2"#, &format!("{OBJECT_FAULT} a=1")),
        (
            r#"{"b":{"c":2}"#,
            "__error__=JSONParserErr __error_details__=Value is array, but can't find closing ']' symbol b_c=2",
        ),
        (
            r#"{"a":1,"b":{"c" 2},"d":3}"#,
            "__error__=JSONParserErr __error_details__=Malformed JSON error a=1",
        ),
        (r#"{"a":1 "b":2}"#, &format!("{OBJECT_FAULT} a=1")),
        (
            r#"{"\x":1}"#,
            "__error__=JSONParserErr __error_details__=Encountered an invalid escape sequence in a string",
        ),
        (r#"{"\u0061b":1}"#, "ab=1"),
        (" \t{\"a\" : 1 , \"b\":2 }", "a=1 b=2"),
    ] {
        check_labels(line, vec![json()], want);
    }
    check_labels(r#"{"a":1}"#, vec![json(), json()], "a=1");
    check_row(&[], b"{\"a\":\"x\xff\xfey\"}", vec![json()], "{\"a\":\"x\u{fffd}\u{fffd}y\"}", "a=x  y");
    let deep = format!("{}1{}", "{\"a\":".repeat(200), "}".repeat(200));
    check_labels(&deep, vec![json()], "__error__=JSONParserErr __error_details__=Malformed JSON error");
}

#[test]
fn parsed_names_give_way_to_those_of_stream_and_metadata() {
    let line = br#"{"team":"y","user":"eve"}"#;
    for (metadata, want) in [
        (&[("user", "bob")][..], "team_extracted=y m:user=bob user_extracted=eve"),
        (&[("team_extracted", "q")], "team_extracted=y user=eve"),
        (&[("team", "x")], "team_extracted=y user=eve"),
        (&[("a", ""), ("__error__", "E")], "__error__=E m:a= team_extracted=y user=eve"),
    ] {
        check_row(metadata, line, vec![json()], r#"{"team":"y","user":"eve"}"#, want);
    }
    check_row(&[("team", "x")], b"l", vec![], "l", "m:team_extracted=x");
    // A label of the stream counts even where it was deleted, one of the metadata does not.
    let dropped = drop_labels(&[("team", MatchOp::Equal, "*"), ("user", MatchOp::Equal, "*")]);
    let want = "s:pod=p1 team_extracted=y user=eve";
    check_row(&[("user", "bob")], line, vec![dropped, json()], r#"{"team":"y","user":"eve"}"#, want);
}

#[test]
fn json_at_paths() {
    for (line, extractions, want) in [
        (
            r#"{"resp":{"status":200},"l":["q"]}"#,
            &[("code", "resp.status"), ("first", "l[0]")][..],
            "code=200 first=q",
        ),
        (r#"{"resp":{"status":200}}"#, &[("o", "resp")], r#"o={"status":200}"#),
        (r#"{"a":1}"#, &[("m", "nope")], "m="),
        (r#"{"x":"1"}"#, &[("team", "x")], "team_extracted=1"),
        (r#"{"k":{"x.y":7}}"#, &[("a", r#"k["x.y"]"#)], "a=7"),
        (" {\"a\":1}", &[("a", "a")], "__error__=JSONParserErr"),
        ("", &[("a", "a")], ""),
        (r#"{"a":"x""#, &[("a", "a")], "a=x"),
        (r#"{"a":"x","#, &[("a", "a"), ("b", "b")], "a=x b="),
        (r#"{"a":"#, &[("a", "a")], "__error__=JSONParserErr __error_details__=Malformed JSON error a="),
        (r#"{"a":tru}"#, &[("a", "a")], "__error__=JSONParserErr __error_details__=Unknown value type a="),
        (r#"{"b": json"#, &[("a", "a")], "a="),
        (r#""just a string""#, &[("a", "a")], "a="),
        (r#"[1,{"k":"v"}]"#, &[("a", "[1].k"), ("b", "[0]"), ("c", "[9]")], "a=v b=1 c="),
        (
            r#"{"n":null,"a":[1,"\u00e9"],"s":"\u00e9"}"#,
            &[("n", "n"), ("a", "a"), ("s", "s")],
            "a=[1,\"\u{e9}\"] n= s=\u{e9}",
        ),
        (r#"{"arr":[1,2,{"k":"v"}]}"#, &[("k", "arr[2].k"), ("e", "arr[1]")], "e=2 k=v"),
        (r#"{"a":[[1,2],["x","y"]]}"#, &[("a", "a[1]")], r#"a=["x","y"]"#),
        (r#"{"a":1,"a":2}"#, &[("a", "a")], "a=1"),
        (r#"{"a":{"b":1},"b":2}"#, &[("x", "b"), ("y", "a.b")], "x=2 y=1"),
        (r#"{"a":{"b":1}}"#, &[("x", "a"), ("y", "a.b")], r#"x={"b":1} y=1"#),
        (r#"{"\u0061":1}"#, &[("x", "a")], "x=1"),
    ] {
        check_labels(line, vec![json_paths(extractions)], want);
    }
    // The value at a path replaces what an earlier parser found, and a later parser finds it again.
    let line = r#"{"a":1,"b":2}"#;
    check_labels(line, vec![json(), json_paths(&[("a", "b")])], "a=2 b=2");
    check_labels(line, vec![json(), json_paths(&[("a", "none")])], "a=1 b=2");
    check_row(&[("a", "m")], line.as_bytes(), vec![json_paths(&[("a", "b")])], line, "m:a=m a_extracted=2");
}

#[test]
fn logfmt_pairs() {
    let line = r#"a=1 b="x y" c= d e="q\"r""#;
    check_labels(line, vec![logfmt(false, false)], r#"a=1 b=x y e=q"r"#);
    check_labels(line, vec![logfmt(false, true)], r#"a=1 b=x y c= d= e=q"r"#);
    let fault = "__error__=LogfmtParserErr __error_details__=logfmt syntax error at pos 5 : unexpected '='";
    for (line, strict, want) in [
        ("a=1 =x b=2 c=d=e f=3", false, "a=1 b=2 f=3".to_owned()),
        ("a=1 =x b=2 c=d=e f=3", true, format!("{fault} a=1")),
        ("a=1 a=2", false, "a=1".to_owned()),
        ("a= a=2", false, "a=2".to_owned()),
        ("http.code=200 9x=1", false, "_9x=1 http_code=200".to_owned()),
        ("plain words", false, String::new()),
        ("plain words", true, String::new()),
        ("msg=\"open", false, String::new()),
        ("team=x", false, "team_extracted=x".to_owned()),
        (r#"a="b\u00e9" c="\q" d=1"#, false, "a=b\u{e9} d=1".to_owned()),
        (r#"a="""#, false, String::new()),
    ] {
        check_labels(line, vec![logfmt(strict, false)], &want);
    }
    check_row(&[], b"a=x\xffy", vec![logfmt(false, false)], "a=x\u{fffd}y", "a=x y");
}

#[test]
fn logfmt_by_key() {
    for (line, extractions, want) in [
        ("http.code=200", &[("code", "http_code")][..], "code=200"),
        ("http.code=200", &[("code", "zz")], "code="),
        ("a=1 a=2", &[("v", "a")], "v=2"),
        ("real=1 v=2", &[("v", "real")], "v=2"),
        ("x=1", &[("a", "x"), ("b", "x")], "a=1 b=1"),
        ("x=1 =bad y=2", &[("a", "y")], "a=2"),
        ("team=z", &[("team", "team")], "team_extracted=z"),
        ("q=1", &[("team", "none")], ""),
        ("a=", &[("a", "a")], "a="),
    ] {
        check_labels(line, vec![logfmt_keys(false, extractions)], want);
    }
    let want =
        "__error__=LogfmtParserErr __error_details__=logfmt syntax error at pos 5 : unexpected '=' a= b=1";
    check_labels("x=1 =bad y=2", vec![logfmt_keys(true, &[("a", "y"), ("b", "x")])], want);
    let flags = LogfmtFlags::default();
    let bad = LogfmtKeys::new(flags, vec![("a".to_owned(), "b.c".to_owned())], Hints::all()).unwrap_err();
    assert_eq!(bad.to_string(), "cannot parse expression [b.c]: unexpected char .");
}

#[test]
fn groups_and_captures() {
    check_labels("GET ", vec![regexp(r"(?P<m>\w+) (?P<c>\d+)?")], "c= m=GET");
    check_labels("none", vec![regexp(r"(?P<m>\d+)")], "");
    check_labels("a1 b2", vec![regexp(r"(?P<team>[a-z])(?P<n>\d)")], "n=1 team_extracted=a");
    for (text, want) in [
        (r"(\d+)", "at least one named capture must be supplied"),
        ("(?P<x>a)(?P<x>b)", "duplicate extracted label name 'x'"),
        ("(?P<1x>a)", "invalid extracted label name '1x'"),
        ("(", "error parsing regexp: missing closing ): `(`"),
    ] {
        assert_eq!(Regexp::new(text, Hints::all()).unwrap_err().to_string(), want);
    }
    for (text, line, want) in [
        ("<ip> - <_> [<ts>] <rest>", "1.1.1.1 - bob [now] hi there", "ip=1.1.1.1 rest=hi there ts=now"),
        ("<a>,<b>,<c>", "x,y", "a=x b=y"),
        ("id=<id>", "xid=5", ""),
        ("<a>=<b>;", "k=v; tail", "a=k b=v"),
        ("<a> <b>", " x", "a= b=x"),
        ("<team>-<x>", "q-r", "team_extracted=q x=r"),
        ("<a>", "", ""),
    ] {
        check_labels(line, vec![pattern(text)], want);
    }
    check_row(&[], b"a\xff b", vec![pattern("<x> <_>")], "a\u{fffd} b", "x=a\u{fffd}");
}

#[test]
fn packed_lines() {
    check_row(&[], br#"{"_entry":"hello","k":"v","n":1}"#, vec![unpack()], "hello", "k=v");
    check_labels(r#"{"k":"v"}"#, vec![unpack()], "");
    check_labels("", vec![unpack()], "");
    let not_object = "__error__=JSONParserErr __error_details__=expecting json object(6), but it is not";
    check_labels("hello", vec![unpack()], not_object);
    check_labels(" {}", vec![unpack()], not_object);
    check_labels(
        r#"{"k":"v","_entry":"x""#,
        vec![unpack()],
        "__error__=JSONParserErr __error_details__=Value is array, but can't find closing ']' symbol",
    );
    check_row(
        &[],
        br#"{"team":"t","a.b":"\n","_entry":"\u00e9"}"#,
        vec![unpack()],
        "\u{e9}",
        "a_b=\n team_extracted=t",
    );
}

#[test]
fn label_filters() {
    use Comparison::{Equal, Greater, GreaterOrEqual, Less, NotEqual};
    let line = "n=5 d=250ms s=2KB w=hot e=oops day=2d shot=shot";
    let fails = |details: &str| format!("__error__=LabelFilterErr __error_details__={details}");
    let millis = |name: &str, comparison: Comparison, millis: i64| {
        LabelFilter::quantity(name, comparison, Quantity::Duration(Span::from_millis(millis)))
    };
    let bytes = |name: &str, comparison: Comparison, bytes: u64| {
        LabelFilter::quantity(name, comparison, Quantity::Bytes(bytes))
    };
    let number = number_filter;
    let text = text_filter;
    let equal = |name: &str, value: &str| text_filter(name, MatchOp::Equal, value);
    let no_number = fails("strconv.ParseFloat: parsing \"hot\": invalid syntax");
    for (filter, want) in [
        (number("n", Greater, 4.0), ""),
        (number("n", GreaterOrEqual, 5.0), ""),
        (number("n", Equal, 5.0), ""),
        (number("n", NotEqual, 6.0), ""),
        (number("n", NotEqual, f64::NAN), ""),
        (number("n", Less, 5.0), "-"),
        (equal("n", "5"), ""),
        (equal("n", "5.0"), "-"),
        (millis("d", Less, 1000), ""),
        (millis("d", Greater, 200), ""),
        (bytes("s", Greater, 1000), ""),
        (bytes("s", Equal, 2000), ""),
        (number("miss", Greater, 1.0), "-"),
        (number("miss", NotEqual, 1.0), "-"),
        (equal("miss", ""), ""),
        (text("miss", MatchOp::NotEqual, "x"), ""),
        (text("miss", MatchOp::NotEqual, ""), "-"),
        (number("w", Greater, 5.0), &no_number),
        (LabelFilter::or(vec![number("n", Greater, 9.0), equal("w", "hot")]), ""),
        (LabelFilter::and(vec![number("n", Greater, 9.0), equal("w", "hot")]), "-"),
        (LabelFilter::or(vec![number("n", Greater, 1.0), number("w", Greater, 1.0)]), ""),
        (LabelFilter::or(vec![number("w", Greater, 1.0), number("n", Greater, 9.0)]), &no_number),
        (LabelFilter::and(vec![number("w", Greater, 5.0), equal("n", "6")]), "-"),
        (text("w", MatchOp::Regex, "ho"), "-"),
        (text("shot", MatchOp::Regex, "ho.*"), "-"),
        (text("w", MatchOp::Regex, "ho.*"), ""),
        (text("w", MatchOp::Regex, ""), ""),
        (text("w", MatchOp::Regex, ".*"), ""),
        (text("w", MatchOp::NotRegex, ""), "-"),
        (text("w", MatchOp::NotRegex, "(.*)"), "-"),
        (text("miss", MatchOp::Regex, ".+"), "-"),
        (text("w", MatchOp::NotRegex, "hot|cold"), "-"),
        (millis("day", Greater, 1), &fails("time: unknown unit \"d\" in duration \"2d\"")),
        (millis("n", Greater, 1), &fails("time: missing unit in duration \"5\"")),
        (bytes("d", Greater, 1), &fails("unhandled size name: ms")),
        (equal("pod", "p1"), ""),
        (LabelFilter::ip("w", false, "10.0.0.1").unwrap(), "-"),
        (LabelFilter::ip("w", true, "10.0.0.1").unwrap(), ""),
        (LabelFilter::ip("miss", false, "10.0.0.1").unwrap(), "-"),
        (LabelFilter::ip("miss", true, "10.0.0.1").unwrap(), "-"),
    ] {
        let hide =
            drop_labels(&["n", "d", "s", "w", "e", "day", "shot"].map(|name| (name, MatchOp::Equal, "*")));
        let stages = vec![logfmt(false, false), Stage::LabelFilter(filter), hide];
        let (want_line, want) = if want == "-" { ("-", "") } else { (line, want) };
        check_row(&[], line.as_bytes(), stages, want_line, want);
    }
    check_row(&[("lvl", "warn")], b"l", vec![Stage::LabelFilter(equal("lvl", "warn"))], "l", "m:lvl=warn");
}

#[test]
fn filters_on_errors() {
    let note = || Stage::LabelFilter(number_filter("w", Comparison::Greater, 5.0));
    let error = |op: MatchOp, value: &str| Stage::LabelFilter(text_filter("__error__", op, value));
    let line = "w=hot addr=x";
    let want = "__error__=LabelFilterErr __error_details__=strconv.ParseFloat: parsing \"hot\": invalid syntax addr=x w=hot";
    check_row(&[], line.as_bytes(), vec![logfmt(false, false), note(), error(MatchOp::Equal, "")], "-", "");
    check_labels(line, vec![logfmt(false, false), note(), error(MatchOp::Equal, "LabelFilterErr")], want);
    // The first note stays, and filters for addresses let rows with one pass.
    let second = LabelFilter::quantity("addr", Comparison::Equal, Quantity::Bytes(1));
    check_labels(line, vec![logfmt(false, false), note(), Stage::LabelFilter(second)], want);
    let ip = LabelFilter::ip("addr", false, "1.1.1.1").unwrap();
    check_labels(line, vec![logfmt(false, false), note(), Stage::LabelFilter(ip)], want);
}

#[test]
fn formatted_lines() {
    for (template, want) in [
        ("{{.a}}-{{.miss}}-{{.pod}}", "Foo--p1"),
        ("{{.miss}}", ""),
        ("{{ .a }}", "Foo"),
        ("{{ __line__ | lower }}", "a=foo b=3"),
        ("{{ add .b 2 }} {{ div 7 2 }} {{ divf 7 2 }}", "5 3 3.5"),
        (r#"{{ if eq .b "3" }}yes{{ else }}no{{ end }}"#, "yes"),
        ("{{ trunc 2 .a }}{{ trunc -1 .a }}", "Foo"),
        ("{{ alignRight 5 .a }}|{{ alignLeft 2 .a }}", "  Foo|Fo"),
        (r#"{{ Replace .a "o" "0" 1 }}{{ .a | replace "o" "0" }}"#, "F0oF00"),
        (r#"{{ regexReplaceAll "(o+)" .a "<$1>" }}"#, "F<oo>"),
        (r#"{{ regexReplaceAll "{o" "{o" "x" }}"#, "x"),
        (r#"{{ bytes "3MB" }}"#, "3e+06"),
        (r#"{{ duration "1m30s" }}"#, "90"),
        (r#"{{ unixToTime "1700000000" | unixEpochMillis }}"#, "1700000000000"),
        (r#"{{ b64dec "Zm9v" }}{{ b64enc .a }}"#, "fooRm9v"),
        (r#"{{ default "x" .miss }}"#, "x"),
        (r#"{{ (fromJson "{\"k\":[1,2]}").k }}"#, "[1 2]"),
        (r#"{{ count "o" .a }}"#, "2"),
        ("{{ __timestamp__ | unixEpochNanos }}", "1700000000000000001"),
        ("{{ now | unixEpoch }}", "1"),
        ("{{.}}", "map[a:Foo b:3 pod:p1 team:core]"),
    ] {
        check_row(&[], b"a=Foo b=3", vec![logfmt(false, false), line_format(template)], want, "a=Foo b=3");
    }
    for (template, details) in [
        (
            "x{{ div 1 0 }}",
            "template: line:1:4: executing \"line\" at <div 1 0>: error calling div: runtime error: integer divide by zero",
        ),
        (
            "{{ .a.b }}",
            "template: line:1:5: executing \"line\" at <.a.b>: can't evaluate field b in type string",
        ),
        (
            r#"{{ count "(" .a }}"#,
            "template: line:1:3: executing \"line\" at <count \"(\" .a>: error calling count: error parsing regexp: missing closing ): `(`",
        ),
    ] {
        let want = format!("__error__=TemplateFormatErr __error_details__={details} a=Foo b=3");
        check_labels("a=Foo b=3", vec![logfmt(false, false), line_format(template)], &want);
    }
    let errors = "__error__=JSONParserErr __error_details__=Value looks like object, but can't find closing '}' symbol";
    check_row(&[], b"bad", vec![json(), line_format("{{.__error__}}")], "", errors);
    check_row(&[], b"bad", vec![json(), line_format("<{{.__error__}}>")], "<JSONParserErr>", errors);
    for (text, want) in [
        ("{{.x", "invalid line template: template: line:1: unclosed action"),
        ("{{nope}}", "invalid line template: template: line:1: function \"nope\" not defined"),
    ] {
        assert_eq!(LineFormat::new(text).unwrap_err().to_string(), want);
    }
}

#[test]
fn formatted_labels() {
    for (items, want) in [
        (&[("x", "=a")][..], "b=3 x=Foo"),
        (&[("x", "=miss")], "a=Foo b=3"),
        (&[("x", "{{.a}}!"), ("y", "{{.x}}")], "a=Foo b=3 x=Foo! y="),
        (&[("x", "=a"), ("y", "{{.x}}")], "b=3 x=Foo y=Foo"),
        (&[("y", "{{.a}}"), ("x", "=a"), ("z", "{{.a}}{{.x}}")], "b=3 x=Foo y=Foo z=Foo"),
        (&[("team", "t2")], "a=Foo b=3 s:pod=p1 team=t2"),
        (&[("a", "=a")], "b=3"),
        (&[("e", "")], "a=Foo b=3 e="),
        (&[("pod", "=team")], "a=Foo b=3 pod=core"),
        (
            &[("x", "{{div 1 0}}"), ("y", "{{.b}}")],
            "__error__=TemplateFormatErr __error_details__=template: label:1:2: executing \"label\" at <div 1 0>: error calling div: runtime error: integer divide by zero a=Foo b=3 y=3",
        ),
    ] {
        check_labels("a=Foo b=3", vec![logfmt(false, false), label_format(items)], want);
    }
    for (items, want) in [
        (&[("x", "1"), ("x", "2")][..], "multiple label name 'x' not allowed in a single format operation"),
        (&[("__error__", "=b")], "__error__ cannot be formatted"),
        (&[("x", "{{")], "invalid template for label 'x': template: label:1: unclosed action"),
    ] {
        assert_eq!(LabelFormat::new(&format_items(items)).unwrap_err().to_string(), want);
    }
    // A parser later on finds the name free, and what it finds counts.
    check_labels("a=Foo b=3", vec![label_format(&[("a", "x")]), logfmt(false, false)], "a=Foo b=3");
}

#[test]
fn deleted_labels() {
    let by_name = MatchOp::Equal;
    let line = "a=Foo b=3";
    for (stage, want) in [
        (drop_labels(&[("a", by_name, "*")]), "b=3"),
        (drop_labels(&[("a", by_name, "Foo")]), "b=3"),
        (drop_labels(&[("a", by_name, "Bar")]), "a=Foo b=3"),
        (drop_labels(&[("a", MatchOp::Regex, "F.*")]), "b=3"),
        (drop_labels(&[("a", MatchOp::Regex, "oo")]), "a=Foo b=3"),
        (drop_labels(&[("a", MatchOp::NotEqual, "x"), ("none", by_name, "*")]), "b=3"),
        (drop_labels(&[("pod", by_name, "*")]), "a=Foo b=3 s:team=core"),
        (keep_labels(&[("a", by_name, "*")]), "a=Foo"),
        (keep_labels(&[("a", by_name, "nope")]), ""),
        (
            keep_labels(&[("a", by_name, "nope"), ("a", MatchOp::Regex, "F.."), ("pod", by_name, "*")]),
            "a=Foo s:pod=p1",
        ),
    ] {
        check_labels(line, vec![logfmt(false, false), stage], want);
    }
    // A deleted name may be set again, but a parser does not find it twice.
    let gone = || drop_labels(&[("a", by_name, "*")]);
    check_labels(line, vec![logfmt(false, false), gone(), label_format(&[("a", "new")])], "a=new b=3");
    check_labels(line, vec![logfmt(false, false), gone(), logfmt(false, false)], "b=3");
    check_row(&[("a", "m")], line.as_bytes(), vec![gone(), logfmt(false, false)], line, "a=Foo b=3");
}

#[test]
fn deleted_errors() {
    let drop_error = || drop_labels(&[("__error__", MatchOp::Equal, "*")]);
    let details = "__error_details__=Value looks like object, but can't find closing '}' symbol";
    check_labels("bad", vec![json(), drop_error()], "");
    check_row(&[("u", "1")], b"bad", vec![json(), drop_error()], "bad", &format!("{details} m:u=1"));
    check_labels("bad", vec![json(), drop_labels(&[("__error__", MatchOp::Equal, "Other")])], OBJECT_FAULT);
    check_labels("bad", vec![json(), drop_labels(&[("__error__", MatchOp::Equal, "JSONParserErr")])], "");
    check_labels(
        "bad",
        vec![json(), drop_labels(&[("__error_details__", MatchOp::Equal, "*")])],
        "__error__=JSONParserErr",
    );
    check_labels("bad", vec![json(), keep_labels(&[("a", MatchOp::Equal, "*")])], OBJECT_FAULT);
    // Details without an error show only where a label changed.
    let keep =
        |names: &[&str]| keep_labels(&names.iter().map(|n| (*n, MatchOp::Equal, "*")).collect::<Vec<_>>());
    check_labels("bad", vec![json(), drop_error(), keep(&["pod", "team"])], "");
    check_labels("bad", vec![json(), drop_error(), keep(&["pod"])], &format!("{details} s:pod=p1"));
}

#[test]
fn control_sequences_are_removed() {
    for (line, want) in [
        (&b"\x1b[1;32mok\x1b[0m"[..], "ok"),
        (b"\x1b[31mERROR\x1b[0m message \x1b[1mbold\x1b[0m", "ERROR message bold"),
        (b"\x1b]0;title\x07text", "text"),
        ("a\u{9b}31mb".as_bytes(), "ab"),
        (b"plain", "plain"),
        (b"\x1b", "\x1b"),
        (b"\xff\x1b[0mx", "\u{fffd}x"),
    ] {
        check_row(&[], line, vec![Stage::Decolorize(Decolorize)], want, "");
    }
}

#[test]
fn unwrapped_values() {
    for (value, conversion, want) in [
        ("1.5", Conversion::Number, Ok(1.5)),
        ("-Inf", Conversion::Number, Ok(f64::NEG_INFINITY)),
        ("0x10", Conversion::Number, Err((0.0, "strconv.ParseFloat: parsing \"0x10\": invalid syntax"))),
        (
            "1e999",
            Conversion::Number,
            Err((f64::INFINITY, "strconv.ParseFloat: parsing \"1e999\": value out of range")),
        ),
        ("250ms", Conversion::Duration, Ok(0.25)),
        ("45.91ms", Conversion::Duration, Ok(0.045_91)),
        ("bad", Conversion::Duration, Err((0.0, "time: invalid duration \"bad\""))),
        ("1d", Conversion::Duration, Err((0.0, "time: unknown unit \"d\" in duration \"1d\""))),
        ("1KiB", Conversion::Bytes, Ok(1024.0)),
        ("oops", Conversion::Bytes, Err((0.0, "strconv.ParseFloat: parsing \"\": invalid syntax"))),
    ] {
        let stream = Labels::from_pairs([("v", value)]).unwrap();
        let mut row = Row::new(Timestamp::EPOCH);
        row.load(&stream, Timestamp::EPOCH, b"");
        let sample = Unwrap::new("v", conversion).run(&mut row);
        match want {
            Ok(number) => assert_eq!((sample, row.labels().error()), (Some(number), None), "{value}"),
            Err((number, details)) => {
                assert_eq!((sample, row.labels().error()), (Some(number), Some(&b"SampleExtractionErr"[..])));
                assert_eq!(row.labels().error_details(), Some(details.as_bytes()));
            }
        }
        assert_eq!(Unwrap::new("none", conversion).run(&mut row), None);
    }
    let stream = Labels::default();
    let mut row = Row::new(Timestamp::EPOCH);
    row.load(&stream, Timestamp::EPOCH, b"");
    row.add_metadata("e", b"");
    assert_eq!(Unwrap::new("e", Conversion::Number).run(&mut row), None);
}

#[test]
fn hints_bound_what_parsers_do() {
    let run = |stage: Stage, line: &str, want: &str| check_labels(line, vec![stage], want);
    let broken = r#"{"lvl":"x", broken"#;
    run(Stage::Json(Json::new(Hints::only(&[]))), "not json", "");
    run(Stage::Json(Json::new(Hints::only(&["lvl"]))), broken, "lvl=x");
    run(Stage::Json(Json::new(Hints::only(&["lvl", "zz"]))), broken, &format!("{OBJECT_FAULT} lvl=x"));
    run(Stage::Json(Json::new(Hints::only(&["a_b"]))), r#"{"c":{"x" 1},"a":{"b":2,"c":3},"d"#, "a_b=2");
    run(Stage::Json(Json::new(Hints::only(&["team"]))), r#"{"team":"y"}"#, "");
    run(
        Stage::Json(Json::new(Hints::only(&["team_extracted"]))),
        r#"{"x":1,"team":"y"}"#,
        "team_extracted=y",
    );
    run(
        Stage::Json(Json::new(Hints::all().preserving_errors())),
        "bad",
        &OBJECT_FAULT.replace("symbol", "symbol __preserve_error__=true"),
    );
    let strict = LogfmtFlags { strict: true, keep_empty: false };
    run(Stage::Logfmt(Logfmt::new(strict, Hints::only(&["a"]))), "a=1 b=2 =", "a=1");
    run(Stage::Logfmt(Logfmt::new(strict, Hints::only(&[]))), "=", "");
    run(Stage::Unpack(Unpack::new(Hints::only(&[]))), "bad", "");
    run(Stage::Pattern(Pattern::new(&parts("<a> <b>"), Hints::only(&["b"]))), "x y", "b=y");
    run(
        Stage::LogfmtKeys(
            LogfmtKeys::new(strict, vec![("a".to_owned(), "b".to_owned())], Hints::only(&[])).unwrap(),
        ),
        "b=1",
        "",
    );
    run(
        Stage::JsonPaths(JsonPaths::new(
            vec![("a".to_owned(), JsonPath::parse("b").unwrap())],
            Hints::only(&[]),
        )),
        "x",
        "",
    );
}

#[test]
fn many_labels_are_found_by_their_names() {
    let mut line = String::from("{");
    for index in 0..500 {
        line.push_str(&format!("\"k{index}\":{index},\"k{}\":-1,", index / 2));
    }
    line.push_str("\"end\":1}");
    let stream = Labels::from_pairs([("k7", "stream")]).unwrap();
    let mut row = Row::new(Timestamp::EPOCH);
    for _ in 0..2 {
        row.load(&stream, Timestamp::EPOCH, line.as_bytes());
        Json::new(Hints::all()).run(&mut row);
        assert_eq!(row.labels().sorted().len(), 502);
        assert_eq!(row.labels().get("k499"), Some(&b"499"[..]));
        assert_eq!(row.labels().get("k7"), Some(&b"stream"[..]));
        assert_eq!(row.labels().get("k7_extracted"), Some(&b"7"[..]));
        assert_eq!(row.labels().get("k500"), None);
        row.delete_label("k3");
        assert_eq!(row.labels().get("k3"), None);
    }
}

proptest! {
    /// A model of the rules: parsed over metadata over stream, the first extraction of a name counts.
    #[test]
    fn labels_follow_their_rules(
        stream in prop::collection::btree_map("[ab]", "[xy]", 0..3),
        steps in prop::collection::vec((0..4_u8, "[abc]", "[xyz]{0,1}"), 0..60),
    ) {
        let labels = Labels::from_pairs(stream.iter().map(|(n, v)| (n.as_str(), v.as_str()))).unwrap();
        let mut row = Row::new(Timestamp::EPOCH);
        row.load(&labels, Timestamp::EPOCH, b"");
        let mut model: std::collections::BTreeMap<String, (Category, String)> =
            stream.iter().map(|(n, v)| (n.clone(), (Category::Stream, v.clone()))).collect();
        let mut extracted = std::collections::BTreeSet::new();
        for (kind, name, value) in steps {
            let taken = |model: &std::collections::BTreeMap<String, (Category, String)>| {
                stream.contains_key(&name) || model.get(&name).is_some_and(|(c, _)| *c == Category::Metadata)
            };
            match kind {
                0 => {
                    row.add_metadata(&name, value.as_bytes());
                    let name = if stream.contains_key(&name) { format!("{name}_extracted") } else { name };
                    model.insert(name, (Category::Metadata, value));
                }
                1 => {
                    row.labels.extract(&name, &Hints::all(), |out| out.extend_from_slice(value.as_bytes()));
                    let name = if taken(&model) { format!("{name}_extracted") } else { name };
                    if extracted.insert(name.clone()) {
                        model.insert(name, (Category::Parsed, value));
                    }
                }
                2 => {
                    row.labels.set(&name, value.as_bytes());
                    model.insert(name, (Category::Parsed, value));
                }
                _ => {
                    row.delete_label(&name);
                    model.remove(&name);
                }
            }
        }
        let got: Vec<_> = row.labels().sorted().iter().map(|l| (l.name.to_owned(), l.category, l.value.to_vec())).collect();
        let want: Vec<_> = model.into_iter().map(|(n, (c, v))| (n, c, v.into_bytes())).collect();
        prop_assert_eq!(got, want);
    }
}
