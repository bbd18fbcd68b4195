//! Peers by their addresses.

use std::sync::Arc;

use larch_types::Address;

use super::ingester::RemoteIngester;
use super::planner::RemotePlanner;
use super::pool::{Lane, Pool};
use super::settings::GrpcSettings;
use super::tail::RemoteTail;
use super::work_queue::RemoteWorkQueue;
use crate::{Ingester, Planner, Tail, Transport, WorkQueue};

/// Reaches services of other processes. Connections are made at the first call, kept for the next ones,
/// and made again after they broke.
#[derive(Clone)]
pub struct GrpcTransport {
    pool: Arc<Pool>,
}

impl GrpcTransport {
    pub fn new(settings: GrpcSettings) -> Self {
        Self { pool: Arc::new(Pool::new(settings)) }
    }
}

/// To be called inside a runtime, which drives the connections.
impl Transport for GrpcTransport {
    fn ingester(&self, address: &Address) -> Arc<dyn Ingester> {
        Arc::new(RemoteIngester::new(self.pool.channel(address, Lane::Ingester), self.pool.settings.limits))
    }

    fn planner(&self, address: &Address) -> Arc<dyn Planner> {
        Arc::new(RemotePlanner::new(self.pool.channel(address, Lane::Planner), self.pool.settings.limits))
    }

    fn work_queue(&self, address: &Address) -> Arc<dyn WorkQueue> {
        Arc::new(RemoteWorkQueue::new(self.pool.channel(address, Lane::WorkQueue), self.pool.settings.limits))
    }

    fn tail(&self, address: &Address) -> Arc<dyn Tail> {
        Arc::new(RemoteTail::new(self.pool.channel(address, Lane::Tail), self.pool.settings.limits))
    }
}
