//! What must hold for any bytes that arrive as a query.

use crate::ast::{Expr, MetricExpr};
use crate::{MAX_QUERY_BYTES, check_stages, divide, parse, pretty, reach, reads_clock, run_order, scans};
use larch_types::Span;

/// Parses the bytes and does everything with the tree that can be done with it. Panics if a text made of
/// the tree is not read as the same tree.
pub fn fuzz_parse(bytes: &[u8]) {
    let query = String::from_utf8_lossy(bytes);
    let expr = match parse(&query) {
        Ok(expr) => expr,
        Err(error) => {
            assert!(!error.to_string().is_empty());
            return;
        }
    };
    let text = expr.to_string();
    for printed in [&text, &pretty(&expr)] {
        // Texts may grow beyond what is read.
        if printed.len() < MAX_QUERY_BYTES {
            // Trees that hold NaN are not equal to themselves; texts are.
            let again = parse(printed).map(|again| again.to_string() == text);
            assert_eq!(again, Ok(true), "{}", printed.get(..1000).unwrap_or(printed));
        }
    }
    // Refusing is as good as not; the stages only must not make it panic.
    if check_stages(&expr).is_ok() {
        assert!(!scans(&expr).iter().any(|scan| run_order(scan.pipeline).len() != scan.pipeline.len()));
    }
    if let Expr::Metric(metric) = &expr {
        assert_eq!(reach(metric).is_none(), scans(&expr).is_empty());
        divide_all_ways(metric);
    }
    reads_clock(&expr);
}

/// Every part is a query that can be sent to others.
fn divide_all_ways(metric: &MetricExpr) {
    for piece in [None, Some(Span::from_secs(60))] {
        let Some(division) = divide(metric, piece) else { continue };
        assert!(division.legs.iter().any(|leg| leg.merge.is_some()));
        // A year in minutes has more parts than are worth a look.
        for part in division.legs.iter().flat_map(|leg| leg.parts.iter().take(3)) {
            let text = part.to_string();
            let again = parse(&text).map(|again| again.to_string() == text);
            assert!(
                text.len() >= MAX_QUERY_BYTES || again == Ok(true),
                "{}",
                text.get(..1000).unwrap_or(&text)
            );
        }
    }
}
