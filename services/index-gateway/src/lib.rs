//! The index-gateway: resolves matchers to segments and chunks for all queriers.

mod role;
mod settings;

pub use role::{Config, role};
pub use settings::{IndexGatewayMode, IndexGatewaySettings};
