//! The role as binaries see it.

use larch_launch::{Blocks, Frame, Role, Service};
use larch_runtime::StartError;

use crate::settings::{FrontendSettings, QueryRangeSettings, QuerySchedulerSettings};

/// The blocks of the configuration that are this role's own.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Config {
    pub frontend: FrontendSettings,
    pub query_range: QueryRangeSettings,
    pub scheduler: QuerySchedulerSettings,
}

/// The name by which `-target` and `/services` know it.
const NAME: &str = "query-frontend";

/// The role, not configured yet.
pub fn role() -> Box<dyn Role> {
    Box::new(QueryFrontend::default())
}

#[derive(Debug, Default)]
struct QueryFrontend {
    config: Config,
}

impl Role for QueryFrontend {
    fn name(&self) -> &'static str {
        NAME
    }

    fn configure(&mut self, blocks: &mut Blocks<'_, '_>) {
        self.config = Config {
            frontend: blocks.section("frontend"),
            query_range: blocks.section("query_range"),
            scheduler: blocks.section("query_scheduler"),
        };
    }

    fn build(&self, _frame: &Frame) -> Result<Service, StartError> {
        Ok(Service::listed(NAME))
    }
}
