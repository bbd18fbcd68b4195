//! A metric expression ready to be evaluated at one time after the other: its operators with operands
//! before them, so that a long chain of operators needs no deep stack.

use std::sync::Arc;

use larch_types::Timestamp;

use super::given::Given;
use super::scan::RangeScan;
use crate::ast::{
    BinaryExpr, BinaryOp, Grouping, MetricExpr, RangeAggregation, Side, VectorAggregation, VectorMatching,
    VectorOp,
};
use crate::eval::vector::{self, Direction, Replace, Vector};
use crate::eval::{EvalError, EvalLimits, LabelSet, Sample, Steps};
use crate::facts::pushed_grouping;

#[derive(Debug)]
pub(super) enum Plan {
    /// Has no series.
    Number(f64),
    Vector(Vec<Operator>),
}

/// Takes as many vectors from the stack as it has operands, and leaves one there.
#[derive(Debug)]
pub(super) enum Operator {
    VectorOf(f64),
    /// The place of the scan.
    Range(usize),
    /// The place of what others have evaluated.
    Given(usize),
    Aggregate {
        op: VectorOp,
        grouping: Grouping,
    },
    Top {
        direction: Direction,
        count: usize,
        grouping: Grouping,
    },
    Sort(Direction),
    WithLiteral {
        op: BinaryOp,
        return_bool: bool,
        literal: f64,
        side: Side,
    },
    Combine {
        op: BinaryOp,
        return_bool: bool,
        matching: Option<VectorMatching>,
    },
    Replace(Box<Replace>),
}

/// Ranges become scans, in the order written, but for those below an expression that is given.
pub(super) fn plan(
    expr: &MetricExpr,
    steps: Steps,
    limits: &EvalLimits,
    given: &[&MetricExpr],
    scans: &mut Vec<RangeScan>,
) -> Result<Plan, EvalError> {
    if let MetricExpr::Literal(value) = expr {
        return Ok(Plan::Number(*value));
    }
    let mut planner = Planner { steps, limits, given, scans };
    let mut operators = Vec::new();
    // What is still to be done, the next thing last. By hand, because expressions may be very deep.
    let mut waiting = vec![Waiting::Operand(expr, None)];
    while let Some(next) = waiting.pop() {
        match next {
            Waiting::Operand(expr, pushed) => planner.open(expr, pushed, &mut waiting)?,
            Waiting::Operator(operator) => operators.push(operator),
        }
    }
    Ok(Plan::Vector(operators))
}

enum Waiting<'q> {
    /// With the grouping of a sum right above.
    Operand(&'q MetricExpr, Option<&'q Grouping>),
    Operator(Operator),
}

struct Planner<'a> {
    steps: Steps,
    limits: &'a EvalLimits,
    given: &'a [&'a MetricExpr],
    scans: &'a mut Vec<RangeScan>,
}

