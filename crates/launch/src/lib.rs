//! From arguments to a running process, for every binary: settings shared by all roles, the outside
//! world, the operational pages, start and stop.
//!
//! It knows no role; a binary hands it the roles that it runs.

mod loki_flags;

pub use loki_flags::LOKI_FLAGS;
