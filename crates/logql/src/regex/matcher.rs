//! Compiled matchers: the conditions of stream selectors, `drop` and `keep`.

use larch_types::{MatchOp, Matcher};

use crate::regex::{Flavor, Regex, RegexError};

/// `name op "value"`, ready to run. A label that is absent counts as the empty text.
#[derive(Debug, Clone)]
pub struct LabelMatcher {
    name: Box<str>,
    test: ValueTest,
}

#[derive(Debug, Clone)]
enum ValueTest {
    Equal(Box<[u8]>),
    NotEqual(Box<[u8]>),
    Regex(Box<Regex>),
    NotRegex(Box<Regex>),
}

impl LabelMatcher {
    pub fn new(matcher: &Matcher) -> Result<Self, RegexError> {
        let regex = || Regex::new(&matcher.value, Flavor::WholeDotAll).map(Box::new);
        let test = match matcher.op {
            MatchOp::Equal => ValueTest::Equal(matcher.value.as_bytes().into()),
            MatchOp::NotEqual => ValueTest::NotEqual(matcher.value.as_bytes().into()),
            MatchOp::Regex => ValueTest::Regex(regex()?),
            MatchOp::NotRegex => ValueTest::NotRegex(regex()?),
        };
        Ok(Self { name: matcher.name.as_str().into(), test })
    }

    pub fn name(&self) -> &str {
        &self.name
    }

    pub fn matches(&self, value: &[u8]) -> bool {
        match &self.test {
            ValueTest::Equal(want) => value == &**want,
            ValueTest::NotEqual(other) => value != &**other,
            ValueTest::Regex(regex) => regex.is_match(value),
            ValueTest::NotRegex(regex) => !regex.is_match(value),
        }
    }
}
