//! Tokens to a tree, by recursive descent with one token of look-ahead.
//!
//! A syntax error must stand where Loki's table-driven parser reports it: at the first token that no query
//! with this beginning can have. So nothing is consumed before it is known to fit, and what looks wrong but
//! may still become right is decided later. Three kinds of mistakes therefore have three times: unknown
//! tokens are reported when the parser gets to them; regexes and patterns when they are read; and everything
//! else that a well-formed query cannot mean only after its last token, the outermost first.

mod aggregation;
mod expression;
mod label_filter;
mod line_filter;
mod pipeline;
mod range;
mod selector;

use larch_types::Matcher;

use crate::ast::{Expr, LogExpr, MAX_NESTING, MetricExpr};
use crate::error::{MAX_QUERY_BYTES, Meaningless, ParseError};
use crate::lex::{Keyword, Lexer, Symbol, Token, TokenKind};

/// Parses a query and checks that it means something.
pub fn parse(query: &str) -> Result<Expr, ParseError> {
    match read(query)? {
        (expr, None) => Ok(expr),
        (_, Some(reason)) => Err(reason.into()),
    }
}

/// A well-formed query, and why it means nothing if so; the tree is then of no use, unless the reason is
/// that it selects everything.
fn read(query: &str) -> Result<(Expr, Option<Meaningless>), ParseError> {
    let mut parser = Parser::new(query)?;
    let operand = parser.expression()?;
    if parser.token.kind != TokenKind::End {
        return Err(parser.unexpected(""));
    }
    Ok((operand.expr, parser.deferred.map(|deferred| deferred.reason)))
}

/// Parses what only makes sense for a log query.
pub fn parse_log(query: &str) -> Result<LogExpr, ParseError> {
    match parse(query)? {
        Expr::Log(log) => Ok(log),
        Expr::Metric(_) => Err(ParseError::NotALogQuery),
    }
}

/// Parses what only makes sense for a metric query.
pub fn parse_metric(query: &str) -> Result<MetricExpr, ParseError> {
    match parse(query)? {
        Expr::Metric(metric) => Ok(metric),
        Expr::Log(_) => Err(ParseError::NotAMetricQuery),
    }
}

/// Parses a selector that stands alone.
pub fn parse_selector(query: &str) -> Result<Vec<Matcher>, ParseError> {
    selector_alone(parse(query)?)
}

/// Parses a selector where everything may be meant, such as `{}`.
pub fn parse_any_selector(query: &str) -> Result<Vec<Matcher>, ParseError> {
    match read(query)? {
        (expr, None | Some(Meaningless::SelectsEverything)) => selector_alone(expr),
        (_, Some(reason)) => Err(reason.into()),
    }
}

fn selector_alone(expr: Expr) -> Result<Vec<Matcher>, ParseError> {
    match expr {
        Expr::Log(log) if log.pipeline.is_empty() => Ok(log.matchers),
        _ => Err(ParseError::NotASelector),
    }
}

struct Parser<'a> {
    query: &'a str,
    lexer: Lexer<'a>,
    /// The token that comes next.
    token: Token<'a>,
    nesting: usize,
    operators: usize,
    deferred: Option<Deferred>,
}

/// Why the part of the query between two offsets means nothing.
struct Deferred {
    start: usize,
    end: usize,
    reason: Meaningless,
}

impl<'a> Parser<'a> {
    fn new(query: &'a str) -> Result<Self, ParseError> {
        if query.len() >= MAX_QUERY_BYTES {
            return Err(Meaningless::TooLong(query.len()).into());
        }
        if let Some(nul) = query.find('\0') {
            return Err(ParseError::at(query, nul, true, "invalid character NUL".to_owned()));
        }
        let mut lexer = Lexer::new(query);
        let token = lexer.next_token();
        Ok(Self { query, lexer, token, nesting: 0, operators: 0, deferred: None })
    }

