//! What a process offers to others.

use std::sync::Arc;

use tonic::service::{Routes, RoutesBuilder};

use super::{ingester, planner, tail, work_queue};
use crate::{Ingester, MessageLimits, Planner, Tail, WorkQueue};

/// The services of one gRPC listener. Whoever serves the routes also bounds connections and streams.
pub struct GrpcServices {
    limits: MessageLimits,
    routes: RoutesBuilder,
}

impl GrpcServices {
    pub fn new(limits: MessageLimits) -> Self {
        Self { limits, routes: Routes::builder() }
    }

    pub fn ingester(mut self, service: Arc<dyn Ingester>) -> Self {
        self.routes.add_service(ingester::serve(service, self.limits));
        self
    }

    pub fn planner(mut self, service: Arc<dyn Planner>) -> Self {
        self.routes.add_service(planner::serve(service, self.limits));
        self
    }

    pub fn work_queue(mut self, service: Arc<dyn WorkQueue>) -> Self {
        self.routes.add_service(work_queue::serve(service, self.limits));
        self
    }

    pub fn tail(mut self, service: Arc<dyn Tail>) -> Self {
        self.routes.add_service(tail::serve(service, self.limits));
        self
    }

    pub fn into_routes(self) -> Routes {
        self.routes.routes().prepare()
    }
}
