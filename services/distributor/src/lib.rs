//! The distributor: takes pushes, validates and limits them, replicates them to ingesters, answers after a
//! quorum.
//!
//! A push is decoded by its form, and from then on all forms are alike: labels are read, streams and rows
//! are held against the tenant's limits, what is left is admitted by rate and sent. It keeps no rows, and
//! promises none that a quorum of ingesters has not.

mod attributes;
mod body;
mod check;
mod decode;
mod decompress;
mod distributor;
mod error;
mod failures;
mod fuzz;
mod grpc;
mod head;
mod http;
mod inflight;
mod label_rules;
mod labels;
mod media_type;
mod metrics;
mod module;
mod otlp_answer;
mod pages;
mod place;
mod push_log;
mod pushed;
mod rate;
mod role;
mod rules;
mod send;
mod settings;
mod stamp;
mod stream_rates;
mod usage;
mod work;

#[cfg(test)]
mod tests;

pub use fuzz::{
    fuzz_compressed, fuzz_json, fuzz_labels, fuzz_media_type, fuzz_otlp_json, fuzz_otlp_protobuf,
    fuzz_protobuf,
};
pub use role::{Config, role};
pub use settings::{
    DistributorRingSettings, DistributorSettings, OtlpSettings, RateStoreSettings, WriteFailureSettings,
};
