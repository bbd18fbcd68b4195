//! `{app="x"} | json | unwrap size [5m] offset 1h`, whose pipeline may also stand behind the range.

use larch_types::Span;

use super::Parser;
use super::pipeline::Place;
use crate::ast::{LogExpr, LogRange, Stage, Unwrap};
use crate::error::ParseError;
use crate::lex::{Keyword, Symbol, TokenKind};

/// Behind a range only the closing parenthesis is sure to be right.
const BEHIND_RANGE: &str = ")";

impl Parser<'_> {
    /// `expecting` is what else could have stood here.
    pub(super) fn log_range(&mut self, expecting: &str) -> Result<LogRange, ParseError> {
        match self.token.kind {
            TokenKind::Symbol(Symbol::OpenBrace) => self.bare_range(),
            TokenKind::Symbol(Symbol::OpenParen) => {
                self.advance();
                self.nested(Self::range_in_parentheses)
            }
            _ => Err(self.unexpected(expecting)),
        }
    }

    fn bare_range(&mut self) -> Result<LogRange, ParseError> {
        let log = self.selector().map(|matchers| LogExpr { matchers, pipeline: Vec::new() })?;
        if let TokenKind::Range(_) = self.token.kind {
            return self.pipeline_behind_range(log);
        }
        let (log, unwrap) = self.pipeline_before_range(log)?;
        self.range_and_offset(log, unwrap)
    }

    /// Behind the `(`. The range itself may be inside, or only what it ranges over.
    fn range_in_parentheses(&mut self) -> Result<LogRange, ParseError> {
        if self.is_symbol(Symbol::OpenParen) {
            let range = self.log_range("")?;
            self.expect_symbol(Symbol::CloseParen, BEHIND_RANGE)?;
            return Ok(range);
        }
        if !self.is_symbol(Symbol::OpenBrace) {
            return Err(self.unexpected("{ or ("));
        }
        let log = self.selector().map(|matchers| LogExpr { matchers, pipeline: Vec::new() })?;
        let range = if let TokenKind::Range(_) = self.token.kind {
            self.pipeline_behind_range(log)?
        } else {
            let (log, unwrap) = self.pipeline_before_range(log)?;
            if self.take_symbol(Symbol::CloseParen) {
                return self.range_behind_parenthesis(log, unwrap);
            }
            self.range_and_offset(log, unwrap)?
        };
        self.expect_symbol(Symbol::CloseParen, BEHIND_RANGE)?;
        Ok(range)
    }

    /// `({app="x"} …)[5m]`. A selector alone may still be unwrapped.
    fn range_behind_parenthesis(
        &mut self,
        log: LogExpr,
        unwrap: Option<Unwrap>,
    ) -> Result<LogRange, ParseError> {
        let may_unwrap = log.pipeline.is_empty() && unwrap.is_none();
        let mut range = self.range_and_offset(log, unwrap)?;
        if may_unwrap && self.take_symbol(Symbol::Pipe) {
            if !self.is_keyword(Keyword::Unwrap) {
                return Err(self.unexpected("unwrap"));
            }
            range.unwrap = Some(self.unwrap()?);
        }
        Ok(range)
    }

    fn pipeline_before_range(&mut self, log: LogExpr) -> Result<(LogExpr, Option<Unwrap>), ParseError> {
        let (pipeline, unwrap) = self.pipeline(Place::Range)?;
        Ok((LogExpr { pipeline, ..log }, unwrap))
    }

    fn pipeline_behind_range(&mut self, log: LogExpr) -> Result<LogRange, ParseError> {
        let range = self.range_and_offset(log, None)?;
        let (pipeline, unwrap): (Vec<Stage>, _) = self.pipeline(Place::Range)?;
        Ok(LogRange { log: LogExpr { pipeline, ..range.log }, unwrap, ..range })
    }

    fn range_and_offset(&mut self, log: LogExpr, unwrap: Option<Unwrap>) -> Result<LogRange, ParseError> {
        let TokenKind::Range(range) = self.token.kind else {
            return Err(self.unexpected(if unwrap.is_some() { "RANGE or |" } else { "" }));
        };
        self.advance();
        let mut offset = Span::ZERO;
        if self.is_keyword(Keyword::Offset) {
            self.advance();
            let TokenKind::Duration(span) = self.token.kind else {
                return Err(self.unexpected("DURATION"));
            };
            self.advance();
            offset = span;
        }
        Ok(LogRange { log, unwrap, range, offset })
    }
}
