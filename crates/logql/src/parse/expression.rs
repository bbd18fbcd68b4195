//! Operands and the binary operators between them. Any expression may be an operand as far as the grammar
//! goes; that a log query has no value is said afterwards.
//!
//! What waits is kept by hand, not on the stack: the text of a tree has as many parentheses as the tree has
//! operators.

use larch_template::InvalidFloat;

use super::Parser;
use super::aggregation::MEANINGLESS;
use super::pipeline::Place;
use crate::ast::{BinaryExpr, BinaryOp, Expr, Group, LogExpr, MAX_DEPTH, MetricExpr, Side, VectorMatching};
use crate::error::{Meaningless, ParseError};
use crate::lex::{Keyword, Symbol, TokenKind};

pub(super) struct Operand {
    pub(super) expr: Expr,
    /// Where it begins.
    pub(super) start: usize,
}

/// What waits for its right neighbour or its closing parenthesis.
#[derive(Default)]
struct Waiting {
    entries: Vec<Entry>,
    /// How many of the entries are parentheses.
    open: usize,
}

enum Entry {
    /// A parenthesis at an offset.
    Open(usize),
    Operator(Box<(Operand, Operator)>),
}

/// `> bool on (a) group_left (b)`.
struct Operator {
    op: BinaryOp,
    return_bool: bool,
    matching: Option<VectorMatching>,
}

impl Parser<'_> {
    pub(super) fn expression(&mut self) -> Result<Operand, ParseError> {
        self.expression_after(None)
    }

    /// An expression where only numbers make sense, whose first operand may have been read. A log query is
    /// one as soon as an operator follows.
    pub(super) fn metric_after(&mut self, first: Option<Operand>) -> Result<MetricExpr, ParseError> {
        match self.expression_after(first)?.expr {
            Expr::Metric(metric) => Ok(metric),
            Expr::Log(_) => Err(self.unexpected("")),
        }
    }

    fn expression_after(&mut self, first: Option<Operand>) -> Result<Operand, ParseError> {
        let mut waiting = Waiting::default();
        let mut last = match first {
            Some(first) => first,
            None => self.operand(&mut waiting)?,
        };
        loop {
            if let Some(op) = self.binary_op() {
                while let Some((left, operator)) = waiting.pop_done_before(op) {
                    last = self.combine(left, operator, last)?;
                }
                let operator = self.operator(op)?;
                waiting.entries.push(Entry::Operator(Box::new((last, operator))));
                last = self.operand(&mut waiting)?;
            } else if waiting.open > 0 && self.take_symbol(Symbol::CloseParen) {
                last = self.combine_to_parenthesis(&mut waiting, last)?;
            } else if waiting.open > 0 {
                return Err(self.unexpected(""));
            } else {
                return self.combine_to_parenthesis(&mut waiting, last);
            }
        }
    }

    /// Reads an operand and the parentheses before it.
    fn operand(&mut self, waiting: &mut Waiting) -> Result<Operand, ParseError> {
        while self.is_symbol(Symbol::OpenParen) {
            waiting.entries.push(Entry::Open(self.advance().start));
            waiting.open += 1;
        }
        let start = self.token.start;
        let metric = match self.token.kind {
            TokenKind::Symbol(Symbol::OpenBrace) => {
                let matchers = self.selector()?;
                let (pipeline, _) = self.pipeline(Place::LogQuery)?;
                return Ok(Operand { expr: Expr::Log(LogExpr { matchers, pipeline }), start });
            }
            TokenKind::Number(_) | TokenKind::Symbol(Symbol::Plus | Symbol::Minus) => {
                let number = self.signed_number("")?;
                return Ok(self.literal(start, number));
            }
            TokenKind::RangeOp(op) => self.range_aggregation(op)?,
            TokenKind::VectorOp(op) => self.vector_aggregation(op)?,
            TokenKind::LabelReplace => self.label_replace()?,
            TokenKind::Vector => self.vector_of()?,
            _ => return Err(self.unexpected("")),
        };
        Ok(Operand { expr: Expr::Metric(metric), start })
    }

    pub(super) fn literal(&mut self, start: usize, number: Result<f64, InvalidFloat>) -> Operand {
        let value = number.unwrap_or_else(|error| {
            self.defer(start, Meaningless::Literal(error));
            0.0
        });
        Operand { expr: Expr::Metric(MetricExpr::Literal(value)), start }
    }

    /// The operator that comes next, with its modifiers.
    fn operator(&mut self, op: BinaryOp) -> Result<Operator, ParseError> {
        self.advance();
        let return_bool = self.is_keyword(Keyword::Bool);
        if return_bool {
            self.advance();
        }
        let on = self.is_keyword(Keyword::On);
        if !on && !self.is_keyword(Keyword::Ignoring) {
            return Ok(Operator { op, return_bool, matching: None });
        }
        self.advance();
        let labels = self.name_list()?;
        let group = self.group()?;
        Ok(Operator { op, return_bool, matching: Some(VectorMatching { on, labels, group }) })
    }

    fn group(&mut self) -> Result<Option<Group>, ParseError> {
        let many = match self.token.kind {
            TokenKind::Keyword(Keyword::GroupLeft) => Side::Left,
            TokenKind::Keyword(Keyword::GroupRight) => Side::Right,
            _ => return Ok(None),
        };
        self.advance();
        // A parenthesis here is never the right operand's.
        let include = if self.is_symbol(Symbol::OpenParen) { self.name_list()? } else { Vec::new() };
        Ok(Some(Group { many, include }))
    }

    /// Combines all that stands behind the last parenthesis, which becomes where the result begins.
    fn combine_to_parenthesis(
        &mut self,
        waiting: &mut Waiting,
        operand: Operand,
    ) -> Result<Operand, ParseError> {
        let mut last = operand;
        while let Some(entry) = waiting.entries.pop() {
            match entry {
                Entry::Open(start) => {
                    waiting.open -= 1;
                    return Ok(Operand { start, ..last });
                }
                Entry::Operator(left) => last = self.combine(left.0, left.1, last)?,
            }
        }
        Ok(last)
    }

    fn combine(&mut self, left: Operand, operator: Operator, right: Operand) -> Result<Operand, ParseError> {
        let Operator { op, return_bool, matching } = operator;
        let start = left.start;
        let expr = match value_legs(op, left.expr, right.expr) {
            Ok((MetricExpr::Literal(left), MetricExpr::Literal(right))) => {
                MetricExpr::Literal(fold(op, left, right))
            }
            Ok((left, right)) => {
                self.operators += 1;
                if self.operators > MAX_DEPTH {
                    return Err(self.too_much(format!("query has more than {MAX_DEPTH} binary operators")));
                }
                MetricExpr::Binary(Box::new(BinaryExpr { op, return_bool, matching, left, right }))
            }
            Err(reason) => {
                self.defer(start, reason);
                MEANINGLESS
            }
        };
        Ok(Operand { expr: Expr::Metric(expr), start })
    }

    fn binary_op(&self) -> Option<BinaryOp> {
        Some(match self.token.kind {
            TokenKind::Keyword(Keyword::Or) => BinaryOp::Or,
            TokenKind::Keyword(Keyword::And) => BinaryOp::And,
            TokenKind::Keyword(Keyword::Unless) => BinaryOp::Unless,
            TokenKind::Symbol(Symbol::DoubleEqual) => BinaryOp::Equal,
            TokenKind::Symbol(Symbol::NotEqual) => BinaryOp::NotEqual,
            TokenKind::Symbol(Symbol::Less) => BinaryOp::Less,
            TokenKind::Symbol(Symbol::LessOrEqual) => BinaryOp::LessOrEqual,
            TokenKind::Symbol(Symbol::Greater) => BinaryOp::Greater,
            TokenKind::Symbol(Symbol::GreaterOrEqual) => BinaryOp::GreaterOrEqual,
            TokenKind::Symbol(Symbol::Plus) => BinaryOp::Add,
            TokenKind::Symbol(Symbol::Minus) => BinaryOp::Subtract,
            TokenKind::Symbol(Symbol::Star) => BinaryOp::Multiply,
            TokenKind::Symbol(Symbol::Slash) => BinaryOp::Divide,
            TokenKind::Symbol(Symbol::Percent) => BinaryOp::Modulo,
            TokenKind::Symbol(Symbol::Caret) => BinaryOp::Power,
            _ => return None,
        })
    }
}

