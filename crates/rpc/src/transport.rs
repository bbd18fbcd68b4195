//! How a service reaches another by its address.

use std::sync::Arc;

use larch_types::Address;

use crate::{Ingester, Planner, Tail, WorkQueue};

/// Gives the service at an address. Getting one costs little, connects to nothing and cannot fail; a
/// call to an address where nothing answers fails as `Unavailable`.
pub trait Transport: Send + Sync {
    fn ingester(&self, address: &Address) -> Arc<dyn Ingester>;
    fn planner(&self, address: &Address) -> Arc<dyn Planner>;
    fn work_queue(&self, address: &Address) -> Arc<dyn WorkQueue>;
    fn tail(&self, address: &Address) -> Arc<dyn Tail>;
}
