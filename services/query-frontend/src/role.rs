//! The role as binaries see it.

use std::sync::Arc;

use futures_util::future::BoxFuture;
use larch_launch::{Blocks, Frame, Role, Service};
use larch_membership::{Member, Part};
use larch_rpc::{GrpcServices, MessageLimits};
use larch_runtime::{Module, Rhythm, Scope, Stage, StartError, spawn_job};
use larch_types::NodeId;
use tracing::warn;

use crate::frontend::Frontend;
use crate::http::routes;
use crate::queue::{Queue, SWEEP, ServedQueue, Sweep};
use crate::settings::{FrontendSettings, QueryRangeSettings, QuerySchedulerSettings, all_without_effect};

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

/// The role with settings that a test has chosen.
#[cfg(test)]
pub(crate) fn with_config(config: Config) -> impl Role {
    QueryFrontend { config }
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

    fn build(&self, frame: &Frame) -> Result<Service, StartError> {
        for line in all_without_effect(&self.config) {
            warn!("{line}");
        }
        let frontend = Frontend::new(frame, &self.config);
        let queue = Arc::clone(&frontend.runner.queue);
        let server = &frame.settings.server;
        let limits = MessageLimits {
            max_send_bytes: server.grpc_server_max_send_msg_size.as_usize(),
            max_receive_bytes: server.grpc_server_max_recv_msg_size.as_usize(),
        };
        let grpc = GrpcServices::new(limits).work_queue(Arc::new(ServedQueue(Arc::clone(&queue))));
        let module = QueueModule { queue, node: frame.env.new_node_id(), frame: frame.clone() };
        Ok(Service {
            modules: vec![Arc::new(module)],
            http: routes(frontend),
            // What is at no route of any role is answered by the port itself.
            grpc: grpc.into_routes().into_axum_router().reset_fallback(),
            ..Service::default()
        })
    }
}

/// The queue as a part of the process: others find it while it runs.
struct QueueModule {
    queue: Arc<Queue>,
    /// A queue has no disk, so it is another one each time.
    node: NodeId,
    frame: Frame,
}

impl Module for QueueModule {
    fn name(&self) -> &'static str {
        NAME
    }

    fn start<'a>(&'a self, scope: &'a Scope) -> BoxFuture<'a, Result<(), StartError>> {
        Box::pin(async move {
            spawn_job(scope, &self.frame.env, Rhythm::every(SWEEP), Sweep(Arc::downgrade(&self.queue)));
            let here = self.frame.here.clone();
            self.frame.local.add_work_queue(here.clone(), Arc::new(ServedQueue(Arc::clone(&self.queue))));
            self.frame.members.enter(Member { part: Part::WorkQueue, node: self.node, address: here });
            Ok(())
        })
    }

    fn stop(&self, stage: Stage) -> BoxFuture<'_, ()> {
        Box::pin(async move {
            match stage {
                // Queries that are in are answered first; the port waits for them.
                Stage::Refuse | Stage::Drain | Stage::Cut => {}
                Stage::Leave => {
                    self.frame.members.leave(Part::WorkQueue, self.node);
                    self.queue.close();
                }
                Stage::Close => self.frame.local.remove(&self.frame.here),
            }
        })
    }
}
