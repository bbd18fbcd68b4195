//! No text makes the parser recurse without bound, and no tree that it makes is too deep to be used on a
//! stack of half a worker's size.

use larch_logql::{MAX_DEPTH, MAX_NESTING, MAX_QUERY_BYTES, fuzz_parse, parse};

const STACK: usize = 1 << 20;
const RANGE: &str = r#"rate({a="b"}[1m])"#;

/// Does everything with the query that can be done with it.
#[track_caller]
fn check(query: String, accepted: bool) {
    assert!(query.len() < MAX_QUERY_BYTES, "{}", query.len());
    let done = std::thread::Builder::new().stack_size(STACK).spawn(move || {
        fuzz_parse(query.as_bytes());
        let Ok(expr) = parse(&query) else { return false };
        assert_eq!(expr.clone(), expr);
        assert!(!format!("{expr:?}").is_empty());
        true
    });
    let done = done.expect("a thread").join().expect("no overflow");
    assert_eq!(done, accepted);
}

/// `head` and `tail` around `middle`, `count` times.
fn around(head: &str, middle: &str, tail: &str, count: usize) -> String {
    format!("{}{middle}{}", head.repeat(count), tail.repeat(count))
}

#[test]
fn nesting() {
    for (head, middle, tail) in [
        ("sum(", RANGE, ")"),
        ("sum by (x) (1 + ", RANGE, ")"),
        (r#"label_replace("#, RANGE, r#","a","b","c","d")"#),
    ] {
        check(around(head, middle, tail, MAX_NESTING), true);
        check(around(head, middle, tail, MAX_NESTING + 1), false);
        let most = (MAX_QUERY_BYTES - 100) / (head.len() + tail.len());
        check(around(head, middle, tail, most), false);
        check(head.repeat(MAX_QUERY_BYTES / head.len() - 1), false);
    }
    let range = |count: usize| format!("rate({})", around("(", r#"{a="b"}[1m]"#, ")", count));
    check(range(MAX_NESTING), true);
    check(range(MAX_NESTING + 1), false);
    check(range(60_000), false);
    let error = parse(&"sum(".repeat(1000)).unwrap_err().to_string();
    assert_eq!(error, "parse error at line 1, col 405: query is nested more than 100 levels deep");
}

/// Around operands they leave nothing behind.
#[test]
fn parentheses() {
    for middle in [RANGE, r#"{a="b"} |= "x""#, "1"] {
        check(around("(", middle, ")", 60_000), true);
        check(around("(", middle, ")", 60_000) + ")", false);
    }
    check("(".repeat(130_000), false);
    check(around("(1 + ", RANGE, ")", MAX_DEPTH), true);
    check(around("(1 + ", RANGE, ")", MAX_DEPTH + 1), false);
}

#[test]
fn chains_of_operators() {
    for op in [" or ", " + ", " ^ ", " - on (x) group_left (y) "] {
        let chain = |operators: usize| format!("{RANGE}{}", format!("{op}{RANGE}").repeat(operators));
        check(chain(MAX_DEPTH), true);
        check(chain(MAX_DEPTH + 1), false);
    }
    // Literals become one, however many there are.
    check(format!("1{}", "+1".repeat(60_000)), true);
    check(format!("2{}", "^1".repeat(60_000)), true);
    let deep = around(
        "(1 - ",
        &format!("{RANGE}{}", " or vector(1)".repeat(MAX_DEPTH - MAX_NESTING)),
        ")",
        MAX_NESTING,
    );
    check(deep, true);
}

#[test]
fn label_filters() {
    for glue in [" or ", " and ", ", ", " ", " or a=2, "] {
        let chain = |more: usize| format!(r#"{{a="b"}} | a=1{}"#, format!("{glue}b=1").repeat(more));
        check(chain(MAX_DEPTH / 2 - 1), true);
        check(chain(MAX_DEPTH), false);
        check(chain(MAX_QUERY_BYTES / (glue.len() + 3) - 10), false);
    }
    // Parentheses leave nothing behind.
    check(format!(r#"{{a="b"}} | {}"#, around("(", "a=1", ")", 60_000)), true);
    check(format!(r#"{{a="b"}} | {}"#, "(".repeat(100_000)), false);
    check(format!(r#"{{a="b"}} | {}"#, around("(a=1 or ", "a=1", ")", MAX_DEPTH - 1)), true);
}

#[test]
fn wide_queries() {
    check(format!("{{a=\"b\"{}}}", ",c=~\"d|e\"".repeat(12_000)), true);
    check(format!("{{a=\"b\"}}{}", " |= \"x\"".repeat(18_000)), true);
    check(format!("{{a=\"b\"}} |= \"x\"{}", " or \"x\"".repeat(16_000)), true);
    check(format!("{{a=\"b\"}} != \"x\"{}", " or \"x\"".repeat(10_000)), true);
    check(format!("{{a=\"b\"}}{}", " | json".repeat(18_000)), true);
    check(format!("{{a=\"b\"}} | json{}a", " a,".repeat(40_000)), true);
    check(format!("{{a=\"b\"}} | drop a{}", ",a".repeat(60_000)), true);
    check(format!("sum by (a{}) (1)", ",a".repeat(60_000)), true);
    check(format!("{{a=\"b\"}} | pattern \"{}\"", "<a> ".repeat(30_000)), false);
    check(format!("{{a=\"b\"}} |> \"{}\"", "<_> ".repeat(30_000)), true);
    check(format!("{}{{a=\"b\"}}", "# x\n".repeat(30_000)), true);
    check(format!("{{a=\"b\"}}{}", "/**/".repeat(30_000)), true);
    check(format!("{{a=~\"{}\"}}", "(".repeat(120_000)), false);
    check(format!("{{a=~\"{}\"}}", "(?:a|b){2}".repeat(12_000)), true);
    check(format!("{{a=~\"{}x{}\"}}", "(".repeat(900), ")*".repeat(900)), false);
    check(format!("{{a=~\"{}x{}\"}}", "(".repeat(90), ")".repeat(90)), true);
    check("1".repeat(131_000), false);
    check("5m".repeat(60_000), false);
    check(format!("{{a=\"b\"}} | x > {}", "1m".repeat(60_000)), true);
    check(format!("rate({{a=\"b\"}}[{}])", "1".repeat(130_000)), false);
}
