//! How long it takes to parse queries of the kinds that dashboards send. Prints the best of several rounds
//! in microseconds a query.

#![expect(clippy::print_stdout, reason = "the figures are the program's only purpose")]
#![expect(clippy::disallowed_methods, reason = "a benchmark reads the clock that it measures with")]

use std::hint::black_box;
use std::time::Instant;

use larch_logql::{parse, pretty};

const ROUNDS: u32 = 20;
const QUERIES_A_ROUND: u32 = 5_000;

const QUERIES: [(&str, &str); 5] = [
    ("selector", r#"{cluster="eu-1", app="checkout"}"#),
    ("filters", r#"{cluster="eu-1", app="checkout"} |= "error" != "timeout" |~ "code=5\\d\\d""#),
    (
        "pipeline",
        r#"{cluster="eu-1", app=~"checkout|cart"} |= "error" | json | status >= 500 and duration > 250ms | line_format "{{.method}} {{.path}}""#,
    ),
    (
        "typical",
        r#"sum by (app, status) (rate({cluster="eu-1", app=~"checkout|cart"} |= "error" | json | status >= 500 [5m]))"#,
    ),
    (
        "ratio",
        r#"sum by (app) (rate({cluster="eu-1"} |~ "(?i)error" | logfmt | level="error" [5m])) / on (app) group_left sum by (app) (rate({cluster="eu-1"}[5m])) * 100 > 5 or vector(0)"#,
    ),
];

/// Microseconds a call, in the best round.
fn best(mut call: impl FnMut()) -> f64 {
    let mut best = f64::INFINITY;
    for _ in 0..ROUNDS {
        let start = Instant::now();
        for _ in 0..QUERIES_A_ROUND {
            call();
        }
        best = best.min(start.elapsed().as_secs_f64() * 1e6 / f64::from(QUERIES_A_ROUND));
    }
    best
}

fn main() {
    println!("{:<10} {:>6} {:>10} {:>10}", "query", "bytes", "parse µs", "pretty µs");
    for (name, query) in QUERIES {
        let expr = match parse(query) {
            Ok(expr) => expr,
            Err(error) => {
                println!("{name:<10} {error}");
                continue;
            }
        };
        let parsing = best(|| drop(black_box(parse(black_box(query)))));
        let printing = best(|| drop(black_box(pretty(black_box(&expr)))));
        println!("{name:<10} {:>6} {parsing:>10.2} {printing:>10.2}", query.len());
    }
}
