//! The role as binaries see it.

use larch_launch::{Blocks, Frame, Role, Service};
use larch_runtime::StartError;

use crate::settings::{RulerSettings, RulerStorageSettings};

/// The blocks of the configuration that are this role's own.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Config {
    pub ruler: RulerSettings,
    pub storage: RulerStorageSettings,
}

/// The name by which `-target` and `/services` know it.
const NAME: &str = "ruler";

/// The role, not configured yet.
pub fn role() -> Box<dyn Role> {
    Box::new(Ruler::default())
}

#[derive(Debug, Default)]
struct Ruler {
    config: Config,
}

impl Role for Ruler {
    fn name(&self) -> &'static str {
        NAME
    }

    fn configure(&mut self, blocks: &mut Blocks<'_, '_>) {
        self.config = Config { ruler: blocks.section("ruler"), storage: blocks.section("ruler_storage") };
    }

    fn build(&self, _frame: &Frame) -> Result<Service, StartError> {
        Ok(Service::listed(NAME))
    }
}
