//! Any tree is printed as a text that is read as the same tree.

use larch_logql::{Expr, check_stages, parse, pretty, run_order, scans};
use proptest::prelude::*;

use crate::strategies;

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    #[test]
    fn on_one_line(expr in strategies::expr()) {
        let text = expr.to_string();
        let again = parse(&text).map_err(|error| TestCaseError::fail(format!("{text}: {error}")))?;
        prop_assert_eq!(&again, &expr, "{}", text);
        prop_assert_eq!(again.to_string(), text);
    }

    #[test]
    fn laid_out(expr in strategies::expr()) {
        let text = pretty(&expr);
        let again = parse(&text).map_err(|error| TestCaseError::fail(format!("{text}: {error}")))?;
        prop_assert_eq!(&again, &expr, "{}", text);
        prop_assert_eq!(pretty(&again), text);
    }

    #[test]
    fn stages_keep_their_number_and_their_kinds_order(log in strategies::log()) {
        let ordered = run_order(&log.pipeline);
        prop_assert_eq!(ordered.len(), log.pipeline.len());
        let is_filter = |stage: &&larch_logql::Stage| matches!(stage, larch_logql::Stage::LineFilter(_));
        for wanted in [true, false] {
            let before: Vec<_> = log.pipeline.iter().filter(|stage| is_filter(stage) == wanted).collect();
            let after: Vec<_> = ordered.iter().copied().filter(|stage| is_filter(stage) == wanted).collect();
            prop_assert_eq!(before, after);
        }
        let expr = Expr::Log(log);
        prop_assert_eq!(scans(&expr).len(), 1);
        // Either answer is right; it must come.
        drop(check_stages(&expr));
    }
}
