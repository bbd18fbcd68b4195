//! The traits by which Larch's services call each other, in-process ([`LocalTransport`]) and over gRPC
//! ([`GrpcTransport`], [`GrpcServices`]). Either way a call carries its tenant, request id, trace and
//! deadline; fails with the same kind and text; and is cancelled by letting go of it.
//!
//! A service behind a trait cannot be told from one in another process. No service logic here, no
//! retries (only the outermost caller knows what they cost), and no tasks: a call runs in its caller.

mod context;
mod error;
mod grpc;
mod ingester;
mod local;
mod planner;
mod settings;
mod streams;
mod tail;
mod transport;
mod work_queue;

pub use context::{CallContext, Deadline, TenantContext};
pub use error::{CallError, MAX_ERROR_TEXT_BYTES};
pub use grpc::{GrpcServices, GrpcSettings, GrpcTls, GrpcTransport, MessageLimits};
pub use ingester::Ingester;
pub use local::LocalTransport;
pub use planner::Planner;
pub use settings::{
    BackoffSettings, GrpcClientSettings, GrpcCompression, IngesterClientSettings, PoolSettings,
    TlsClientSettings,
};
pub use streams::{CallStream, Headed};
pub use tail::Tail;
pub use transport::Transport;
pub use work_queue::WorkQueue;
