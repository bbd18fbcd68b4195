//! The worker: pulls pieces from every queue that there is, and answers as many at a time as it may.

mod inflight;
mod pull;
mod report;

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::sync::Arc;

use larch_membership::Part;
use larch_runtime::Scope;
use larch_types::{Address, NodeId};
use tokio::sync::Semaphore;

use crate::deps::Deps;

/// Cheap to clone; all clones share the slots.
#[derive(Clone)]
pub(crate) struct Worker {
    deps: Arc<Deps>,
    id: NodeId,
    /// One for each piece that may be worked on, whatever queue it is from.
    slots: Arc<Semaphore>,
}

impl Worker {
    pub(crate) fn new(deps: Arc<Deps>) -> Self {
        let concurrency = deps.config.querier.max_concurrent;
        let slots = Arc::new(Semaphore::new(concurrency as usize));
        deps.metrics.concurrency.set(i64::from(concurrency));
        Self { id: deps.env.new_node_id(), deps, slots }
    }

    /// Keeps one pull for each queue, as queues come, move and go, until the scope stops.
    pub(crate) async fn run(self, scope: Scope) {
        let mut views = self.deps.members.watch();
        let mut pulls: BTreeMap<NodeId, (Address, Scope)> = BTreeMap::new();
        loop {
            let view = Arc::clone(&views.borrow_and_update());
            pulls.retain(|node, (address, pull)| {
                let stays =
                    view.find(Part::WorkQueue, *node).is_some_and(|member| member.address == *address);
                if !stays {
                    pull.cancel();
                }
                stays
            });
            for member in view.of(Part::WorkQueue) {
                if let Entry::Vacant(entry) = pulls.entry(member.node) {
                    let pull = scope.child();
                    let worker = self.clone();
                    let (address, inner) = (member.address.clone(), pull.clone());
                    // In the outer scope, so that closing it waits for the pull.
                    scope.spawn("querier pull", async move { worker.pull(&address, inner).await });
                    entry.insert((member.address.clone(), pull));
                }
            }
            match scope.until_cancelled(views.changed()).await {
                Some(Ok(())) => {}
                Some(Err(_)) | None => return,
            }
        }
    }
}
