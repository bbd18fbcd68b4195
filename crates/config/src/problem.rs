//! What is wrong with a configuration, all of it at once.

use std::fmt;

use crate::Origin;

/// One thing to mend.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    pub origin: Origin,
    /// Dotted path of the key; empty if the trouble has no key.
    pub path: String,
    pub text: String,
}

impl Problem {
    pub fn new(origin: Origin, path: impl Into<String>, text: impl Into<String>) -> Self {
        Self { origin, path: path.into(), text: text.into() }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.path.is_empty() {
            return write!(f, "{}: {}", self.origin, self.text);
        }
        write!(f, "{}: {}: {}", self.origin, self.path, self.text)
    }
}

/// At least one problem, in the order in which they were met.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problems(pub Vec<Problem>);

impl From<Problem> for Problems {
    fn from(problem: Problem) -> Self {
        Self(vec![problem])
    }
}

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, problem) in self.0.iter().enumerate() {
            if index > 0 {
                f.write_str("\n")?;
            }
            write!(f, "{problem}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Problems {}
