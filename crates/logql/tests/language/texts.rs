//! Queries with the text that they are printed as, or with the error that they are refused with.

use larch_logql::{
    ParseError, check_stages, parse, parse_any_selector, parse_log, parse_metric, parse_selector, pretty,
};
use larch_types::ErrorKind;

use crate::{lines, text};

pub(crate) const CASES: &str = include_str!("../data/cases.jsonl");
pub(crate) const SYNTAX_ERRORS: &str = include_str!("../data/syntax-errors.jsonl");

#[track_caller]
fn check(name: &str, query: &str, prints: Option<&str>, error: Option<&str>, stage_error: Option<&str>) {
    match parse(query) {
        Err(found) => assert_eq!(Some(found.to_string().as_str()), error, "{name}: {query}"),
        Ok(expr) => {
            assert_eq!(error, None, "{name}: {query} parses as {expr}");
            if let Some(prints) = prints {
                assert_eq!(expr.to_string(), prints, "{name}: {query}");
            }
            let found = check_stages(&expr).err().map(|error| error.to_string());
            assert_eq!(found.as_deref(), stage_error, "{name}: {query}");
        }
    }
}

#[test]
fn every_case() {
    for case in lines(CASES) {
        let name = text(&case, "name").expect("a name");
        let query = text(&case, "query").expect("a query");
        let expected = ["prints", "error", "stage_error"].map(|key| text(&case, key));
        assert!(expected.iter().any(Option::is_some), "{name} expects nothing");
        check(name, query, expected[0], expected[1], expected[2]);
    }
}

#[test]
fn every_syntax_error() {
    for case in lines(SYNTAX_ERRORS) {
        let query = text(&case, "query").expect("a query");
        check("syntax error", query, None, text(&case, "error"), None);
    }
}

#[test]
fn the_longest_query() {
    let query = |bytes: usize| {
        let frame = r#"{a=""}"#;
        format!(r#"{{a="{}"}}"#, "x".repeat(bytes - frame.len()))
    };
    assert_eq!(query(131_071).len(), 131_071);
    assert!(parse(&query(131_071)).is_ok());
    let error = parse(&query(131_072)).unwrap_err();
    assert_eq!(error.to_string(), "parse error : input size too long (131072 > 131072)");
    assert_eq!(error.kind(), ErrorKind::Invalid);
}

#[test]
fn only_some_queries_will_do() {
    assert_eq!(parse_selector(r#"{a="b"}"#).unwrap()[0].to_string(), r#"a="b""#);
    for query in [r#"{a="b"} | json"#, "1"] {
        let error = parse_selector(query).unwrap_err();
        assert_eq!(error, ParseError::NotASelector);
        assert_eq!(error.to_string(), "only label matchers are supported");
    }
    assert_eq!(parse_any_selector("{}"), Ok(Vec::new()));
    assert_eq!(parse_any_selector(r#"{a=~".*"}"#).map(|matchers| matchers.len()), Ok(1));
    assert_eq!(parse_any_selector(r#"{} | json"#), Err(ParseError::NotASelector));
    assert!(matches!(parse_any_selector("topk(0, 1)"), Err(ParseError::Meaning(_))));
    assert!(parse_log(r#"{a="b"} | json"#).is_ok());
    assert_eq!(parse_log("1").unwrap_err().to_string(), "only log selector is supported");
    assert!(parse_metric("1").is_ok());
    let error = parse_metric(r#"{a="b"}"#).unwrap_err();
    assert_eq!(error.to_string(), "only sample expression supported");
    assert!(matches!(parse_selector("{").unwrap_err(), ParseError::At { .. }));
}

/// What is the same is printed the same, whatever the layout.
#[test]
fn spellings_of_the_same() {
    for (left, right) in [
        (r#"count_over_time({a="b"}[1h30m])"#, "count_over_time ( {a=`b`} [90m] ) # note"),
        (r#"sum by (x) (rate({a="b"}[1d]))"#, r#"SUM(RATE({a="b"}[24h])) BY (x)"#),
        (r#"{a="b"} | json x"#, r#"{ a = "b" } |json x="x""#),
        (r#"{a="b"} | x = 5"#, r#"{a="b"} | x == 5.0"#),
        (r#"({a="b"} |= "x")"#, r#"{a="b"}|="x""#),
    ] {
        let (left, right) = (parse(left).unwrap(), parse(right).unwrap());
        assert_eq!(left, right);
        assert_eq!(pretty(&left), pretty(&right));
    }
}
