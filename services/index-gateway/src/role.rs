//! The role as binaries see it.

use larch_launch::{Blocks, Frame, Role, Service};
use larch_runtime::StartError;

use crate::settings::IndexGatewaySettings;

/// The blocks of the configuration that are this role's own.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Config {
    pub index_gateway: IndexGatewaySettings,
}

/// The name by which `-target` and `/services` know it.
const NAME: &str = "index-gateway";

/// The role, not configured yet.
pub fn role() -> Box<dyn Role> {
    Box::new(IndexGateway::default())
}

#[derive(Debug, Default)]
struct IndexGateway {
    config: Config,
}

impl Role for IndexGateway {
    fn name(&self) -> &'static str {
        NAME
    }

    fn configure(&mut self, blocks: &mut Blocks<'_, '_>) {
        self.config = Config { index_gateway: blocks.section("index_gateway") };
    }

    fn build(&self, _frame: &Frame) -> Result<Service, StartError> {
        Ok(Service::listed(NAME))
    }
}
