//! How long rows are kept, and what may be deleted before.

use larch_types::Span;
use serde::{Deserialize, Serialize};

/// Retention of the streams of a selector. Of several that fit, the highest priority wins.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct StreamRetention {
    pub period: Span,
    pub priority: i64,
    pub selector: String,
}

/// What a delete request may do.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DeletionMode {
    /// Nothing; the endpoints answer 403.
    Disabled,
    /// Hide rows from queries.
    FilterOnly,
    /// Hide rows, and remove them when segments are merged.
    #[default]
    FilterAndDelete,
}
