//! Metrics that every Larch process has, under the names that dashboards of Loki read.

use super::counter::Counter;
use super::family::Family;
use super::registry::Registry;
use super::spec::Spec;

/// What was built. Constants of the binary, so they come from its build.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BuildInfo {
    pub version: &'static str,
    pub revision: &'static str,
    pub branch: &'static str,
    /// Shown as `goversion`, which is what dashboards call it.
    pub compiler: &'static str,
}

pub fn register_build_info(registry: &Registry, build: BuildInfo) {
    let spec = Spec {
        name: "loki_build_info",
        help: "What was built, as labels of the constant 1.",
        labels: ["version", "revision", "branch", "goversion"],
    };
    let BuildInfo { version, revision, branch, compiler } = build;
    registry.gauge(spec).with([version, revision, branch, compiler]).set(1);
}

/// Panics that ended one request or one job.
pub fn panics(registry: &Registry) -> Counter {
    let spec = Spec { name: "loki_panic_total", help: "Panics that were caught.", labels: [] };
    registry.counter(spec).with([])
}

/// Log lines by level.
pub(crate) fn internal_log_messages(registry: &Registry) -> Family<Counter, 1> {
    registry.counter(Spec {
        name: "loki_internal_log_messages_total",
        help: "Log lines of this process by level.",
        labels: ["level"],
    })
}

/// Log lines that were lost.
pub(crate) fn dropped_log_lines(registry: &Registry) -> Counter {
    let spec = Spec {
        name: "larch_log_lines_dropped_total",
        help: "Log lines that were not written because standard error was not read.",
        labels: [],
    };
    registry.counter(spec).with([])
}

/// Names of the Go runtime that dashboards of Loki read, filled with what is nearest to them: live tasks
/// and bytes handed out by the allocator.
pub fn register_go_aliases(
    registry: &Registry,
    alive_tasks: impl Fn() -> u64 + Send + Sync + 'static,
    heap_bytes: impl Fn() -> u64 + Send + Sync + 'static,
) {
    let tasks = Spec { name: "go_goroutines", help: "Asynchronous tasks that are alive.", labels: [] };
    registry.gauge_fn(tasks, move || vec![([], alive_tasks() as f64)]);
    let heap = Spec {
        name: "go_memstats_heap_inuse_bytes",
        help: "Bytes of memory that the allocator has handed out.",
        labels: [],
    };
    registry.gauge_fn(heap, move || vec![([], heap_bytes() as f64)]);
}
