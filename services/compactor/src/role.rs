//! The role as binaries see it.

use larch_launch::{Blocks, Frame, Role, Service};
use larch_runtime::StartError;

use crate::settings::CompactorSettings;

/// The blocks of the configuration that are this role's own.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Config {
    pub compactor: CompactorSettings,
}

/// The name by which `-target` and `/services` know it.
const NAME: &str = "compactor";

/// The role, not configured yet.
pub fn role() -> Box<dyn Role> {
    Box::new(Compactor::default())
}

#[derive(Debug, Default)]
struct Compactor {
    config: Config,
}

impl Role for Compactor {
    fn name(&self) -> &'static str {
        NAME
    }

    fn configure(&mut self, blocks: &mut Blocks<'_, '_>) {
        self.config = Config { compactor: blocks.section("compactor") };
    }

    fn build(&self, _frame: &Frame) -> Result<Service, StartError> {
        Ok(Service::listed(NAME))
    }
}
