//! HTTP and gRPC listeners with bounds on everything that a client can make grow: connections, heads,
//! bodies, requests in flight, and the time for each.

mod admin;
mod answers;
mod body;
mod gate;
mod grpc;
mod http;
mod io;
mod leftover;
mod listener;
mod observe;
mod path;
mod port;
mod record;
mod request_id;
mod source;

pub use admin::{AdminPages, BuildFacts};
pub use answers::{json, plain};
pub use body::{BodyError, BoundedBody};
pub use gate::{Gate, Pass, Refused};
pub use port::{Routes, Server};
