//! What the node holds, looked at when it is asked for.

use std::sync::Arc;

use larch_telemetry::{Registry, Sample, Spec};

use crate::node::Node;
use crate::service::Door;
use crate::streams::StreamCounts;
use crate::tenant::Tenant;

/// Declares all of it. There is nothing to see before the log has been read back.
pub(crate) fn show_node(registry: &Registry, door: &Arc<Door>) {
    show_holdings(registry, door);
    show_streams(registry, door);
    show_waiting(registry, door);
    show_set_aside(registry, door);
}

type Look<const N: usize> = fn(&Node) -> Vec<Sample<N>>;

fn looked_at<const N: usize>(
    door: &Arc<Door>,
    look: Look<N>,
) -> impl Fn() -> Vec<Sample<N>> + Send + Sync + 'static {
    let door = Arc::downgrade(door);
    move || match door.upgrade() {
        Some(door) => door.node().map(|node| look(node)).unwrap_or_default(),
        None => Vec::new(),
    }
}

fn gauge(registry: &Registry, door: &Arc<Door>, name: &'static str, help: &'static str, look: Look<0>) {
    registry.gauge_fn(Spec { name, help, labels: [] }, looked_at(door, look));
}

fn show_holdings(registry: &Registry, door: &Arc<Door>) {
    gauge(
        registry,
        door,
        "larch_ingester_memory_bytes",
        "What rows in memory take, with their tables.",
        |node| vec![([], node.held_bytes() as f64)],
    );
    gauge(
        registry,
        door,
        "loki_ingester_memory_chunks",
        "Streams that have rows in memory: each is one open chunk, as Loki counts.",
        |node| {
            let streams = sum(node, |tenant| tenant.shelf.holdings().streams as f64);
            vec![([], streams)]
        },
    );
}

fn show_streams(registry: &Registry, door: &Arc<Door>) {
    let by_tenant = |name, help| Spec { name, help, labels: ["tenant"] };
    let streams = by_tenant("loki_ingester_memory_streams", "Streams that were pushed to a while ago.");
    registry.gauge_fn(streams, looked_at(door, |node| of_tenants(node, |counts| counts.active as f64)));
    let created = by_tenant(
        "loki_ingester_streams_created_total",
        "Streams that were pushed to for the first time, or for the first time in a while.",
    );
    registry.counter_fn(created, looked_at(door, |node| of_tenants(node, |counts| counts.created as f64)));
    let removed =
        by_tenant("loki_ingester_streams_removed_total", "Streams that were not pushed to for a while.");
    registry.counter_fn(removed, looked_at(door, |node| of_tenants(node, |counts| counts.removed as f64)));
    gauge(
        registry,
        door,
        "loki_ingester_memory_streams_labels_bytes",
        "Bytes of the labels of these streams.",
        |node| vec![([], sum(node, |tenant| tenant.streams.counts().label_bytes as f64))],
    );
}

/// What is not in the store yet.
fn show_waiting(registry: &Registry, door: &Arc<Door>) {
    gauge(
        registry,
        door,
        "loki_ingester_flush_queue_length",
        "Segment files that wait for their upload.",
        |node| vec![([], sum(node, |tenant| tenant.shelf.holdings().files as f64))],
    );
    let bytes = Spec {
        name: "larch_ingester_segment_file_bytes",
        help: "Bytes of segment files beside the log: those that wait for their upload, and those that are uploaded.",
        labels: ["state"],
    };
    registry.gauge_fn(
        bytes,
        looked_at(door, |node| {
            let (waiting, uploaded) = (node.disk.waiting() as f64, node.disk.uploaded() as f64);
            vec![(["waiting".to_owned()], waiting), (["uploaded".to_owned()], uploaded)]
        }),
    );
    gauge(
        registry,
        door,
        "larch_ingester_oldest_waiting_seconds",
        "For how long the oldest segment file has waited for its upload; 0 if none waits.",
        |node| {
            let files = node.tenants.all().into_iter().flat_map(|tenant| tenant.shelf.files());
            let oldest = files.map(|file| file.since).min();
            let age = oldest.map(|since| node.env.clock.monotonic().since(since)).unwrap_or_default();
            vec![([], age.as_secs_f64())]
        },
    );
}

/// Tenants whose rows cannot be cut: somebody has to look why.
fn show_set_aside(registry: &Registry, door: &Arc<Door>) {
    gauge(
        registry,
        door,
        "larch_ingester_set_aside_tenants",
        "Tenants whose rows cannot be cut and are set aside in files; they take no more rows.",
        |node| {
            let aside = node.tenants.all().iter().filter(|tenant| tenant.shelf.holdings().aside > 0).count();
            vec![([], aside as f64)]
        },
    );
    gauge(
        registry,
        door,
        "larch_ingester_set_aside_bytes",
        "Bytes of files of rows that cannot be cut.",
        |node| vec![([], node.aside.used() as f64)],
    );
}

fn sum(node: &Node, number: fn(&Tenant) -> f64) -> f64 {
    node.tenants.all().iter().map(|tenant| number(tenant)).sum()
}

fn of_tenants(node: &Node, number: fn(StreamCounts) -> f64) -> Vec<Sample<1>> {
    let sample = |tenant: &Arc<Tenant>| ([tenant.id.as_str().to_owned()], number(tenant.streams.counts()));
    node.tenants.all().iter().map(sample).collect()
}
