//! Patterns as Go reads them: errors, meaning, groups, and what every match contains.

use larch_types::{MatchOp, Matcher};
use proptest::prelude::*;

use super::*;

#[test]
fn errors_are_those_of_go() {
    for (pattern, want) in [
        ("(", "missing closing ): `(`"),
        ("a(b", "missing closing ): `a(b`"),
        (")", "unexpected ): `)`"),
        ("a)b", "unexpected ): `a)b`"),
        ("[a", "missing closing ]: `[a`"),
        ("x[", "missing closing ]: `[`"),
        ("[]", "missing closing ]: `[]`"),
        ("[z-a]", "invalid character class range: `z-a`"),
        ("[[:foo:]]", "invalid character class range: `[:foo:]`"),
        (r"\p{Foo}", r"invalid character class range: `\p{Foo}`"),
        (r"\p{Greek", r"invalid character class range: `\p{Greek`"),
        (r"\p", r"invalid character class range: `\p`"),
        (r"\q", r"invalid escape sequence: `\q`"),
        (r"\1", r"invalid escape sequence: `\1`"),
        (r"\C", r"invalid escape sequence: `\C`"),
        (r"\Z", r"invalid escape sequence: `\Z`"),
        (r"\xg1", r"invalid escape sequence: `\xg1`"),
        (r"\x{}", r"invalid escape sequence: `\x{}`"),
        (r"\x{110000}", r"invalid escape sequence: `\x{110000`"),
        ("a\\", "trailing backslash at end of expression: ``"),
        ("*", "missing argument to repetition operator: `*`"),
        ("a|*", "missing argument to repetition operator: `*`"),
        ("(+)", "missing argument to repetition operator: `+`"),
        ("{2}", "missing argument to repetition operator: `{2}`"),
        ("a**", "invalid nested repetition operator: `**`"),
        ("a+?{2}", "invalid nested repetition operator: `+?{2}`"),
        ("a{1001}", "invalid repeat count: `{1001}`"),
        ("a{2,1}", "invalid repeat count: `{2,1}`"),
        ("(a{100}){11}", "invalid repeat count: `{11}`"),
        ("(?P<n", "invalid named capture: `(?P<n`"),
        ("(?P<a-b>x)", "invalid named capture: `(?P<a-b>`"),
        ("(?<>x)", "invalid named capture: `(?<>`"),
        ("(?<=a)b", "invalid named capture: `(?<=a)b`"),
        ("(?=a)", "invalid or unsupported Perl syntax: `(?=`"),
        ("(?x)a", "invalid or unsupported Perl syntax: `(?x`"),
        ("(?i", "invalid or unsupported Perl syntax: `(?i`"),
        ("(?-)", "invalid or unsupported Perl syntax: `(?-)`"),
        (r"(\pL{1000}){1}x", r"expression too large: `(\pL{1000}){1}x`"),
    ] {
        let error = Regex::new(pattern, Flavor::Search).map(|_| ()).unwrap_err();
        assert_eq!(error.to_string(), format!("error parsing regexp: {want}"));
        assert_eq!(compile_for_template(pattern).unwrap_err(), error.to_string());
    }
    for depth in [101, 100_000] {
        let error = Regex::new(&"(".repeat(depth), Flavor::Search).unwrap_err();
        assert_eq!(error.fault, RegexFault::Nesting);
    }
    let deep = format!("{}a{}", "(?:".repeat(99), "){2,}?".repeat(99));
    assert_eq!(Regex::new(&deep, Flavor::Search).unwrap_err().fault, RegexFault::RepeatCount);
    let deep = format!("{}a{}", "(".repeat(99), "|b)*".repeat(99));
    assert!(Regex::new(&deep, Flavor::Search).unwrap().is_match(b"a"));
}

