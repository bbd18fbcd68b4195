//! What an operator asks an ingester for.

use std::path::Path;
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::State;
use axum::response::Response;
use axum::routing::{get, post};
use http::{Request, StatusCode};
use larch_api::{Form, Tenancy};
use larch_launch::OpenDir;
use larch_logql::parse_selector;
use larch_proto::{FlushRequest, Selector};
use larch_rpc::CallError;
use larch_runtime::plain;
use larch_types::ErrorKind;
use larch_wal::{Dir, FileName};

use crate::flush::flush as flush_streams;
use crate::service::Door;

/// The file whose being there means that the next stop cuts all rows. Loki's has this name.
const MARKER: &str = "shutdown-requested.txt";

pub(crate) struct Desk {
    pub(crate) door: Arc<Door>,
    pub(crate) tenancy: Tenancy,
    pub(crate) marker: Marker,
}

/// Whether the next stop cuts all rows, kept over restarts.
#[derive(Clone)]
pub(crate) struct Marker {
    pub(crate) open_dir: OpenDir,
    /// Empty if none is configured.
    pub(crate) dir: String,
}

pub(crate) fn routes(desk: Arc<Desk>) -> Router {
    Router::new()
        .route("/flush", get(flush).post(flush))
        .route("/flush/tenant", post(flush_tenant))
        .route("/ingester/prepare_shutdown", get(show_prepared).post(prepare).delete(forget_prepared))
        .with_state(desk)
}

/// Rows are cut and uploaded in the background, tenant by tenant.
async fn flush(State(desk): State<Arc<Desk>>) -> Response {
    match desk.door.node() {
        Ok(node) => {
            node.ask_for_flush();
            node.uploads.hurry();
            done()
        }
        Err(error) => failed(&error),
    }
}

async fn flush_tenant(State(desk): State<Arc<Desk>>, request: Request<Body>) -> Response {
    let tenant = match desk.tenancy.tenant(request.headers()) {
        Ok(tenant) => tenant,
        // Unlike other requests, one without a tenant is a mistake here.
        Err(error) => return plain(StatusCode::BAD_REQUEST, format!("{error}\n")),
    };
    let any_of = match streams(request.uri().query().unwrap_or_default()) {
        Ok(any_of) => any_of,
        Err(text) => return plain(StatusCode::BAD_REQUEST, format!("{text}\n")),
    };
    let flush = FlushRequest { tenant: Some(tenant), any_of, wait_for_upload: true };
    let flushed = async { flush_streams(desk.door.node()?, &flush).await };
    match flushed.await {
        Ok(_) => done(),
        Err(error) => failed(&error),
    }
}

/// A selector of streams; without one, all are meant.
fn streams(query: &str) -> Result<Vec<Selector>, String> {
    let form = Form::parse(&[], query).map_err(|error| error.to_string())?;
    match form.get("streams") {
        "" => Ok(Vec::new()),
        text => {
            let matchers = parse_selector(text).map_err(|error| error.to_string())?;
            Ok(vec![Selector { matchers }])
        }
    }
}

async fn show_prepared(State(desk): State<Arc<Desk>>) -> Response {
    match desk.marker.with(is_set) {
        Ok(true) => plain(StatusCode::OK, "set".to_owned()),
        Ok(false) => plain(StatusCode::OK, "unset".to_owned()),
        Err(error) => failed(&error),
    }
}

async fn prepare(State(desk): State<Arc<Desk>>) -> Response {
    desk.marker.with(set).map_or_else(|error| failed(&error), |()| done())
}

async fn forget_prepared(State(desk): State<Arc<Desk>>) -> Response {
    desk.marker.with(unset).map_or_else(|error| failed(&error), |()| done())
}

impl Marker {
    pub(crate) fn is_set(&self) -> bool {
        !self.dir.is_empty() && self.with(is_set).unwrap_or(false)
    }

    fn with<T>(&self, work: impl FnOnce(&dyn Dir, &FileName) -> std::io::Result<T>) -> Result<T, CallError> {
        let internal = |text: String| CallError::new(ErrorKind::Internal, text);
        if self.dir.is_empty() {
            return Err(internal("ingester.shutdown_marker_path is not set".to_owned()));
        }
        let dir = (self.open_dir)(Path::new(&self.dir)).map_err(|error| internal(error.to_string()))?;
        let name: FileName = MARKER.parse().map_err(|_| internal(format!("{MARKER} is no file name")))?;
        work(&*dir, &name).map_err(|error| internal(error.to_string()))
    }
}

fn is_set(dir: &dyn Dir, name: &FileName) -> std::io::Result<bool> {
    Ok(dir.list()?.contains(name))
}

fn set(dir: &dyn Dir, name: &FileName) -> std::io::Result<()> {
    if is_set(dir, name)? {
        return Ok(());
    }
    dir.create(name)?.sync()?;
    dir.sync()
}

fn unset(dir: &dyn Dir, name: &FileName) -> std::io::Result<()> {
    if is_set(dir, name)? {
        dir.remove(name)?;
        dir.sync()?;
    }
    Ok(())
}

fn done() -> Response {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::NO_CONTENT;
    response
}

fn failed(error: &CallError) -> Response {
    let status = StatusCode::from_u16(error.kind().row().http).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    plain(status, format!("{error}\n"))
}
