//! The role as binaries see it.

use larch_launch::{Blocks, Frame, Role, Service};
use larch_runtime::StartError;

use crate::settings::{IngesterSettings, PatternIngesterSettings};

/// The blocks of the configuration that are this role's own.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Config {
    pub ingester: IngesterSettings,
    pub pattern_ingester: PatternIngesterSettings,
}

/// The name by which `-target` and `/services` know it.
const NAME: &str = "ingester";

/// The role, not configured yet.
pub fn role() -> Box<dyn Role> {
    Box::new(Ingester::default())
}

#[derive(Debug, Default)]
struct Ingester {
    config: Config,
}

impl Role for Ingester {
    fn name(&self) -> &'static str {
        NAME
    }

    fn configure(&mut self, blocks: &mut Blocks<'_, '_>) {
        self.config = Config {
            ingester: blocks.section("ingester"),
            pattern_ingester: blocks.section("pattern_ingester"),
        };
    }

    fn build(&self, _frame: &Frame) -> Result<Service, StartError> {
        Ok(Service::listed(NAME))
    }
}
