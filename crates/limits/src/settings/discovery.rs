//! What is found in lines and added to rows.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// Fields of a line that are added to the metadata of its row.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct GenericFields {
    /// Name in the metadata, and the names that are looked for in labels, metadata and the line.
    pub fields: BTreeMap<String, Vec<String>>,
}