impl Planner<'_> {
    /// Puts the expression's operator down, and on top of it its operands.
    fn open<'q>(
        &mut self,
        expr: &'q MetricExpr,
        pushed: Option<&Grouping>,
        waiting: &mut Vec<Waiting<'q>>,
    ) -> Result<(), EvalError> {
        // Where it stands says which one it is: a query may hold the same text twice.
        if let Some(place) = self.given.iter().position(|given| std::ptr::eq(*given, expr)) {
            waiting.push(Waiting::Operator(Operator::Given(place)));
            return Ok(());
        }
        match expr {
            MetricExpr::Range(aggregation) => {
                waiting.push(Waiting::Operator(self.range(aggregation, pushed)?));
            }
            MetricExpr::Vector(aggregation) => {
                waiting.push(Waiting::Operator(self.aggregation(aggregation)?));
                waiting.push(Waiting::Operand(&aggregation.expr, pushed_grouping(aggregation)));
            }
            MetricExpr::Binary(binary) => open_binary(binary, waiting)?,
            MetricExpr::LabelReplace(replace) => {
                waiting.push(Waiting::Operator(Operator::Replace(Box::new(Replace::new(replace)?))));
                waiting.push(Waiting::Operand(&replace.expr, None));
            }
            MetricExpr::VectorOf(value) => waiting.push(Waiting::Operator(Operator::VectorOf(*value))),
            MetricExpr::Literal(_) => return Err(EvalError::LiteralOperand),
        }
        Ok(())
    }

    fn range(
        &mut self,
        aggregation: &RangeAggregation,
        pushed: Option<&Grouping>,
    ) -> Result<Operator, EvalError> {
        let range = aggregation.range.range;
        if let Some(limit) = self.limits.max_range.filter(|limit| range > *limit) {
            return Err(EvalError::RangeTooLong { range, limit });
        }
        self.scans.push(RangeScan::new(aggregation, pushed, self.steps)?);
        Ok(Operator::Range(self.scans.len() - 1))
    }

    fn aggregation(&self, aggregation: &VectorAggregation) -> Result<Operator, EvalError> {
        let op = aggregation.op;
        if op == VectorOp::ApproxTopk && !self.steps.is_instant() {
            return Err(EvalError::SketchOverRange);
        }
        let grouping = aggregation.grouping.clone();
        // The parser sees to it that those that need a count have one.
        let count = aggregation.count.unwrap_or(0);
        Ok(match op {
            // The exact answer is within the bounds of the approximate one.
            VectorOp::Topk | VectorOp::ApproxTopk => {
                Operator::Top { direction: Direction::Descending, count, grouping }
            }
            VectorOp::Bottomk => Operator::Top { direction: Direction::Ascending, count, grouping },
            VectorOp::Sort => Operator::Sort(Direction::Ascending),
            VectorOp::SortDesc => Operator::Sort(Direction::Descending),
            _ => Operator::Aggregate { op, grouping },
        })
    }
}

fn open_binary<'q>(binary: &'q BinaryExpr, waiting: &mut Vec<Waiting<'q>>) -> Result<(), EvalError> {
    let (op, return_bool) = (binary.op, binary.return_bool);
    let (literal, side, other) = match (&binary.left, &binary.right) {
        (MetricExpr::Literal(value), other) => (*value, Side::Left, other),
        (other, MetricExpr::Literal(value)) => (*value, Side::Right, other),
        (left, right) => {
            let matching = binary.matching.clone();
            waiting.push(Waiting::Operator(Operator::Combine { op, return_bool, matching }));
            waiting.push(Waiting::Operand(right, None));
            waiting.push(Waiting::Operand(left, None));
            return Ok(());
        }
    };
    if op.is_set() {
        return Err(EvalError::LiteralOperand);
    }
    waiting.push(Waiting::Operator(Operator::WithLiteral { op, return_bool, literal, side }));
    waiting.push(Waiting::Operand(other, None));
    Ok(())
}

/// Times must not go back.
pub(super) fn evaluate(
    operators: &[Operator],
    time: Timestamp,
    scans: &mut [RangeScan],
    given: &mut [Given],
) -> Result<Vector, EvalError> {
    let mut stack: Vec<Vector> = Vec::new();
    for operator in operators {
        // The planner puts operands before their operator, so that they are always there.
        let mut operand = || stack.pop().unwrap_or_default();
        let vector = match operator {
            Operator::VectorOf(value) => {
                vec![Sample { labels: Arc::new(LabelSet::default()), value: *value }]
            }
            Operator::Range(place) => scans[*place].evaluate(time)?,
            Operator::Given(place) => given[*place].at(time),
            Operator::Aggregate { op, grouping } => vector::aggregate(*op, grouping, &operand()),
            Operator::Top { direction, count, grouping } => {
                vector::top(*direction, *count, grouping, operand())
            }
            Operator::Sort(direction) => vector::sort(*direction, operand()),
            Operator::WithLiteral { op, return_bool, literal, side } => {
                vector::with_literal(*op, *return_bool, *literal, *side, operand())
            }
            Operator::Combine { op, return_bool, matching } => {
                let (right, left) = (operand(), operand());
                vector::combine(*op, *return_bool, matching.as_ref(), left, right)?
            }
            Operator::Replace(replace) => replace.apply(operand())?,
        };
        stack.push(vector);
    }
    Ok(stack.pop().unwrap_or_default())
}

/// Then the order of an instant answer is the query's own.
pub(super) fn sorts(operators: &[Operator]) -> bool {
    operators.iter().any(|operator| matches!(operator, Operator::Sort(_)))
}
