//! `|= "a" or ip("10.0.0.0/8")`.

use super::Parser;
use crate::ast::{LineFilter, LineOp, LineOperand, Stage, Text};
use crate::error::ParseError;
use crate::lex::{Keyword, Symbol, TokenKind};

impl Parser<'_> {
    /// The operator that comes next, if it is a line filter's.
    pub(super) fn line_op(&self) -> Option<LineOp> {
        match self.token.kind {
            TokenKind::Symbol(Symbol::PipeEqual) => Some(LineOp::Contains),
            TokenKind::Symbol(Symbol::NotEqual) => Some(LineOp::NotContains),
            TokenKind::Symbol(Symbol::PipeMatch) => Some(LineOp::Regex),
            TokenKind::Symbol(Symbol::NotMatch) => Some(LineOp::NotRegex),
            TokenKind::Symbol(Symbol::PipePattern) => Some(LineOp::Pattern),
            TokenKind::Symbol(Symbol::NotPattern) => Some(LineOp::NotPattern),
            _ => None,
        }
    }

    /// Reads a filter and its `or` chain. A line passes `!= "a" or "b"` if it contains neither, which is
    /// what two filters mean.
    pub(super) fn line_filter(&mut self, op: LineOp, stages: &mut Vec<Stage>) -> Result<(), ParseError> {
        self.advance();
        let mut operands = vec![self.line_operand()?];
        while self.is_keyword(Keyword::Or) {
            self.advance();
            operands.push(self.line_operand()?);
        }
        if op.is_negative() {
            for operand in operands {
                stages.push(Stage::LineFilter(LineFilter { op, operands: vec![operand] }));
            }
        } else {
            stages.push(Stage::LineFilter(LineFilter { op, operands }));
        }
        Ok(())
    }

    fn line_operand(&mut self) -> Result<LineOperand, ParseError> {
        match &mut self.token.kind {
            TokenKind::String(bytes) => {
                let text = Text::new(std::mem::take(bytes).into_owned());
                self.advance();
                Ok(LineOperand::Text(text))
            }
            TokenKind::Ip => self.ip_pattern().map(LineOperand::Ip),
            _ => Err(self.unexpected("STRING or ip")),
        }
    }

    /// `ip("…")`, whose first token comes next.
    pub(super) fn ip_pattern(&mut self) -> Result<String, ParseError> {
        self.advance();
        self.expect_symbol(Symbol::OpenParen, "(")?;
        let pattern = self.expect_string("STRING")?;
        self.expect_symbol(Symbol::CloseParen, ")")?;
        Ok(pattern)
    }
}
