//! The role as binaries see it.

use larch_config::{Reader, Schema};
use larch_launch::{Frame, Role, Service};
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

    fn declare(&self, schema: &mut Schema) {
        schema.block::<IngesterSettings>("ingester");
        schema.block::<PatternIngesterSettings>("pattern_ingester");
    }

    fn read(&mut self, reader: &mut Reader<'_>) {
        self.config = Config {
            ingester: reader.section("ingester"),
            pattern_ingester: reader.section("pattern_ingester"),
        };
    }

    fn build(&self, _frame: &Frame) -> Result<Service, StartError> {
        Ok(Service::listed(NAME))
    }
}
