//! The frame around every Larch process: the outside world as arguments (clock, randomness,
//! spawning), ordered start and shutdown, background jobs, HTTP and gRPC servers, admin pages.
//!
//! It knows no log semantics and no Loki endpoint but the operational ones.

mod buffers;
mod clock;
mod env;
mod job;
mod process;
mod random;
mod scope;
mod server;
mod settings;
mod signal;
mod tls;

pub use buffers::BufferPool;
pub use clock::{Clock, SystemClock};
pub use env::{Compute, Env};
pub use job::{Job, Next, Rhythm, spawn_job};
pub use process::{Budgets, Module, Process, Stage, StartError, State};
pub use random::Random;
pub use scope::{Failure, Late, Scope};

pub use server::{
    AdminPages, BodyError, BoundedBody, BuildFacts, Gate, Pass, Refused, Routes, Server, json, plain,
};
pub use settings::{ClientAuthType, ServerSettings, ServerTlsSettings, TlsVersion, client_tls_files};
pub use signal::Signals;
pub use tls::{ClientTls, TlsError};
