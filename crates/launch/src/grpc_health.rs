//! The standard health service of gRPC: the same answer as `/ready`, for probes that speak gRPC.

use axum::Router;
use futures_util::stream::{self, BoxStream, StreamExt};
use larch_runtime::Process;
use tonic::service::Routes;
use tonic::{Request, Response, Status};
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_server::{Health, HealthServer};
use tonic_health::pb::{HealthCheckRequest, HealthCheckResponse};

pub(crate) fn routes(process: Process) -> Router {
    Routes::new(HealthServer::new(Readiness(process))).prepare().into_axum_router().reset_fallback()
}

struct Readiness(Process);

impl Readiness {
    fn answer(&self) -> HealthCheckResponse {
        let status = match self.0.readiness() {
            Ok(()) => ServingStatus::Serving,
            Err(_) => ServingStatus::NotServing,
        };
        HealthCheckResponse { status: status.into() }
    }
}

#[tonic::async_trait]
impl Health for Readiness {
    /// Roles have no health of their own: a process is ready as a whole, whichever service is asked for.
    async fn check(&self, _: Request<HealthCheckRequest>) -> Result<Response<HealthCheckResponse>, Status> {
        Ok(Response::new(self.answer()))
    }

    type WatchStream = BoxStream<'static, Result<HealthCheckResponse, Status>>;

    /// The present answer, once. A client that watches asks again when the stream ends.
    async fn watch(&self, _: Request<HealthCheckRequest>) -> Result<Response<Self::WatchStream>, Status> {
        let answer = self.answer();
        Ok(Response::new(stream::iter([Ok(answer)]).boxed()))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use larch_runtime::Env;

    use super::*;
    use crate::role::Service;

    #[tokio::test]
    async fn says_what_ready_says() {
        let process = Process::new(Env::system());
        for module in Service::listed("ingester").modules {
            process.add(Arc::clone(&module));
        }
        let health = Readiness(process.clone());
        let check = async || {
            let answer = health.check(Request::new(HealthCheckRequest::default())).await.unwrap();
            answer.into_inner().status()
        };
        assert_eq!(check().await, ServingStatus::NotServing);
        process.start().await.unwrap();
        assert_eq!(check().await, ServingStatus::Serving);
        let mut watched =
            health.watch(Request::new(HealthCheckRequest::default())).await.unwrap().into_inner();
        assert_eq!(watched.next().await.unwrap().unwrap().status(), ServingStatus::Serving);
        assert!(watched.next().await.is_none());
        process.announce_stop();
        assert_eq!(check().await, ServingStatus::NotServing);
    }
}
