//! The role as binaries see it.

use std::sync::Arc;

use larch_launch::{Blocks, Frame, Role, Service, without_effect};
use larch_runtime::StartError;
use tracing::warn;

use crate::metrics::Metrics;
use crate::module::GatewayModule;
use crate::planner::GatewayPlanner;
use crate::settings::{IDLE, IndexGatewaySettings};

/// The blocks of the configuration that are this role's own.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Config {
    pub index_gateway: IndexGatewaySettings,
}

/// The name by which `-target` and `/services` know it.
pub(crate) const NAME: &str = "index-gateway";

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

    fn reads_segments(&self) -> bool {
        true
    }

    fn build(&self, frame: &Frame) -> Result<Service, StartError> {
        for line in without_effect("index_gateway", &self.config.index_gateway, &IDLE) {
            warn!("{line}");
        }
        let metrics = Metrics::new(&frame.metrics);
        let planner = GatewayPlanner::new(frame.env.clone(), frame.segments.clone(), metrics);
        let planner = Arc::new(planner);
        let grpc = frame.grpc_services().planner(Arc::clone(&planner) as Arc<_>);
        let node = frame.env.new_node_id();
        Ok(Service {
            modules: vec![Arc::new(GatewayModule { frame: frame.clone(), node, planner })],
            grpc: grpc.into_routes().into_axum_router(),
            ..Service::default()
        })
    }
}
