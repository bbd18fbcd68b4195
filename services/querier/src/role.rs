//! The role as binaries see it.

use std::sync::Arc;

use futures_util::future::BoxFuture;
use larch_launch::{Blocks, Frame, Role, Service, without_effect};
use larch_runtime::{Module, Scope, Stage, StartError};
use tracing::warn;

use crate::deps::Deps;
use crate::settings::{FrontendWorkerSettings, IDLE, IDLE_OF_WORKER, QuerierSettings};
use crate::tail::Tails;
use crate::worker::Worker;

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

    fn reads_segments(&self) -> bool {
        true
    }

    fn build(&self, frame: &Frame) -> Result<Service, StartError> {
        let mut idle = without_effect("querier", &self.config.querier, &IDLE);
        idle.extend(without_effect("frontend_worker", &self.config.worker, &IDLE_OF_WORKER));
        for line in idle {
            warn!("{line}");
        }
        let deps = Arc::new(Deps::new(frame, self.config.clone()));
        let tails = Tails::new(Arc::clone(&deps), frame.tenancy.clone());
        let http = tails.routes();
        let module = QuerierModule { worker: Worker::new(deps), tails };
        Ok(Service { modules: vec![Arc::new(module)], http, ..Service::default() })
    }
}

struct QuerierModule {
    worker: Worker,
    tails: Arc<Tails>,
}

impl Module for QuerierModule {
    fn name(&self) -> &'static str {
        NAME
    }

    fn start<'a>(&'a self, scope: &'a Scope) -> BoxFuture<'a, Result<(), StartError>> {
        let (worker, inner) = (self.worker.clone(), scope.clone());
        self.tails.start(scope);
        scope.spawn("querier worker", worker.run(inner));
        Box::pin(async { Ok(()) })
    }

    /// Pieces are worked on to the end: requests that are being drained wait for them. Tails have no end of
    /// their own.
    fn stop(&self, stage: Stage) -> BoxFuture<'_, ()> {
        if stage == Stage::Drain {
            self.tails.stop();
        }
        Box::pin(async {})
    }
}
