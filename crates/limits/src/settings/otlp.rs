//! What becomes of the attributes of OTLP logs.

use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct OtlpLimits {
    /// Attributes of the resource: the first rule that fits decides, the rest becomes metadata.
    pub resource_attributes: ResourceAttributes,
    /// Attributes of the instrumentation scope.
    pub scope_attributes: Vec<AttributesSettings>,
    /// Attributes of the log record.
    pub log_attributes: Vec<AttributesSettings>,
    /// Makes the severity text a label too.
    pub severity_text_as_label: bool,
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ResourceAttributes {
    /// Leaves out `distributor.otlp_config.default_resource_attributes_as_index_labels`.
    pub ignore_defaults: bool,
    /// Rules in their order.
    pub attributes_config: Vec<AttributesSettings>,
}

/// One rule. It names attributes, or an expression for their names.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AttributesSettings {
    pub action: AttributeAction,
    pub attributes: Vec<String>,
    pub regex: String,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AttributeAction {
    IndexLabel,
    /// What is meant where nothing is written.
    #[default]
    #[serde(alias = "")]
    StructuredMetadata,
    Drop,
}
