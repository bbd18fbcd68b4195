//! The role as binaries see it.

use std::sync::Arc;

use larch_launch::{Blocks, Frame, Role, Service, without_effect};
use larch_runtime::StartError;
use tracing::warn;

use crate::metrics::Metrics;
use crate::module::CompactorModule;
use crate::settings::{CompactorSettings, IDLE};
use crate::sweep::Tools;

/// The blocks of the configuration that are this role's own.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Config {
    pub compactor: CompactorSettings,
}

/// The name by which `-target` and `/services` know it.
pub(crate) const NAME: &str = "compactor";

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

    fn build(&self, frame: &Frame) -> Result<Service, StartError> {
        for line in without_effect("compactor", &self.config.compactor, &IDLE) {
            warn!("{line}");
        }
        let settings = &self.config.compactor;
        let module = CompactorModule {
            env: frame.env.clone(),
            tools: Tools {
                store: frame.store.clone(),
                catalog: frame.catalog.clone(),
                parallel: settings.retention_delete_worker_count as usize,
            },
            metrics: Metrics::new(&frame.metrics),
            sweep_every: settings.sweep_interval.to_std(),
        };
        Ok(Service { modules: vec![Arc::new(module)], ..Service::default() })
    }
}
