//! Queries that are refused.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// One rule. A query that fits all that is set here is refused.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct BlockedQuery {
    /// Text of the query, or with `regex` an expression for it; empty fits any.
    pub pattern: String,
    pub regex: bool,
    /// FNV-1 hash of the text of the query; 0 fits any.
    pub hash: u32,
    /// Kinds of query; none fits any.
    pub types: Vec<QueryKind>,
    /// Tags that the query came with, compared without regard to case.
    pub query_tags: BTreeMap<String, String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum QueryKind {
    /// With an aggregation.
    Metric,
    /// Lines, with a filter.
    Filter,
    /// Lines, without a filter.
    Limited,
}
