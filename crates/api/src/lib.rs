//! Loki's HTTP shapes: parameters, bodies, errors. The only crate that knows Loki's JSON.
//!
//! No behaviour behind the shapes and no listener. So far it holds what every endpoint asks first: whose
//! request it is.

mod tail;
mod tenancy;

pub use tail::{
    DroppedEntry, InvalidTail, MAX_TAIL_FRAME_ENTRIES, TailRequest, TailShape, fuzz_tail_request,
};
pub use tenancy::{InvalidTenancy, ORG_ID, Tenancy, TenantError};
