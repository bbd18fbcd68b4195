//! Layout for people. Every laid-out text is also parsed again.

use larch_logql::{parse, pretty};

#[track_caller]
fn check(query: &str, want: &str) {
    let expr = parse(query).expect(query);
    let text = pretty(&expr);
    assert_eq!(text, want);
    let again = parse(&text).expect(&text);
    assert_eq!(again, expr);
    assert_eq!(pretty(&again), text);
}

#[test]
fn what_fits_stays_on_a_line() {
    // A hundred bytes, and one more.
    let filter = |value: usize| format!(r#"{{app="x"}} | json | label="{}""#, "v".repeat(value));
    let fits = filter(100 - filter(0).len());
    assert_eq!(fits.len(), 100);
    check(&fits, &fits);
    let long = filter(101 - filter(0).len());
    check(&long, &long.replace(" | ", "\n  | "));
}

#[test]
fn pipelines() {
    check(
        r#"{cluster="eu-1", app="checkout"} |= "error" != "timeout" or "cancel" | json a="b", c | line_format "{{.a}} and {{.c}}" | label_format x=y, z="w""#,
        r#"{cluster="eu-1", app="checkout"}
  |= "error" != "timeout" != "cancel"
  | json a="b",c="c"
  | line_format "{{.a}} and {{.c}}"
  | label_format x=y,z="w""#,
    );
    let long = "x".repeat(90);
    check(
        &format!(r#"{{app="x"}} |= "{long}" or "y" != "z" | drop a,b"#),
        &format!(
            r#"{{app="x"}}
  |= "{long}" or "y"
  != "z"
  | drop a,b"#
        ),
    );
}

#[test]
fn aggregations() {
    check(
        r#"topk by (namespace, app) (5, quantile_over_time(0.99, {cluster="eu-1", app="checkout"} | json | unwrap duration(latency) | __error__="" [1h30m] offset 1d) by (namespace, app))"#,
        r#"topk by (namespace, app)(
  5,
  quantile_over_time(
    0.99,
    {cluster="eu-1", app="checkout"} | json
      | unwrap duration(latency)
      | __error__="" [1h30m] offset 1d
  ) by (namespace, app)
)"#,
    );
    check(
        r#"sum without () (max_over_time({cluster="eu-1", app="checkout", pod=~"checkout-[0-9]+"} | unwrap x [5m] offset -24h) by ())"#,
        r#"sum without ()(
  max_over_time(
    {cluster="eu-1", app="checkout", pod=~"checkout-[0-9]+"}
      | unwrap x [5m] offset -24h0m0s
  ) by ()
)"#,
    );
    check(
        r#"label_replace(sum by (app) (rate({cluster="eu-1", app="checkout", pod=~"checkout-[0-9]+"}[5m])), "target", "$1", "app", "(.*)-x")"#,
        r#"label_replace(
  sum by (app)(rate({cluster="eu-1", app="checkout", pod=~"checkout-[0-9]+"}[5m])),
  "target",
  "$1",
  "app",
  "(.*)-x"
)"#,
    );
}

#[test]
fn operations() {
    let a = r#"sum by (app)(rate({cluster="eu-1", app="checkout"} |= "error"[5m]))"#;
    let b = r#"sum by (app)(rate({cluster="eu-1", app="checkout"}[5m]))"#;
    check(
        &format!("{a} / on(app) group_left(team, x) {b} > bool 0.05"),
        &format!(
            "    {a}
  / on (app) group_left (team, x)
    {b}
> bool
  0.05"
        ),
    );
    // Behind `on (…)` there is room for a group.
    check(&format!("{a} and on(app) {b}"), &format!("  {a}\nand on (app) \n  {b}"));
    // Without parentheses these would be grouped in another way.
    check(
        &format!("({a} + {b}) * ({a} - ({b} - {a}))"),
        &format!(
            "  (
    {a}
  +
    {b}
  )
*
  (
    {a}
  -
    (
      {b}
    -
      {a}
    )
  )"
        ),
    );
    check(
        &format!("{a} * on (app) group_right ({b} + 1)").replace("group_right (", "group_right () ("),
        &format!("  {a}\n* on (app) group_right ()\n  ({b} + 1)"),
    );
}

#[test]
fn numbers_that_are_no_literals() {
    for (query, text) in [
        ("1 / 0", "(0 / 0)"),
        ("2 ^ 10000", "(1e+308 * 10)"),
        ("-2 ^ 10001", "(-1e+308 * 10)"),
        ("vector(0.1234567)", "vector(0.1234567)"),
        ("0.00001 + 0", "1e-05"),
    ] {
        let expr = parse(query).expect(query);
        assert_eq!(expr.to_string(), text);
        assert_eq!(parse(text).expect(text).to_string(), text);
    }
}
