//! What an operator asks an ingester for.

use std::path::Path;
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::State;
use axum::response::Response;
use axum::routing::{any, get, post};
use http::{Request, StatusCode};
use larch_api::{Form, Tenancy};
use larch_launch::{Frame, OpenDir};
use larch_logql::parse_selector;
use larch_proto::{FlushRequest, Selector};
use larch_rpc::CallError;
use larch_runtime::plain;
use larch_types::ErrorKind;
use larch_wal::{Dir, FileName};
use tracing::{error, warn};

use crate::flush::{flush_all, flush_to_the_end};
use crate::module::leave;
use crate::node::Shutdown;
use crate::service::Door;
use crate::standing::Standing;

/// The file whose being there means that the next stop cuts all rows. Loki's has this name.
const MARKER: &str = "shutdown-requested.txt";

pub(crate) struct Desk {
    pub(crate) door: Arc<Door>,
    pub(crate) frame: Frame,
    pub(crate) tenancy: Tenancy,
    pub(crate) marker: Marker,
}

/// Whether the next stop cuts all rows, kept over restarts.
#[derive(Clone)]
pub(crate) struct Marker {
    pub(crate) open_dir: OpenDir,
    /// Empty if none is configured.
    pub(crate) dir: String,
    pub(crate) standing: Standing,
}

pub(crate) fn routes(desk: Arc<Desk>) -> Router {
    Router::new()
        .route("/flush", get(flush).post(flush))
        .route("/flush/tenant", post(flush_tenant))
        .route("/ingester/shutdown", get(shutdown).post(shutdown))
        .route("/ingester/prepare_shutdown", get(show_prepared).post(prepare).delete(forget_prepared))
        .route("/ingester/prepare_partition_downscale", any(no_partitions))
        .with_state(desk)
}

/// Rows are cut and uploaded in the background, tenant by tenant.
async fn flush(State(desk): State<Arc<Desk>>) -> Response {
    match desk.door.node() {
        Ok(node) => {
            node.ask_for_flush();
            node.hurry_uploads();
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
    let flushed = async { flush_to_the_end(desk.door.node()?, flush).await };
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

/// The ingester takes no rows any more; the rest goes on behind the answer.
async fn shutdown(State(desk): State<Arc<Desk>>, request: Request<Body>) -> Response {
    let node = match desk.door.node() {
        Ok(node) => node,
        Err(error) => return failed(&error),
    };
    let shutdown = match how_to_stop(request.uri().query().unwrap_or_default()) {
        Ok(shutdown) => shutdown,
        Err(text) => return plain(StatusCode::BAD_REQUEST, format!("{text}\n")),
    };
    if !node.begin_shutdown(shutdown) {
        let text = "Ingester is stopping or already stopped.\n".to_owned();
        return plain(StatusCode::SERVICE_UNAVAILABLE, text);
    }
    if shutdown.terminate {
        node.scope.ask_for_end();
    } else {
        let (node, frame) = (Arc::clone(node), desk.frame.clone());
        node.scope.clone().spawn("ingester-shutdown", async move {
            if shutdown.flush {
                node.scope.until_cancelled(flush_all(&node)).await;
            }
            leave(&frame, &node);
        });
    }
    done()
}

fn how_to_stop(query: &str) -> Result<Shutdown, String> {
    let form = Form::parse(&[], query).map_err(|error| error.to_string())?;
    let is_set = |name: &str, default: bool| match form.get(name) {
        "" => Ok(default),
        "true" | "1" | "t" | "T" | "TRUE" | "True" => Ok(true),
        "false" | "0" | "f" | "F" | "FALSE" | "False" => Ok(false),
        other => Err(format!("{name}: {other:?} is neither true nor false")),
    };
    Ok(Shutdown {
        flush: is_set("flush", true)?,
        forget_identity: is_set("delete_ring_tokens", false)?,
        terminate: is_set("terminate", true)?,
    })
}

async fn show_prepared(State(desk): State<Arc<Desk>>) -> Response {
    match desk.marker.with(is_set) {
        Ok(true) => plain(StatusCode::OK, "set".to_owned()),
        Ok(false) => plain(StatusCode::OK, "unset".to_owned()),
        Err(error) => failed(&error),
    }
}

async fn prepare(State(desk): State<Arc<Desk>>) -> Response {
    answer_marked(desk.marker.set())
}

async fn forget_prepared(State(desk): State<Arc<Desk>>) -> Response {
    answer_marked(desk.marker.unset())
}

fn answer_marked(marked: Result<(), CallError>) -> Response {
    marked.map_or_else(|error| failed(&error), |()| done())
}

/// Rows come from distributors and not from a queue with partitions. Loki without one answers like this, and
/// so does what asks for it before it takes an ingester away.
async fn no_partitions() -> Response {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::METHOD_NOT_ALLOWED;
    response
}

impl Marker {
    /// Whoever asked for a flush may take the disk away after the stop, so a mark that cannot be read is taken to be
    /// there.
    pub(crate) fn is_set(&self) -> bool {
        if self.dir.is_empty() {
            return false;
        }
        self.with(is_set).unwrap_or_else(|error| {
            error!(dir = self.dir, %error, "ingester.shutdown_marker_path cannot be read; a stop cuts all rows");
            true
        })
    }

    /// It was meant for the stop that has done what it asks for.
    pub(crate) fn clear(&self) {
        if !self.dir.is_empty()
            && let Err(error) = self.unset()
        {
            warn!(%error, "the mark for a flush on the next stop stays");
        }
    }

    fn set(&self) -> Result<(), CallError> {
        self.with(set)?;
        self.standing.mark(true);
        Ok(())
    }

    fn unset(&self) -> Result<(), CallError> {
        self.with(unset)?;
        self.standing.mark(false);
        Ok(())
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

#[cfg(test)]
mod tests {
    use larch_telemetry::Registry;
    use larch_testkit::sim::SimDir;

    use super::*;

    fn marker(dir: &str, open_dir: OpenDir) -> Marker {
        Marker { open_dir, dir: dir.to_owned(), standing: Standing::new(&Registry::default()) }
    }

    #[test]
    fn a_mark_that_cannot_be_read_is_taken_to_be_there() {
        let dir = Arc::new(SimDir::new(0));
        let there = Arc::clone(&dir);
        let readable = marker("marks", Arc::new(move |_| Ok(Arc::clone(&there) as Arc<dyn Dir>)));
        assert!(!readable.is_set());
        readable.with(set).unwrap();
        assert!(readable.is_set());
        readable.clear();
        assert!(!readable.is_set());
        let refuse: OpenDir = Arc::new(|_| Err(std::io::ErrorKind::PermissionDenied.into()));
        assert!(marker("marks", Arc::clone(&refuse)).is_set());
        assert!(!marker("", refuse).is_set(), "nobody can have left one");
    }
}
