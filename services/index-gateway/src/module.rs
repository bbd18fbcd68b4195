//! The gateway's life: it serves from when it starts, and keeps nothing that could be lost.

use std::sync::Arc;

use futures_util::future::BoxFuture;
use larch_launch::Frame;
use larch_membership::{Member, Part};
use larch_rpc::Planner;
use larch_runtime::{Module, Scope, Stage, StartError};
use larch_types::NodeId;

use crate::planner::GatewayPlanner;

pub(crate) struct GatewayModule {
    pub(crate) frame: Frame,
    pub(crate) node: NodeId,
    pub(crate) planner: Arc<GatewayPlanner>,
}

impl Module for GatewayModule {
    fn name(&self) -> &'static str {
        crate::role::NAME
    }

    fn start<'a>(&'a self, scope: &'a Scope) -> BoxFuture<'a, Result<(), StartError>> {
        Box::pin(async {
            let (inner, planner) = (scope.clone(), Arc::clone(&self.planner));
            scope.spawn("fold catalogs", async move {
                inner.until_cancelled(planner.fold()).await;
            });
            let here = self.frame.here.clone();
            self.frame.local.add_planner(here.clone(), Arc::clone(&self.planner) as Arc<dyn Planner>);
            self.frame.members.enter(Member { part: Part::Planner, node: self.node, address: here });
            Ok(())
        })
    }

    fn stop(&self, stage: Stage) -> BoxFuture<'_, ()> {
        if stage == Stage::Leave {
            self.frame.members.leave(Part::Planner, self.node);
        }
        Box::pin(async {})
    }
}
