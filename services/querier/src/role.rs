//! The role as binaries see it.

use larch_launch::{Blocks, Frame, Role, Service};
use larch_runtime::StartError;

use crate::settings::{FrontendWorkerSettings, QuerierSettings};

/// The blocks of the configuration that are this role's own.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Config {
    pub querier: QuerierSettings,
    pub worker: FrontendWorkerSettings,
}

/// The name by which `-target` and `/services` know it.
const NAME: &str = "querier";

/// The role, not configured yet.
pub fn role() -> Box<dyn Role> {
    Box::new(Querier::default())
}

#[derive(Debug, Default)]
struct Querier {
    config: Config,
}

impl Role for Querier {
    fn name(&self) -> &'static str {
        NAME
    }

    fn configure(&mut self, blocks: &mut Blocks<'_, '_>) {
        self.config =
            Config { querier: blocks.section("querier"), worker: blocks.section("frontend_worker") };
    }

    fn build(&self, _frame: &Frame) -> Result<Service, StartError> {
        Ok(Service::listed(NAME))
    }
}
