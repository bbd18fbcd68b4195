//! The messages and services as they are compiled from `proto/`. Their fields are unchecked: only the
//! conversions of this crate and the transports of `larch-rpc` should need them.

/// What `tonic` and `prost` generate, nested by package.
#[allow(
    clippy::allow_attributes_without_reason,
    clippy::large_enum_variant,
    unreachable_pub,
    reason = "generated code, which nobody edits"
)]
mod generated {
    include!(concat!(env!("OUT_DIR"), "/larch.rs"));
}

pub use generated::larch::ingest::v1 as ingest;
pub use generated::larch::plan::v1 as plan;
pub use generated::larch::query::v1 as query;
pub use generated::larch::ring::v1 as ring;
pub use generated::larch::types::v1 as types;
