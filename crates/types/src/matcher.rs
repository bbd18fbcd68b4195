//! One condition of a stream selector, as text. Regexes are compiled where they are run.

use std::fmt;

use crate::quote_into;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum MatchOp {
    Equal,
    NotEqual,
    Regex,
    NotRegex,
}

impl MatchOp {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Equal => "=",
            Self::NotEqual => "!=",
            Self::Regex => "=~",
            Self::NotRegex => "!~",
        }
    }
}

/// `name op "value"`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Matcher {
    pub name: String,
    pub op: MatchOp,
    pub value: String,
}

impl fmt::Display for Matcher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut value = String::with_capacity(self.value.len() + 2);
        quote_into(&mut value, &self.value);
        write!(f, "{}{}{value}", self.name, self.op.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prints_as_logql() {
        let matcher = Matcher { name: "app".into(), op: MatchOp::NotRegex, value: "a\"b".into() };
        assert_eq!(matcher.to_string(), r#"app!~"a\"b""#);
    }
}
