//! `operational_config`: what is logged about pushes. A tenant's own values stand under `configs` in the
//! file of overrides.

use larch_types::Section;
use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct OperationalSettings {
    /// Logs each new stream.
    pub log_stream_creation: bool,
    /// Logs each push.
    pub log_push_request: bool,
    /// Logs each stream of each push.
    pub log_push_request_streams: bool,
    /// Clients whose streams are logged; none means all.
    pub filter_push_request_streams_ips: Vec<String>,
    /// Logs a hash of the labels of each push.
    pub log_hash_of_labels: bool,
    /// Logs how `service_name` was found.
    pub log_service_name_discovery: bool,
    /// Counts rows that were pushed twice.
    pub log_duplicate_metrics: bool,
    /// Logs the streams of rows that were pushed twice.
    pub log_duplicate_stream_info: bool,
    /// Logs refused pushes, a few a second.
    pub limited_log_push_errors: bool,
}

impl Default for OperationalSettings {
    fn default() -> Self {
        Self {
            log_stream_creation: false,
            log_push_request: false,
            log_push_request_streams: false,
            filter_push_request_streams_ips: Vec::new(),
            log_hash_of_labels: false,
            log_service_name_discovery: false,
            log_duplicate_metrics: false,
            log_duplicate_stream_info: false,
            limited_log_push_errors: true,
        }
    }
}

impl Section for OperationalSettings {}
