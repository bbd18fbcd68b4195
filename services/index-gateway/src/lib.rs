//! The index-gateway: resolves matchers to segments and chunks for all queriers.
//!
//! It plans from views of the catalog that are young enough, or not at all, and leaves nothing out that
//! could hold a row that is asked for. It reads footers, filters and times, never a line.

mod failure;
mod folding;
mod live;
mod metrics;
mod module;
mod needles;
mod planner;
mod read;
mod role;
mod selection;
mod settings;

#[cfg(test)]
mod tests;

pub use role::{Config, role};
pub use settings::{IndexGatewayMode, IndexGatewaySettings};
