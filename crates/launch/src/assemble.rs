//! Puts the parts of a process together. Nothing is started here.

use std::path::Path;
use std::sync::Arc;

use axum::Router;
use larch_api::Tenancy;
use larch_membership::Members;
use larch_rpc::{GrpcSettings, GrpcTransport, LocalTransport, Transport};
use larch_runtime::{AdminPages, Env, Module, Process, Routes, Server, StartError};
use larch_store::{Backend, Backing, Catalog, OpenError, Segments, Store, StoreOptions};
use larch_telemetry::{LevelHandle, Registry};
use larch_types::Address;
use larch_wal::{Dir, OsDir};

use crate::build_facts;
use crate::grpc_health;
use crate::overrides::{OverridesModule, TenantLimits};
use crate::pages::ConfigPages;
use crate::program::Program;
use crate::ring::RingPages;
use crate::role::{Frame, OpenDir};
use crate::segment_cache::SegmentCache;
use crate::settings::{Loaded, SharedSettings};

/// The store that the settings mean.
pub(crate) fn choose_store(settings: &SharedSettings) -> Result<Backend, OpenError> {
    Backend::choose(&settings.common.storage, &settings.storage, &settings.schema)
}

/// Opens the store that the settings mean.
pub(crate) fn open_store(loaded: &Loaded, metrics: &Registry) -> Result<Backing, StartError> {
    let variable = |name: &str| loaded.environment.get(name).map(str::to_owned);
    choose_store(&loaded.shared)
        .and_then(|backend| backend.open(&variable, metrics))
        .map_err(|error| StartError::caused_by("open the object store", error))
}

/// Everything that a process consists of, not started.
pub(crate) fn assemble(
    program: &Program,
    loaded: Loaded,
    env: &Env,
    metrics: &Registry,
    level: Option<LevelHandle>,
    backing: Backing,
) -> Result<Process, StartError> {
    let limits = TenantLimits::new(loaded.shared.limits.clone(), loaded.shared.operational.clone());
    let overrides = OverridesModule::new(&loaded, limits.clone(), env.clone(), metrics);
    let options = store_options(&loaded.shared, &limits)?;
    let store = Store::new(backing, options, env.clone(), metrics);
    let catalog = Catalog::new(store.clone(), env.clone(), metrics);
    let settings = Arc::new(loaded.shared);
    let open_dir: OpenDir =
        Arc::new(|path: &Path| OsDir::open(path).map(|dir| Arc::new(dir) as Arc<dyn Dir>));
    let local = LocalTransport::new();
    let tenancy = Tenancy::new(settings.top.auth_enabled, &settings.top.no_auth_tenant)
        .map_err(|error| StartError::caused_by("read who asks", error))?;
    let frame = Frame {
        env: env.clone(),
        metrics: metrics.clone(),
        settings: Arc::clone(&settings),
        limits: limits.clone(),
        tenancy: tenancy.clone(),
        open_dir,
        segments: Segments::new(catalog.clone(), &settings.chunk_store, metrics),
        catalog,
        store,
        transport: transport(&settings, &local)?,
        local,
        members: Members::default(),
        here: here(&settings)?,
    };
    let process = Process::new(env.clone());
    let mut modules: Vec<Arc<dyn Module>> = vec![Arc::new(overrides)];
    if let Some(cache) = SegmentCache::new(&frame, &program.roles) {
        modules.push(Arc::new(cache));
    }
    let (mut http, mut self_bounded, mut grpc) = (Router::new(), Router::new(), Router::new());
    for role in &program.roles {
        let service = role.build(&frame)?;
        modules.extend(service.modules);
        http = http.merge(service.http);
        self_bounded = self_bounded.merge(service.http_self_bounded);
        // Each role's router answers for the calls that it does not know; here the port does so for all.
        grpc = grpc.merge(service.grpc.reset_fallback());
    }
    let published = settings.top.tenant_limits_allow_publish.clone();
    let config = ConfigPages { effective: loaded.effective, tenancy, limits, published };
    let admin = AdminPages {
        process: process.clone(),
        metrics: metrics.clone(),
        level,
        build: build_facts::facts(),
        show_metrics: settings.server.register_instrumentation,
    };
    let pages = admin.routes().merge(config.routes()).merge(RingPages::new(&frame, program).routes());
    let routes = Routes { admin: pages, data: http, self_bounded };
    // The HTTP port comes first, so that the process can be watched while the rest starts.
    process.add(Arc::new(Server::http(settings.server.clone(), env.clone(), metrics.clone(), routes)));
    for module in modules {
        process.add(module);
    }
    if settings.serves_grpc {
        let routes = Routes { admin: grpc_health::routes(process.clone()), data: grpc, ..Routes::default() };
        process.add(Arc::new(Server::grpc(settings.server.clone(), env.clone(), metrics.clone(), routes)));
    }
    Ok(process)
}

/// How the store is used, with the encryption that each tenant wants now.
pub(crate) fn store_options(
    settings: &SharedSettings,
    limits: &TenantLimits,
) -> Result<StoreOptions, StartError> {
    let limits = limits.clone();
    let backend =
        choose_store(settings).map_err(|error| StartError::caused_by("choose the object store", error))?;
    Ok(StoreOptions {
        sse: Arc::new(move |tenant| Backend::sse(&limits.limits(tenant))),
        ..backend.options(&settings.storage)
    })
}

/// Where this process's own gRPC port is; a name that leads nowhere if it has none, for then its services
/// are reached without one.
fn here(settings: &SharedSettings) -> Result<Address, StartError> {
    let server = &settings.server;
    let host = match server.grpc_listen_address.as_str() {
        "" | "0.0.0.0" | "::" => "127.0.0.1".to_owned(),
        address if address.contains(':') && !address.starts_with('[') => format!("[{address}]"),
        address => address.to_owned(),
    };
    let text = if settings.serves_grpc && server.grpc_listen_port != 0 {
        format!("{host}:{}", server.grpc_listen_port)
    } else {
        "this-process:1".to_owned()
    };
    text.parse().map_err(|error| StartError::caused_by("read where this process is reached", error))
}

/// A process that has no others to join calls its own services; any other calls over gRPC, its own too.
fn transport(settings: &SharedSettings, local: &LocalTransport) -> Result<Arc<dyn Transport>, StartError> {
    if settings.runs_all && settings.memberlist.join_members.is_empty() {
        return Ok(Arc::new(local.clone()));
    }
    let client = GrpcSettings::from_client(&settings.ingester_client.grpc_client_config)
        .map_err(|error| StartError::caused_by("read ingester_client.grpc_client_config", error))?;
    Ok(Arc::new(GrpcTransport::new(client)))
}