impl Waiting {
    /// Takes the last operator if it is done before the one that comes next.
    fn pop_done_before(&mut self, next: BinaryOp) -> Option<(Operand, Operator)> {
        match self.entries.pop()? {
            Entry::Operator(left) if yields_to(left.1.op, next) => Some(*left),
            entry => {
                self.entries.push(entry);
                None
            }
        }
    }
}

/// Whether the operator on the left is done before the one on the right.
fn yields_to(left: BinaryOp, right: BinaryOp) -> bool {
    left.precedence() > right.precedence()
        || (left.precedence() == right.precedence() && !left.is_right_associative())
}

/// The operands of an operator, if both have values that it can work on.
fn value_legs(op: BinaryOp, left: Expr, right: Expr) -> Result<(MetricExpr, MetricExpr), Meaningless> {
    let left = value_leg(op, Side::Left, left)?;
    let right = value_leg(op, Side::Right, right)?;
    if op.is_set() {
        for (side, leg) in [(Side::Left, &left), (Side::Right, &right)] {
            if let MetricExpr::Literal(value) = leg {
                return Err(Meaningless::LiteralLeg { op, side, value: *value });
            }
        }
    }
    Ok((left, right))
}

fn value_leg(op: BinaryOp, side: Side, leg: Expr) -> Result<MetricExpr, Meaningless> {
    match leg {
        Expr::Metric(metric) => Ok(metric),
        Expr::Log(log) => Err(Meaningless::LogLeg { op, side, has_pipeline: !log.pipeline.is_empty() }),
    }
}

/// What an operator makes of two numbers. Comparisons give 1 or 0, with or without `bool`; dividing by zero
/// gives NaN.
fn fold(op: BinaryOp, left: f64, right: f64) -> f64 {
    let truth = |holds: bool| if holds { 1.0 } else { 0.0 };
    match op {
        // Set operators never get here.
        BinaryOp::Or | BinaryOp::And | BinaryOp::Unless => f64::NAN,
        BinaryOp::Equal => truth(left == right),
        BinaryOp::NotEqual => truth(left != right),
        BinaryOp::Less => truth(left < right),
        BinaryOp::LessOrEqual => truth(left <= right),
        BinaryOp::Greater => truth(left > right),
        BinaryOp::GreaterOrEqual => truth(left >= right),
        BinaryOp::Add => left + right,
        BinaryOp::Subtract => left - right,
        BinaryOp::Multiply => left * right,
        BinaryOp::Divide if right == 0.0 => f64::NAN,
        BinaryOp::Divide => left / right,
        BinaryOp::Modulo if right == 0.0 => f64::NAN,
        BinaryOp::Modulo => left % right,
        BinaryOp::Power => left.powf(right),
    }
}
