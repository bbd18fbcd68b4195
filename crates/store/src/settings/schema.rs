//! `schema_config`: since when which object storage is used. The index and its version, which these
//! entries also name, mean nothing: there is one format, and it tells its own version.

use std::collections::BTreeMap;

use larch_types::{InvalidSetting, Section, Span, Timestamp, ensure};
use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SchemaSettings {
    /// Periods in rising order of their first day.
    pub configs: Vec<PeriodSettings>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PeriodSettings {
    /// First day, as `2024-01-31`.
    pub from: String,
    /// Kind of index; any is accepted and means the native one.
    pub store: String,
    /// Storage of this period: a kind such as `s3` or `filesystem`, or the name of a further store.
    pub object_store: String,
    /// Version of the index; any is accepted.
    pub schema: String,
    /// Tables of the index; accepted, without effect.
    pub index: IndexPeriodSettings,
    /// Tables of chunks; accepted, without effect.
    pub chunks: TablePeriodSettings,
    /// Shards of the index; accepted, without effect.
    pub row_shards: u32,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct IndexPeriodSettings {
    pub path_prefix: String,
    pub prefix: String,
    pub period: Span,
    pub tags: BTreeMap<String, String>,
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TablePeriodSettings {
    pub prefix: String,
    pub period: Span,
    pub tags: BTreeMap<String, String>,
}

impl Default for PeriodSettings {
    fn default() -> Self {
        Self {
            from: String::new(),
            store: String::new(),
            object_store: String::new(),
            schema: String::new(),
            index: IndexPeriodSettings::default(),
            chunks: TablePeriodSettings::default(),
            row_shards: 16,
        }
    }
}

impl Default for IndexPeriodSettings {
    fn default() -> Self {
        Self {
            path_prefix: "index/".to_owned(),
            prefix: String::new(),
            period: Span::ZERO,
            tags: BTreeMap::new(),
        }
    }
}

impl PeriodSettings {
    /// The start of the first day.
    pub fn start(&self) -> Option<Timestamp> {
        format!("{}T00:00:00Z", self.from).parse().ok()
    }
}

impl Section for SchemaSettings {
    fn check(&self) -> Result<(), InvalidSetting> {
        let mut last = None;
        for (index, period) in self.configs.iter().enumerate() {
            let key = |name: &str| format!("configs.{index}.{name}");
            let start = period.start();
            ensure(start.is_some(), &key("from"), "must be a day such as 2024-01-31")?;
            ensure(start > last, &key("from"), "must be after the one before")?;
            ensure(!period.object_store.is_empty(), &key("object_store"), "is missing")?;
            last = start;
        }
        Ok(())
    }
}
