//! The stream selectors of a query, to look at and to change.

use larch_logql::{Expr, MetricExpr, VectorOp};
use larch_types::Matcher;

/// Changes each selector, in the order written. The parser bounds how deep a query is.
pub(crate) fn change_selectors<E>(
    expr: &mut Expr,
    change: &mut impl FnMut(&mut Vec<Matcher>) -> Result<(), E>,
) -> Result<(), E> {
    match expr {
        Expr::Log(log) => change(&mut log.matchers),
        Expr::Metric(metric) => change_in_metric(metric, change),
    }
}

fn change_in_metric<E>(
    metric: &mut MetricExpr,
    change: &mut impl FnMut(&mut Vec<Matcher>) -> Result<(), E>,
) -> Result<(), E> {
    match metric {
        MetricExpr::Range(range) => change(&mut range.range.log.matchers),
        MetricExpr::Vector(vector) => change_in_metric(&mut vector.expr, change),
        MetricExpr::Binary(binary) => {
            change_in_metric(&mut binary.left, change)?;
            change_in_metric(&mut binary.right, change)
        }
        MetricExpr::LabelReplace(replace) => change_in_metric(&mut replace.expr, change),
        MetricExpr::Literal(_) | MetricExpr::VectorOf(_) => Ok(()),
    }
}

/// Whether the query orders its series itself.
pub(crate) fn sorts(metric: &MetricExpr) -> bool {
    match metric {
        MetricExpr::Vector(vector) => {
            matches!(vector.op, VectorOp::Sort | VectorOp::SortDesc) || sorts(&vector.expr)
        }
        MetricExpr::Binary(binary) => sorts(&binary.left) || sorts(&binary.right),
        MetricExpr::LabelReplace(replace) => sorts(&replace.expr),
        MetricExpr::Range(_) | MetricExpr::Literal(_) | MetricExpr::VectorOf(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use larch_logql::{parse, parse_metric};

    use super::*;

    #[test]
    fn every_selector_is_met() {
        let query = r#"sum(rate({a="1"}[1m])) / label_replace(rate({b="2"}[1m]),"x","y","z","") + vector(1)"#;
        let mut expr = parse(query).unwrap();
        let mut met = Vec::new();
        let changed: Result<(), ()> = change_selectors(&mut expr, &mut |matchers| {
            met.push(matchers[0].to_string());
            matchers[0].value = "changed".to_owned();
            Ok(())
        });
        assert_eq!(changed, Ok(()));
        assert_eq!(met, [r#"a="1""#, r#"b="2""#]);
        assert_eq!(expr.to_string().matches("changed").count(), 2);
    }

    #[test]
    fn sorting_queries() {
        for (query, want) in [
            (r#"sort(rate({a="1"}[1m]))"#, true),
            (r#"1 + sort_desc(rate({a="1"}[1m]))"#, true),
            (r#"topk(2, rate({a="1"}[1m]))"#, false),
            ("vector(1)", false),
        ] {
            assert_eq!(sorts(&parse_metric(query).unwrap()), want, "{query}");
        }
    }
}
