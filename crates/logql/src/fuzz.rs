//! What must hold for any bytes that arrive as a query.

use crate::ast::{Expr, MetricExpr};
use crate::{
    MAX_QUERY_BYTES, check_stages, parse, pretty, reach, run_order, scans, shard_split, window_split,
};
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
        split_everywhere(metric);
    }
}

fn split_everywhere(metric: &MetricExpr) {
    drop(shard_split(metric));
    if let Some(split) = window_split(metric, Span::from_secs(60)) {
        assert!(split.windows.len() > 1);
    }
    match metric {
        MetricExpr::Vector(aggregation) => split_everywhere(&aggregation.expr),
        MetricExpr::Binary(binary) => {
            split_everywhere(&binary.left);
            split_everywhere(&binary.right);
        }
        MetricExpr::LabelReplace(replace) => split_everywhere(&replace.expr),
        MetricExpr::Range(_) | MetricExpr::Literal(_) | MetricExpr::VectorOf(_) => {}
    }
}
