//! `{app="x", env=~"y|z"}`.

use larch_types::{MatchOp, Matcher};

use super::Parser;
use crate::compile;
use crate::error::{Meaningless, ParseError};
use crate::lex::{Symbol, TokenKind};

impl Parser<'_> {
    pub(super) fn selector(&mut self) -> Result<Vec<Matcher>, ParseError> {
        let start = self.expect_symbol(Symbol::OpenBrace, "{")?.start;
        let mut matchers = Vec::new();
        if !self.is_symbol(Symbol::CloseBrace) {
            matchers.push(self.selector_matcher("IDENTIFIER or }")?);
            while self.take_symbol(Symbol::Comma) {
                matchers.push(self.selector_matcher("IDENTIFIER")?);
            }
        }
        self.expect_symbol(Symbol::CloseBrace, "} or ,")?;
        let mut selects_something = false;
        for matcher in &matchers {
            selects_something = selects_something
                || !compile::matches_empty(matcher.op, &matcher.value).map_err(Meaningless::Regex)?;
        }
        if !selects_something {
            self.defer(start, Meaningless::SelectsEverything);
        }
        Ok(matchers)
    }

    fn selector_matcher(&mut self, expecting: &str) -> Result<Matcher, ParseError> {
        let name = self.expect_name(expecting)?;
        match self.match_op() {
            Some(op) => self.matcher(name, op),
            None => Err(self.unexpected("= or =~ or !~ or !=")),
        }
    }

    /// The operator that comes next, if it is one that compares texts.
    pub(super) fn match_op(&self) -> Option<MatchOp> {
        match self.token.kind {
            TokenKind::Symbol(Symbol::Equal) => Some(MatchOp::Equal),
            TokenKind::Symbol(Symbol::NotEqual) => Some(MatchOp::NotEqual),
            TokenKind::Symbol(Symbol::Match) => Some(MatchOp::Regex),
            TokenKind::Symbol(Symbol::NotMatch) => Some(MatchOp::NotRegex),
            _ => None,
        }
    }

    /// The rest of a matcher, from its operator on.
    pub(super) fn matcher(&mut self, name: String, op: MatchOp) -> Result<Matcher, ParseError> {
        self.advance();
        let value = self.expect_string("STRING")?;
        if matches!(op, MatchOp::Regex | MatchOp::NotRegex) {
            compile::check_regex(&value).map_err(Meaningless::Regex)?;
        }
        Ok(Matcher { name, op, value })
    }
}
