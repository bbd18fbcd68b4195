//! The stages behind a selector.

use super::Parser;
use crate::ast::{Conversion, Extraction, FormatValue, LabelFormat, LabelTarget, Logfmt, Stage, Unwrap};
use crate::compile;
use crate::error::{Meaningless, ParseError};
use crate::lex::{Flag, Keyword, Symbol, TokenKind};
use crate::pattern::Pattern;

/// Where a pipeline stands: only a range may unwrap a label.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    LogQuery,
    Range,
}

impl Parser<'_> {
    /// Reads stages until something else comes. `unwrap` with its filters ends a pipeline.
    pub(super) fn pipeline(&mut self, place: Place) -> Result<(Vec<Stage>, Option<Unwrap>), ParseError> {
        let mut stages = Vec::new();
        loop {
            if let Some(op) = self.line_op() {
                self.line_filter(op, &mut stages)?;
            } else if self.take_symbol(Symbol::Pipe) {
                if place == Place::Range && self.is_keyword(Keyword::Unwrap) {
                    let unwrap = self.unwrap()?;
                    return Ok((stages, Some(unwrap)));
                }
                stages.push(self.stage()?);
            } else {
                return Ok((stages, None));
            }
        }
    }

    /// The stage behind a `|`.
    fn stage(&mut self) -> Result<Stage, ParseError> {
        let keyword = match self.token.kind {
            TokenKind::Keyword(keyword) => keyword,
            TokenKind::Identifier(_) | TokenKind::Symbol(Symbol::OpenParen) => {
                return self.label_filter().map(Stage::LabelFilter);
            }
            _ => return Err(self.unexpected("")),
        };
        if !starts_stage(keyword) {
            return Err(self.unexpected(""));
        }
        self.advance();
        Ok(match keyword {
            Keyword::Json => Stage::Json(self.extractions()?),
            Keyword::Logfmt => Stage::Logfmt(self.logfmt()?),
            Keyword::Regexp => Stage::Regexp(self.regexp()?),
            Keyword::Pattern => Stage::Pattern(self.pattern()?),
            Keyword::LineFormat => Stage::LineFormat(self.expect_string("STRING")?),
            Keyword::LabelFormat => Stage::LabelFormat(self.label_formats()?),
            Keyword::Drop => Stage::Drop(self.label_targets()?),
            Keyword::Keep => Stage::Keep(self.label_targets()?),
            Keyword::Unpack => Stage::Unpack,
            _ => Stage::Decolorize,
        })
    }

    fn regexp(&mut self) -> Result<String, ParseError> {
        let regex = self.expect_string("STRING")?;
        compile::check_regexp_parser(&regex).map_err(Meaningless::RegexpParser)?;
        Ok(regex)
    }

    fn pattern(&mut self) -> Result<String, ParseError> {
        let text = self.expect_string("STRING")?;
        Pattern::for_parser(&text).map_err(|error| Meaningless::PatternParser(error.to_string()))?;
        Ok(text)
    }

    fn logfmt(&mut self) -> Result<Logfmt, ParseError> {
        let mut logfmt = Logfmt::default();
        while let TokenKind::Flag(flag) = self.token.kind {
            match flag {
                Flag::Strict => logfmt.strict = true,
                Flag::KeepEmpty => logfmt.keep_empty = true,
            }
            self.advance();
        }
        logfmt.extractions = self.extractions()?;
        Ok(logfmt)
    }

    /// `a="b", c`, or nothing. A name alone is its own path.
    fn extractions(&mut self) -> Result<Vec<Extraction>, ParseError> {
        let mut extractions = Vec::new();
        if !matches!(self.token.kind, TokenKind::Identifier(_)) {
            return Ok(extractions);
        }
        loop {
            let label = self.expect_name("IDENTIFIER")?;
            let path =
                if self.take_symbol(Symbol::Equal) { self.expect_string("STRING")? } else { label.clone() };
            extractions.push(Extraction { label, path });
            if !self.take_symbol(Symbol::Comma) {
                return Ok(extractions);
            }
        }
    }

    fn label_formats(&mut self) -> Result<Vec<LabelFormat>, ParseError> {
        let mut formats = Vec::new();
        loop {
            let label = self.expect_name("IDENTIFIER")?;
            self.expect_symbol(Symbol::Equal, "=")?;
            let value = match self.token.kind {
                TokenKind::String(_) => FormatValue::Template(self.expect_string("STRING")?),
                _ => FormatValue::Rename(self.expect_name("IDENTIFIER or STRING")?),
            };
            formats.push(LabelFormat { label, value });
            if !self.take_symbol(Symbol::Comma) {
                return Ok(formats);
            }
        }
    }

    fn label_targets(&mut self) -> Result<Vec<LabelTarget>, ParseError> {
        let mut targets = Vec::new();
        loop {
            let name = self.expect_name("IDENTIFIER")?;
            targets.push(match self.match_op() {
                Some(op) => LabelTarget::Matching(self.matcher(name, op)?),
                None => LabelTarget::Name(name),
            });
            if !self.take_symbol(Symbol::Comma) {
                return Ok(targets);
            }
        }
    }

    /// `unwrap x | filter | filter`, whose first token comes next.
    pub(super) fn unwrap(&mut self) -> Result<Unwrap, ParseError> {
        self.advance();
        let (label, conversion) = match self.token.kind {
            TokenKind::Conversion(conversion) => {
                self.advance();
                self.expect_symbol(Symbol::OpenParen, "(")?;
                let label = self.expect_name("IDENTIFIER")?;
                self.expect_symbol(Symbol::CloseParen, ")")?;
                (label, conversion)
            }
            _ => {
                const EXPECTING: &str = "IDENTIFIER or BYTES_CONV or DURATION_CONV or DURATION_SECONDS_CONV";
                (self.expect_name(EXPECTING)?, Conversion::Number)
            }
        };
        let mut filters = Vec::new();
        while self.take_symbol(Symbol::Pipe) {
            filters.push(self.label_filter()?);
        }
        Ok(Unwrap { label, conversion, filters })
    }
}

fn starts_stage(keyword: Keyword) -> bool {
    matches!(
        keyword,
        Keyword::Json
            | Keyword::Logfmt
            | Keyword::Regexp
            | Keyword::Pattern
            | Keyword::LineFormat
            | Keyword::LabelFormat
            | Keyword::Drop
            | Keyword::Keep
            | Keyword::Unpack
            | Keyword::Decolorize
    )
}
