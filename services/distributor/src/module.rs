//! The distributor's life: others count it while it takes pushes.

use futures_util::future::BoxFuture;
use larch_launch::Frame;
use larch_membership::{Member, Part};
use larch_runtime::{Module, Scope, Stage, StartError};
use larch_types::NodeId;

pub(crate) struct DistributorModule {
    pub(crate) frame: Frame,
    /// A distributor has no disk, so it is another one each time.
    pub(crate) node: NodeId,
}

impl Module for DistributorModule {
    fn name(&self) -> &'static str {
        crate::role::NAME
    }

    fn start<'a>(&'a self, _: &'a Scope) -> BoxFuture<'a, Result<(), StartError>> {
        let address = self.frame.here.clone();
        self.frame.members.enter(Member { part: Part::Distributor, node: self.node, address });
        Box::pin(async { Ok(()) })
    }

    fn stop(&self, stage: Stage) -> BoxFuture<'_, ()> {
        if stage == Stage::Leave {
            self.frame.members.leave(Part::Distributor, self.node);
        }
        Box::pin(async {})
    }
}