    /// Takes the token.
    fn advance(&mut self) -> Token<'a> {
        std::mem::replace(&mut self.token, self.lexer.next_token())
    }

    fn is_symbol(&self, symbol: Symbol) -> bool {
        self.token.kind == TokenKind::Symbol(symbol)
    }

    fn is_keyword(&self, keyword: Keyword) -> bool {
        self.token.kind == TokenKind::Keyword(keyword)
    }

    /// Takes the symbol if it is there.
    fn take_symbol(&mut self, symbol: Symbol) -> bool {
        let found = self.is_symbol(symbol);
        if found {
            self.advance();
        }
        found
    }

    /// Takes the symbol, or fails with what could have been here.
    fn expect_symbol(&mut self, symbol: Symbol, expecting: &str) -> Result<Token<'a>, ParseError> {
        if self.is_symbol(symbol) { Ok(self.advance()) } else { Err(self.unexpected(expecting)) }
    }

    fn expect_name(&mut self, expecting: &str) -> Result<String, ParseError> {
        match self.token.kind {
            TokenKind::Identifier(name) => {
                self.advance();
                Ok(name.to_owned())
            }
            _ => Err(self.unexpected(expecting)),
        }
    }

    /// A literal where only text makes sense.
    fn expect_string(&mut self, expecting: &str) -> Result<String, ParseError> {
        if !matches!(self.token.kind, TokenKind::String(_)) {
            return Err(self.unexpected(expecting));
        }
        let token = self.advance();
        let TokenKind::String(bytes) = token.kind else { return Ok(String::new()) };
        String::from_utf8(bytes.into_owned())
            .map_err(|_| ParseError::at(self.query, token.start, true, "invalid UTF-8 encoding".to_owned()))
    }

    /// `(a, b)`, which may be empty.
    fn name_list(&mut self) -> Result<Vec<String>, ParseError> {
        self.expect_symbol(Symbol::OpenParen, "(")?;
        let mut names = Vec::new();
        if self.take_symbol(Symbol::CloseParen) {
            return Ok(names);
        }
        names.push(self.expect_name("IDENTIFIER or )")?);
        while self.take_symbol(Symbol::Comma) {
            names.push(self.expect_name("IDENTIFIER")?);
        }
        self.expect_symbol(Symbol::CloseParen, ", or )")?;
        Ok(names)
    }

    /// The error for the token that comes next, or the lexer's.
    fn unexpected(&self, expecting: &str) -> ParseError {
        let mut reason = match &self.token.kind {
            TokenKind::Broken { reason, .. } => reason.clone(),
            TokenKind::End if self.query.is_empty() => return ParseError::Empty,
            kind => format!("syntax error: unexpected {}", kind.display()),
        };
        if !expecting.is_empty() && !matches!(self.token.kind, TokenKind::Broken { .. }) {
            reason.push_str(", expecting ");
            reason.push_str(expecting);
        }
        ParseError::at(self.query, self.token.start, self.token.kind.has_line(), reason)
    }

    /// The error for what is well-formed and beyond a bound of ours.
    fn too_much(&self, reason: String) -> ParseError {
        ParseError::at(self.query, self.token.start, true, reason)
    }

    /// Notes why the part from `start` to the last token means nothing. The outermost part wins, then the
    /// leftmost: that is the order in which Loki looks for meaning.
    fn defer(&mut self, start: usize, reason: Meaningless) {
        // The token that comes next begins behind the part and before anything that could be added to it.
        let end = self.token.start;
        let is_first = match &self.deferred {
            Some(known) => start < known.start || (start == known.start && end > known.end),
            None => true,
        };
        if is_first {
            self.deferred = Some(Deferred { start, end, reason });
        }
    }

    /// Runs one level of recursion.
    fn nested<T>(&mut self, parse: impl FnOnce(&mut Self) -> Result<T, ParseError>) -> Result<T, ParseError> {
        if self.nesting == MAX_NESTING {
            return Err(self.too_much(format!("query is nested more than {MAX_NESTING} levels deep")));
        }
        self.nesting += 1;
        let parsed = parse(self);
        self.nesting -= 1;
        parsed
    }
}
