//! Where a value came from.

use std::fmt;
use std::sync::Arc;

/// The place that a message names, so that whoever reads it knows what to change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// A whole file, when no line can be named.
    WholeFile(Arc<str>),
    File {
        name: Arc<str>,
        line: usize,
    },
    Environment(Arc<str>),
    Flag(Arc<str>),
    /// Computed from another key, named by its dotted path.
    Derived(Arc<str>),
    Default,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::WholeFile(name) => f.write_str(name),
            Self::File { name, line } => write!(f, "{name}:{line}"),
            Self::Environment(name) => write!(f, "environment variable {name}"),
            Self::Flag(name) => write!(f, "flag -{name}"),
            Self::Derived(from) => write!(f, "derived from {from}"),
            Self::Default => f.write_str("default"),
        }
    }
}
