//! The index-gateway: resolves matchers to segments and chunks for all queriers.
