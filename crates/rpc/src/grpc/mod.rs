//! The traits over gRPC.

mod answers;
mod calls;
mod channel;
mod ingester;
mod metadata;
mod planner;
mod pool;
mod server;
mod settings;
mod sizes;
mod status;
mod tail;
mod transport;
mod work_queue;

pub use server::GrpcServices;
pub use settings::{GrpcSettings, GrpcTls, MessageLimits};
pub use transport::GrpcTransport;
