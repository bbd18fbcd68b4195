//! Loki's HTTP shapes: parameters, bodies, errors. The only crate that knows Loki's JSON.
//!
//! Pure functions from requests to what they ask for, and from answers to bytes. No behaviour behind the
//! shapes, no listener, no clock.

mod answer;
mod fuzz;
mod request;
mod tail;
mod tenancy;

pub use answer::{
    DetectedField, DetectedLabel, Explained, ExplainedPiece, LogRows, PathTaken, Pieces, Statistics, Volume,
    byte_text, detected_fields, detected_labels, detected_values, drilldown_limits, explains, format_answer,
    index_statistics, json_string, json_text, legacy_list, legacy_logs, logs, metric, name_list, patterns,
    sample_value, series, shards, volumes,
};
pub use fuzz::fuzz_requests;
pub use request::{
    Aggregation, Bounds, DetectedFieldsRequest, EncodingFlags, Form, InstantRequest, InvalidDuration,
    InvalidForm, InvalidNumber, ParamError, PatternsRequest, QueryTags, RangeRequest, SelectorRequest,
    SeriesRequest, ShardsRequest, VolumeRequest,
};
pub use tail::{
    DroppedEntry, InvalidTail, MAX_TAIL_FRAME_ENTRIES, TailRequest, TailShape, fuzz_tail_request,
};
pub use tenancy::{InvalidTenancy, ORG_ID, Tenancy, TenantError};