/// Pattern, and for each text whether it matches somewhere, wholly, and wholly with dots for newlines.
#[test]
fn meaning() {
    for (pattern, texts) in [
        (r"\d+", &[("a1", true, false, false), ("\u{663}", false, false, false)][..]),
        (r"^\w+$", &[("ab_9", true, true, true), ("\u{e9}", false, false, false)]),
        (r"\bb", &[("\u{e9}b", true, false, false), ("ab", false, false, false)]),
        ("{\"a\"", &[("x{\"a\":1", true, false, false)]),
        ("a{,5}", &[("a{,5}", true, true, true), ("aaa", false, false, false)]),
        ("[a&&b]", &[("&", true, true, true)]),
        ("[*--]", &[("+", true, true, true), ("a", false, false, false)]),
        ("[[a]", &[("[", true, true, true)]),
        (r"\<x\>", &[("<x>", true, true, true)]),
        (r"\Qa.*b\E+", &[("a.*bb", true, true, true), ("axb", false, false, false)]),
        (r"\101\x{42}\07", &[("AB\u{7}", true, true, true)]),
        ("a.b", &[("a\nb", false, false, true), ("a\u{20ac}b", true, true, true)]),
        ("(?s)a.b", &[("a\nb", true, true, true)]),
        ("(?-s:a.b)", &[("a\nb", false, false, false)]),
        ("a$", &[("a\n", false, false, false), ("ba", true, false, false)]),
        ("(?m)^b$", &[("a\nb\nc", true, false, false)]),
        ("(?i)stra\u{df}e", &[("STRA\u{1e9e}E", true, true, true), ("strasse", false, false, false)]),
        ("(?i)\u{3c3}", &[("\u{3a3}", true, true, true), ("\u{3c2}", true, true, true)]),
        ("(?i)k", &[("\u{212a}", true, true, true)]),
        (r"(?i)\W", &[("\u{212a}", false, false, false), ("-", true, true, true)]),
        ("", &[("", true, true, true), ("x", true, false, false)]),
        (".*", &[("", true, true, true), ("a\nb", true, false, true)]),
        (".+", &[("", false, false, false), ("\n", false, false, true), ("a\nb", true, false, true)]),
        ("foo|far", &[("far", true, true, true), ("xfar", true, false, false)]),
        ("warn(ing)?", &[("warning", true, true, true), ("warned", true, false, false)]),
        ("al.*", &[("alpha", true, true, true), ("al\n", true, false, true), ("xal", true, false, false)]),
        (".*al", &[("xal", true, true, true), ("\nal", true, false, true)]),
        (".*al.*", &[("xalx", true, true, true), ("x\nal", true, false, true)]),
        ("(GET|POST) /(a|b)", &[("GET /b", true, true, true), ("PUT /b", false, false, false)]),
        ("er.*dur|er.*ms", &[("erxms", true, true, true), ("er", false, false, false)]),
        (r"a\x{D800}|b", &[("b", true, true, true), ("a", false, false, false)]),
        (r"[\x{D700}-\x{E001}]", &[("\u{E000}", true, true, true)]),
    ] {
        for (text, search, whole, dot_all) in texts {
            for (flavor, want) in
                [(Flavor::Search, search), (Flavor::Whole, whole), (Flavor::WholeDotAll, dot_all)]
            {
                let got = Regex::new(pattern, flavor).unwrap().is_match(text.as_bytes());
                assert_eq!(got, *want, "{pattern:?} on {text:?}, {flavor:?}");
                let got = Regex::with_groups(pattern, flavor).unwrap().is_match(text.as_bytes());
                assert_eq!(got, *want, "{pattern:?} on {text:?}, {flavor:?}, with groups");
            }
        }
    }
}

#[test]
fn bytes_that_are_no_text() {
    for (pattern, text, want) in [
        ("a.b", &b"a\xffb"[..], true),
        ("a..b", b"a\xffb", false),
        ("a..b", b"a\xe2\x82b", true),
        ("[^a]", b"\xff", true),
        ("\u{fffd}", b"\xff", true),
        ("(?i)\u{fffd}", b"x\xffy", true),
        (r"\B", b"a\xffb", false),
        (r"\B", "a\u{e9}b".as_bytes(), false),
        ("b$", b"\xffb", true),
        (".+", b"\xff", true),
    ] {
        assert_eq!(
            Regex::new(pattern, Flavor::Search).unwrap().is_match(text),
            want,
            "{pattern} on {text:?}"
        );
    }
}

fn groups(pattern: &str, text: &[u8]) -> Vec<Option<Vec<u8>>> {
    let mut found = Vec::new();
    Regex::with_groups(pattern, Flavor::Search)
        .unwrap()
        .first_match(text, |_, span| found.push(span.map(<[u8]>::to_vec)));
    found
}

#[test]
fn the_leftmost_match_gives_the_groups() {
    let some = |text: &str| Some(text.as_bytes().to_vec());
    assert_eq!(groups("(a+)(b)?", b"xaac"), [some("aa"), some("aa"), None]);
    assert_eq!(groups("x.*a|x.*b", b"x1a2b"), [some("x1a")]);
    assert_eq!(groups("(a){0}(b)", b"ab"), [some("b"), None, some("b")]);
    assert_eq!(groups("(a|ab)(c|bcd)?", b"abcd"), [some("abcd"), some("a"), some("bcd")]);
    assert_eq!(groups("a(.)b", b"xa\xffb"), [Some(b"a\xffb".to_vec()), Some(b"\xff".to_vec())]);
    assert_eq!(groups("nope", b"x"), []);
    let named = Regex::with_groups("(?P<a>x)(y)(?<1z>z)", Flavor::Search).unwrap();
    let names: Vec<_> = named.names().iter().map(|name| name.as_deref().unwrap_or("-")).collect();
    assert_eq!(names, ["-", "a", "-", "1z"]);
}

