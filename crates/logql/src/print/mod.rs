//! A tree to text: on one line, which is also how errors and caches name it, and laid out for people.
//!
//! Both texts parse to the tree that they were made of. Where Loki's text would not (it rounds sizes,
//! loses parentheses and `or` chains, and prints numbers that are no literals), Larch's differs.

mod canonical;
mod number;
mod pretty;

use std::fmt;

use crate::ast::{Expr, LabelFilter, LogExpr, MetricExpr, Stage};

pub use pretty::pretty;

impl fmt::Display for Expr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        canonical::expr(f, self)
    }
}

impl fmt::Display for LogExpr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        canonical::log(f, self)
    }
}

impl fmt::Display for MetricExpr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        canonical::metric(f, self)
    }
}

impl fmt::Display for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        canonical::stage(f, self)
    }
}

impl fmt::Display for LabelFilter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        canonical::label_filter(f, self)
    }
}

/// Stages that are shown as one.
pub(crate) fn stages(stages: &[&Stage]) -> String {
    let texts: Vec<String> = stages.iter().map(|stage| stage.to_string()).collect();
    texts.join(" ")
}
