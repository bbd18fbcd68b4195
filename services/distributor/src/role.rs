//! The role as binaries see it.

use std::sync::Arc;

use larch_launch::{Blocks, Frame, Role, Service, without_effect};
use larch_runtime::StartError;
use tracing::warn;

use crate::distributor::Distributor as Pushes;
use crate::grpc;
use crate::http::routes;
use crate::module::DistributorModule;
use crate::settings::{DistributorSettings, IDLE};

/// The blocks of the configuration that are this role's own.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Config {
    pub distributor: DistributorSettings,
}

/// The name by which `-target` and `/services` know it.
pub(crate) const NAME: &str = "distributor";

/// The role, not configured yet.
pub fn role() -> Box<dyn Role> {
    Box::new(Distributor::default())
}

#[derive(Debug, Default)]
struct Distributor {
    config: Config,
}

impl Role for Distributor {
    fn name(&self) -> &'static str {
        NAME
    }

    fn configure(&mut self, blocks: &mut Blocks<'_, '_>) {
        self.config = Config { distributor: blocks.section("distributor") };
    }

    fn build(&self, frame: &Frame) -> Result<Service, StartError> {
        for line in without_effect("distributor", &self.config.distributor, &IDLE) {
            warn!("{line}");
        }
        let distributor = Arc::new(Pushes::new(frame, self.config.distributor.clone()));
        let max_message = frame.settings.server.grpc_server_max_recv_msg_size.as_usize();
        let module = DistributorModule { frame: frame.clone(), node: frame.env.new_node_id() };
        let pages = distributor.pages(frame);
        Ok(Service {
            http: pages.routes(),
            http_self_bounded: routes(Arc::clone(&distributor)),
            grpc: grpc::routes(distributor, max_message),
            modules: vec![Arc::new(module)],
        })
    }
}
