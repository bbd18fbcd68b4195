//! Label filters and their peculiar precedence: `and` binds tighter than `or`, but a comma, or nothing at
//! all between two filters, takes everything to its right: `a="1", b="2" or c="3"` is `a and (b or c)`.

use larch_template::InvalidFloat;
use larch_types::Matcher;

use super::Parser;
use crate::ast::{CompareOp, LabelFilter, MAX_DEPTH};
use crate::error::{Meaningless, ParseError};
use crate::float;
use crate::lex::{Keyword, Symbol, TokenKind};

/// What stands between two filters, or before one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Glue {
    Open,
    Or,
    And,
    /// A comma or juxtaposition.
    Comma,
}

/// Filters that wait for their right neighbour. It is kept by hand, not on the stack, because commas nest
/// to the right and a query may hold thousands.
#[derive(Default)]
struct Waiting {
    /// Each with its depth.
    filters: Vec<(LabelFilter, usize)>,
    glue: Vec<Glue>,
    /// How many of the glue are opening parentheses.
    open: usize,
}

impl Parser<'_> {
    pub(super) fn label_filter(&mut self) -> Result<LabelFilter, ParseError> {
        let mut waiting = Waiting::default();
        loop {
            while self.take_symbol(Symbol::OpenParen) {
                waiting.glue.push(Glue::Open);
                waiting.open += 1;
            }
            let name = self.expect_name("IDENTIFIER or (")?;
            let condition = self.condition(name)?;
            waiting.filters.push((condition, 1));
            while waiting.open > 0 && self.take_symbol(Symbol::CloseParen) {
                self.close(&mut waiting)?;
            }
            let Some(glue) = self.glue() else { break };
            // Juxtaposition is no token of its own.
            if !matches!(self.token.kind, TokenKind::Identifier(_) | TokenKind::Symbol(Symbol::OpenParen)) {
                self.advance();
            }
            while let Some(top) = waiting.glue.pop_if(|top| yields_to(*top, glue)) {
                self.join(&mut waiting, top)?;
            }
            waiting.glue.push(glue);
        }
        if waiting.open > 0 {
            return Err(self.unexpected(""));
        }
        self.close(&mut waiting)?;
        match waiting.filters.pop() {
            Some((filter, _)) => Ok(filter),
            None => Err(self.unexpected("")),
        }
    }

    /// What joins the filter just read to one that comes next.
    fn glue(&self) -> Option<Glue> {
        match self.token.kind {
            TokenKind::Keyword(Keyword::Or) => Some(Glue::Or),
            TokenKind::Keyword(Keyword::And) => Some(Glue::And),
            TokenKind::Symbol(Symbol::Comma | Symbol::OpenParen) | TokenKind::Identifier(_) => {
                Some(Glue::Comma)
            }
            _ => None,
        }
    }

    /// Joins all that stands behind the last `(`, or all there is.
    fn close(&self, waiting: &mut Waiting) -> Result<(), ParseError> {
        while let Some(glue) = waiting.glue.pop() {
            if glue == Glue::Open {
                waiting.open -= 1;
                break;
            }
            self.join(waiting, glue)?;
        }
        Ok(())
    }

    fn join(&self, waiting: &mut Waiting, glue: Glue) -> Result<(), ParseError> {
        let (Some((right, right_depth)), Some((left, left_depth))) =
            (waiting.filters.pop(), waiting.filters.pop())
        else {
            return Err(self.unexpected(""));
        };
        let depth = 1 + left_depth.max(right_depth);
        if depth > MAX_DEPTH {
            return Err(self.too_much(format!("label filter is more than {MAX_DEPTH} conditions deep")));
        }
        let (left, right) = (Box::new(left), Box::new(right));
        let joined = match glue {
            Glue::Or => LabelFilter::Or(left, right),
            Glue::Open | Glue::And | Glue::Comma => LabelFilter::And(left, right),
        };
        waiting.filters.push((joined, depth));
        Ok(())
    }

    /// A single condition, from its operator on.
    fn condition(&mut self, name: String) -> Result<LabelFilter, ParseError> {
        let (text_op, op) = match (self.match_op(), self.compare_op()) {
            (text_op, Some(op)) => (text_op, op),
            (Some(regex_op), None) => return self.matcher(name, regex_op).map(LabelFilter::Text),
            (None, None) => return Err(self.unexpected("")),
        };
        self.advance();
        match (&self.token.kind, text_op) {
            (TokenKind::String(_), Some(op)) => {
                let value = self.expect_string("STRING")?;
                return Ok(LabelFilter::Text(Matcher { name, op, value }));
            }
            (TokenKind::Ip, Some(_)) => {
                let pattern = self.ip_pattern()?;
                return Ok(LabelFilter::Ip { name, negated: op == CompareOp::NotEqual, pattern });
            }
            _ => {}
        }
        match self.token.kind {
            TokenKind::Duration(value) => {
                self.advance();
                Ok(LabelFilter::Duration { name, op, value })
            }
            TokenKind::Bytes(value) => {
                self.advance();
                Ok(LabelFilter::Bytes { name, op, value })
            }
            _ => {
                let value = self.signed_number("")?.map_err(Meaningless::Literal)?;
                Ok(LabelFilter::Number { name, op, value })
            }
        }
    }

    fn compare_op(&self) -> Option<CompareOp> {
        match self.token.kind {
            TokenKind::Symbol(Symbol::Equal | Symbol::DoubleEqual) => Some(CompareOp::Equal),
            TokenKind::Symbol(Symbol::NotEqual) => Some(CompareOp::NotEqual),
            TokenKind::Symbol(Symbol::Less) => Some(CompareOp::Less),
            TokenKind::Symbol(Symbol::LessOrEqual) => Some(CompareOp::LessOrEqual),
            TokenKind::Symbol(Symbol::Greater) => Some(CompareOp::Greater),
            TokenKind::Symbol(Symbol::GreaterOrEqual) => Some(CompareOp::GreaterOrEqual),
            _ => None,
        }
    }

    /// A number with or without a sign. Whether its text has a value is for the caller to report.
    pub(super) fn signed_number(&mut self, expecting: &str) -> Result<Result<f64, InvalidFloat>, ParseError> {
        let negative = self.is_symbol(Symbol::Minus);
        let signed = negative || self.is_symbol(Symbol::Plus);
        if signed {
            self.advance();
        }
        let TokenKind::Number(text) = self.token.kind else {
            return Err(self.unexpected(if signed { "NUMBER" } else { expecting }));
        };
        self.advance();
        Ok(float::parse_number(text).map(|value| if negative { -value } else { value }))
    }
}

/// Whether what waits on the left is joined before the glue on the right is. A comma never is.
fn yields_to(left: Glue, right: Glue) -> bool {
    match (left, right) {
        (Glue::Or, Glue::Or) | (Glue::And, Glue::Or | Glue::And) => true,
        (Glue::Or | Glue::And | Glue::Comma | Glue::Open, _) => false,
    }
}