#[test]
fn what_a_match_must_contain() {
    for (pattern, want) in [
        ("error", "error"),
        ("err(or|ing) 5", "err & ing|or &  5"),
        ("(error|warn|fatal)", "error|fatal|warn"),
        ("GET .* /api", "GET  &  /api"),
        ("(?i)disk", "~di"),
        ("(?i)error=5\\d\\d", "~error=5"),
        ("(?i)123", "123"),
        ("a*bc?(d+)", "b & d"),
        ("(foo|bar)?", ""),
        ("foo|.*", ""),
        ("[ab]c", "c"),
        ("x\u{fffd}y", "x & y"),
    ] {
        let required = Regex::new(pattern, Flavor::Search).unwrap();
        let shown: Vec<String> = required.required().0.iter().map(show).collect();
        assert_eq!(shown.join(" & "), want, "{pattern}");
    }
}

fn show(any: &AnyOf) -> String {
    let one = |needle: &Needle| {
        let mark = if needle.ignore_ascii_case { "~" } else { "" };
        format!("{mark}{}", String::from_utf8_lossy(&needle.bytes))
    };
    any.0.iter().map(one).collect::<Vec<_>>().join("|")
}

#[test]
fn matchers() {
    for (op, value, text, want) in [
        (MatchOp::Equal, "a", "a", true),
        (MatchOp::NotEqual, "a", "", true),
        (MatchOp::Regex, "co", "core", false),
        (MatchOp::Regex, "co.*|x", "co\nre", true),
        (MatchOp::Regex, "(?i)CORE", "core", true),
        (MatchOp::NotRegex, "x|", "", false),
    ] {
        let matcher = Matcher { name: "team".to_owned(), op, value: value.to_owned() };
        let matcher = LabelMatcher::new(&matcher).unwrap();
        assert_eq!(matcher.matches(text.as_bytes()), want, "{value} {text}");
        assert_eq!(matcher.name(), "team");
    }
    let bad = Matcher { name: "a".to_owned(), op: MatchOp::Regex, value: "(x".to_owned() };
    let error = LabelMatcher::new(&bad).unwrap_err();
    assert_eq!(error.to_string(), "error parsing regexp: missing closing ): `(x`");
}

/// Pieces of patterns, so that most combinations are valid and many match.
const PIECES: &[&str] = &[
    "a", "b", "ab", "k", "s", "K", "\u{e9}", "\u{fffd}", r"\d", r"\w", r"\b", r"\B", ".", ".*", ".+", "^",
    "$", "[a-k]", "[^a]", "(a)", "(?:a|b)", "(b|)", "(?i)", "(?s)", "(?i:K)", "|", "*", "+", "?", "{2}",
    "{0,3}", "-", "(", ")", "[", "]", "{", "}", r"\Q.\E", r"\x61", "\n", "1",
];

proptest! {
    #[test]
    fn required_texts_are_in_every_match(
        pieces in prop::collection::vec(prop::sample::select(PIECES), 1..8),
        text in "[abkKsS\u{e9}\u{212a}\u{17f}1\n -]{0,12}",
        bad in any::<bool>(),
    ) {
        let mut bytes = pieces.concat().into_bytes();
        let mut text = text.into_bytes();
        if bad {
            text.insert(text.len() / 2, 0xff);
        }
        // The fuzz function takes both in equal parts.
        let len = bytes.len().max(text.len());
        while bytes.len() < len {
            bytes.extend_from_slice(b"|");
        }
        text.resize(bytes.len(), b'a');
        bytes.extend_from_slice(&text);
        fuzz_regex(&bytes);
    }

    #[test]
    fn plain_text_is_found(text in "[a-z0-9 \u{e9}]{1,8}", before in "\\PC*", after in "\\PC*") {
        let regex = Regex::new(&text, Flavor::Search).unwrap();
        let whole = format!("{before}{text}{after}");
        prop_assert!(regex.is_match(whole.as_bytes()));
    }
}

/// Templates compile patterns that a line brings, as often as there are lines.
#[test]
fn templates_take_only_what_compiles_quickly() {
    assert!(super::compile_for_template(r"(?i)error (\w+) \d{1,100}").is_ok());
    assert!(super::compile_for_template(r"\pL{100}").is_err());
    assert!(Regex::new(r"\pL{100}", Flavor::Search).is_ok());
}
