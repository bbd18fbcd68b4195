//! The index-gateway: resolves matchers to segments and chunks for all queriers.

mod settings;

pub use settings::{IndexGatewayMode, IndexGatewaySettings};
