//! `sum by (app) (…)`, `rate(…)` and `label_replace(…)`.

use super::Parser;
use crate::ast::{
    Grouping, LabelReplace, LogRange, MetricExpr, RangeAggregation, RangeOp, VectorAggregation, VectorOp,
};
use crate::compile;
use crate::error::{Meaningless, ParseError};
use crate::float;
use crate::lex::{Keyword, Symbol, TokenKind};

impl Parser<'_> {
    pub(super) fn range_aggregation(&mut self, op: RangeOp) -> Result<MetricExpr, ParseError> {
        let start = self.advance().start;
        self.expect_symbol(Symbol::OpenParen, "(")?;
        let mut parameter = None;
        if let TokenKind::Number(text) = self.token.kind {
            self.advance();
            self.expect_symbol(Symbol::Comma, ",")?;
            parameter = Some(text);
        }
        let expecting = if parameter.is_some() { "{ or (" } else { "NUMBER or { or (" };
        let range = self.log_range(expecting)?;
        self.expect_symbol(Symbol::CloseParen, ")")?;
        let grouping = self.grouping()?;
        match check_range(op, parameter, &range, grouping.as_ref()) {
            Ok(quantile) => {
                Ok(MetricExpr::Range(Box::new(RangeAggregation { op, quantile, range, grouping })))
            }
            Err(reason) => {
                self.defer(start, reason);
                Ok(MEANINGLESS)
            }
        }
    }

    pub(super) fn vector_aggregation(&mut self, op: VectorOp) -> Result<MetricExpr, ParseError> {
        let start = self.advance().start;
        let mut grouping = self.grouping()?;
        self.expect_symbol(Symbol::OpenParen, "(")?;
        let (parameter, expr) = self.nested(Self::vector_arguments)?;
        self.expect_symbol(Symbol::CloseParen, "")?;
        if grouping.is_none() {
            grouping = self.grouping()?;
        }
        match check_vector(op, parameter.as_deref(), grouping.as_ref()) {
            Ok(count) => {
                let grouping = grouping.unwrap_or_default();
                Ok(MetricExpr::Vector(Box::new(VectorAggregation { op, count, grouping, expr })))
            }
            Err(reason) => {
                self.defer(start, reason);
                Ok(MEANINGLESS)
            }
        }
    }

    /// `3, …` or `…`, where a number alone is the start of an expression.
    fn vector_arguments(&mut self) -> Result<(Option<String>, MetricExpr), ParseError> {
        let TokenKind::Number(text) = self.token.kind else {
            return Ok((None, self.metric_after(None)?));
        };
        let start = self.advance().start;
        if self.take_symbol(Symbol::Comma) {
            return Ok((Some(text.to_owned()), self.metric_after(None)?));
        }
        let first = self.literal(start, float::parse_number(text));
        Ok((None, self.metric_after(Some(first))?))
    }

    pub(super) fn label_replace(&mut self) -> Result<MetricExpr, ParseError> {
        let start = self.advance().start;
        self.expect_symbol(Symbol::OpenParen, "(")?;
        let expr = self.nested(|parser| parser.metric_after(None))?;
        self.expect_symbol(Symbol::Comma, "")?;
        let target = self.expect_string("STRING")?;
        self.expect_symbol(Symbol::Comma, ",")?;
        let replacement = self.expect_string("STRING")?;
        self.expect_symbol(Symbol::Comma, ",")?;
        let source = self.expect_string("STRING")?;
        self.expect_symbol(Symbol::Comma, ",")?;
        let regex = self.expect_string("STRING")?;
        self.expect_symbol(Symbol::CloseParen, ")")?;
        if let Err(error) = compile::check_regex(&regex) {
            self.defer(start, Meaningless::LabelReplaceRegex(error));
        }
        Ok(MetricExpr::LabelReplace(Box::new(LabelReplace { expr, target, replacement, source, regex })))
    }

    /// `vector(1)`.
    pub(super) fn vector_of(&mut self) -> Result<MetricExpr, ParseError> {
        let start = self.advance().start;
        self.expect_symbol(Symbol::OpenParen, "(")?;
        let TokenKind::Number(text) = self.token.kind else {
            return Err(self.unexpected("NUMBER"));
        };
        self.advance();
        self.expect_symbol(Symbol::CloseParen, ")")?;
        match float::parse_number(text) {
            Ok(value) => Ok(MetricExpr::VectorOf(value)),
            Err(error) => {
                self.defer(start, Meaningless::Vector(error));
                Ok(MEANINGLESS)
            }
        }
    }

    fn grouping(&mut self) -> Result<Option<Grouping>, ParseError> {
        let without = self.is_keyword(Keyword::Without);
        if !without && !self.is_keyword(Keyword::By) {
            return Ok(None);
        }
        self.advance();
        let labels = self.name_list()?;
        Ok(Some(Grouping { without, labels }))
    }
}

/// Stands in for what has been deferred as meaningless. It is never seen, and it is not a literal, so that
/// whatever contains it is not blamed for having a literal in it.
pub(super) const MEANINGLESS: MetricExpr = MetricExpr::VectorOf(0.0);

/// The quantile, if all is well.
fn check_range(
    op: RangeOp,
    parameter: Option<&str>,
    range: &LogRange,
    grouping: Option<&Grouping>,
) -> Result<Option<f64>, Meaningless> {
    let quantile = match (parameter, op == RangeOp::QuantileOverTime) {
        (Some(text), true) => {
            Some(float::parse_number(text).map_err(|error| Meaningless::BadRangeParameter { op, error })?)
        }
        (Some(text), false) => {
            return Err(Meaningless::RangeParameter { op, parameter: text.to_owned() });
        }
        (None, true) => return Err(Meaningless::ParameterRequired(op.as_str())),
        (None, false) => None,
    };
    if grouping.is_some() && !op.takes_grouping() {
        return Err(Meaningless::Grouping(op.as_str()));
    }
    if range.unwrap.is_some() && !op.takes_unwrap() {
        return Err(Meaningless::WithUnwrap(op));
    }
    if range.unwrap.is_none() && !op.takes_lines() {
        return Err(Meaningless::WithoutUnwrap(op));
    }
    Ok(quantile)
}

/// How many series to return, if all is well.
fn check_vector(
    op: VectorOp,
    parameter: Option<&str>,
    grouping: Option<&Grouping>,
) -> Result<Option<usize>, Meaningless> {
    let count = match (parameter, op.takes_count()) {
        (Some(text), true) => {
            let parameter = text.to_owned();
            // Go's integers are signed.
            match text.parse::<i64>() {
                Err(_) => return Err(Meaningless::CountNotInteger { op, parameter }),
                Ok(count) if count <= 0 => return Err(Meaningless::CountNotPositive { op, parameter }),
                Ok(count) => Some(usize::try_from(count).unwrap_or(usize::MAX)),
            }
        }
        (Some(text), false) => {
            return Err(Meaningless::VectorParameter { op, parameter: text.to_owned() });
        }
        (None, true) => return Err(Meaningless::ParameterRequired(op.as_str())),
        (None, false) => None,
    };
    if op == VectorOp::ApproxTopk && grouping.is_some() {
        return Err(Meaningless::Grouping(op.as_str()));
    }
    let has_labels = grouping.is_some_and(|grouping| !grouping.labels.is_empty());
    if matches!(op, VectorOp::Sort | VectorOp::SortDesc) && has_labels {
        return Err(Meaningless::SortGrouping);
    }
    Ok(count)
}
