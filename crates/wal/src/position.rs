//! The number of a record.

use std::fmt;

/// Records of a log are numbered in the order in which they were written. A number is never used twice,
/// also after a crash; numbers are left out where a file ended in a crash or an error. It means something
/// only together with the node.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Position(pub u64);

impl Position {
    /// Before every record.
    pub const START: Self = Self(0);

    /// The first that lies behind this one.
    pub const fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}
