//! From arguments to a running process, for every binary: settings shared by all roles, the outside
//! world, the operational pages, start and stop.
//!
//! It knows no role; a binary hands it the roles that it runs.

mod allocator;
mod assemble;
mod blocks;
mod build_facts;
mod common;
mod fetch;
mod grpc_health;
mod health;
mod idle;
mod legacy;
mod loki_flags;
mod metrics_list;
mod overrides;
mod pages;
mod program;
mod ring;
mod role;
mod run;
mod segment_cache;
mod settings;
mod targets;
mod tool;
mod top;

pub use blocks::Blocks;
pub use build_facts::INTERFACE_VERSION;
pub use common::CommonSettings;
pub use idle::without_effect;
pub use loki_flags::LOKI_FLAGS;
pub use overrides::TenantLimits;
pub use program::{Program, main};
pub use role::{Frame, OpenDir, Role, Service};
pub use settings::SharedSettings;
pub use tool::{Tool, with_store};
pub use top::TopSettings;
