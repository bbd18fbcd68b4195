//! What a binary knows of a role, and what a role knows of the process.

use std::io;
use std::path::Path;
use std::sync::Arc;

use axum::Router;
use futures_util::future::BoxFuture;
use larch_api::Tenancy;
use larch_membership::Members;
use larch_rpc::{GrpcServices, LocalTransport, MessageLimits, Transport};
use larch_runtime::{Env, Module, Scope, StartError};
use larch_store::{Catalog, Segments, Store};
use larch_telemetry::Registry;
use larch_types::Address;
use larch_wal::Dir;

use crate::blocks::Blocks;
use crate::overrides::TenantLimits;
use crate::settings::SharedSettings;

/// One role as its own crate declares it.
pub trait Role {
    /// As `-target` and `/services` name it.
    fn name(&self) -> &'static str;

    /// Takes the blocks of the configuration that are the role's own. It is called twice: to learn which
    /// blocks there are, and to read them.
    fn configure(&mut self, blocks: &mut Blocks<'_, '_>);

    /// Whether it reads what is in segments of the store.
    fn reads_segments(&self) -> bool {
        false
    }

    /// Makes the role's parts. Nothing is started yet, and no file or socket opened.
    fn build(&self, frame: &Frame) -> Result<Service, StartError>;
}

/// The process around a role: the outside world and what all roles share.
#[derive(Clone)]
pub struct Frame {
    pub env: Env,
    pub metrics: Registry,
    pub settings: Arc<SharedSettings>,
    pub limits: TenantLimits,
    pub tenancy: Tenancy,
    pub open_dir: OpenDir,
    pub store: Store,
    /// What is in the store, with views that all roles of the process share.
    pub catalog: Catalog,
    /// What is in them; all roles of a process share the caches.
    pub segments: Segments,
    /// The way to the services of other processes, and of this one.
    pub transport: Arc<dyn Transport>,
    /// Where roles add their services, if the transport stays in this process.
    pub local: LocalTransport,
    /// Who there is to talk to. Roles enter their own services here once they serve.
    pub members: Members,
    /// Where the services of this process are reached.
    pub here: Address,
}

impl Frame {
    /// The services of a role for the gRPC port, still without any.
    pub fn grpc_services(&self) -> GrpcServices {
        let server = &self.settings.server;
        GrpcServices::new(MessageLimits {
            max_receive_bytes: server.grpc_server_max_recv_msg_size.as_usize(),
            max_send_bytes: server.grpc_server_max_send_msg_size.as_usize(),
        })
    }
}

/// Opens a directory of the local disk, or of a simulated one.
pub type OpenDir = Arc<dyn Fn(&Path) -> io::Result<Arc<dyn Dir>> + Send + Sync>;

/// What a role brings into a process.
#[derive(Default)]
pub struct Service {
    /// Started in this order.
    pub modules: Vec<Arc<dyn Module>>,
    pub http: Router,
    /// Those of its routes that bound the bodies of their requests themselves.
    pub http_self_bounded: Router,
    pub grpc: Router,
}

impl Service {
    /// A role with no module of its own yet: it is listed among the services and serves what its process
    /// serves.
    pub fn listed(name: &'static str) -> Self {
        Self { modules: vec![Arc::new(Listed(name))], ..Self::default() }
    }
}

struct Listed(&'static str);

impl Module for Listed {
    fn name(&self) -> &'static str {
        self.0
    }

    fn start<'a>(&'a self, _: &'a Scope) -> BoxFuture<'a, Result<(), StartError>> {
        Box::pin(async { Ok(()) })
    }
}
