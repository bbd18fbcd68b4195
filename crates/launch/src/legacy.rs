//! Old ways of saying things that take more than moving a key.

use larch_config::{Node, Problem, Schema, Tree};

/// Maps what configurations of Loki 2.x say, each with one warning. What only moves is declared by the
/// sections themselves and applied here too.
pub(crate) fn map_old_settings(tree: &mut Tree, schema: &Schema) {
    map_table_manager(tree);
    for block in CACHES {
        map_fifocache(tree, block);
    }
    warn_of_old_index(tree);
    warn_of_settings_without_effect(tree);
    tree.apply_old_keys(schema);
}

/// Blocks that describe a cache.
const CACHES: [&str; 7] = [
    "query_range.results_cache.cache",
    "query_range.index_stats_results_cache.cache",
    "query_range.volume_results_cache.cache",
    "query_range.series_results_cache.cache",
    "query_range.label_results_cache.cache",
    "chunk_store_config.chunk_cache_config",
    "chunk_store_config.chunk_cache_config_l2",
];

/// Retention was the table manager's once; now the compactor applies it by a limit.
fn map_table_manager(tree: &mut Tree) {
    let Some(block) = tree.take("table_manager") else { return };
    let origin = block.origin().clone();
    let enabled = block.child("retention_deletes_enabled").and_then(Node::text) == Some("true");
    let period = block.child("retention_period").filter(|period| !period.is_null());
    let Some(period) = period.filter(|_| enabled) else {
        let text = "ignored: there are no tables to manage";
        return tree.warn(Problem::new(origin, "table_manager", text));
    };
    tree.put_if_absent("limits_config.retention_period", period.clone());
    tree.derive("compactor.retention_enabled", "true", "table_manager.retention_deletes_enabled");
    let text =
        "deprecated config key, read as limits_config.retention_period and compactor.retention_enabled";
    tree.warn(Problem::new(origin, "table_manager", text));
}

/// `enable_fifocache` and `fifocache` became `embedded_cache`.
fn map_fifocache(tree: &mut Tree, cache: &str) {
    let moves = [
        ("enable_fifocache", "enabled"),
        ("fifocache.max_size_items", "max_size_items"),
        ("fifocache.size", "max_size_items"),
        ("fifocache.ttl", "ttl"),
        ("fifocache.validity", "ttl"),
    ];
    for (old, new) in moves {
        let old = format!("{cache}.{old}");
        let Some(node) = tree.take(&old) else { continue };
        let origin = node.origin().clone();
        let target = format!("{cache}.embedded_cache.{new}");
        let text = if tree.put_if_absent(&target, node) {
            format!("deprecated config key, read as {target}")
        } else {
            format!("deprecated config key, ignored because {target} is set")
        };
        tree.warn(Problem::new(origin, old, text));
    }
    map_cache_bytes(tree, cache);
}

/// The old cache was told its size as text with a unit, the new one in megabytes.
fn map_cache_bytes(tree: &mut Tree, cache: &str) {
    let old = format!("{cache}.fifocache.max_size_bytes");
    let Some(node) = tree.take(&old) else { return };
    let (origin, target) = (node.origin().clone(), format!("{cache}.embedded_cache.max_size_mb"));
    let size = node.text().unwrap_or_default().parse::<larch_types::ByteSize>();
    let text = match size {
        Ok(size) => {
            let megabytes = size.as_u64().div_ceil(1 << 20).to_string();
            tree.put_if_absent(&target, Node::scalar(megabytes, origin.clone()));
            format!("deprecated config key, read as {target}")
        }
        Err(error) => format!("ignored: {error}"),
    };
    tree.warn(Problem::new(origin, old, text));
}

/// Every index of Loki is accepted, and none is written.
fn warn_of_old_index(tree: &mut Tree) {
    let Some(configs) = tree.get("schema_config.configs") else { return };
    let mut warnings = Vec::new();
    for (index, config) in configs.elements().iter().enumerate() {
        let Some(store) = config.child("store") else { continue };
        if store.text().is_some_and(|name| name != "tsdb") {
            let path = format!("schema_config.configs.{index}.store");
            let text = "means nothing here: Larch writes its own index and reads no index of Loki";
            warnings.push(Problem::new(store.origin().clone(), path, text));
        }
    }
    for warning in warnings {
        tree.warn(warning);
    }
}

/// A setting that is accepted and does nothing. Those of limits are told of once their values are read.
fn warn_of_settings_without_effect(tree: &mut Tree) {
    const PATH: &str = "pattern_ingester.volume_threshold";
    let Some(node) = tree.get(PATH) else { return };
    let text = "has no effect: all patterns are kept, however few rows they have";
    tree.warn(Problem::new(node.origin().clone(), PATH.to_owned(), text));
}

/// What a process without a configuration file assumes, and where that is written.
pub(crate) fn derive_without_file(tree: &mut Tree) {
    let from = "the absence of a configuration file";
    for (path, value) in [
        ("auth_enabled", "false"),
        ("server.http_listen_address", "127.0.0.1"),
        ("server.grpc_listen_address", "127.0.0.1"),
        ("common.path_prefix", "./larch-data"),
        ("common.replication_factor", "1"),
    ] {
        tree.derive(path, value, from);
    }
}

/// Defaults of Loki that make no sense in one process.
pub(crate) fn derive_for_all(tree: &mut Tree) {
    let joins = tree.get("memberlist.join_members").is_some_and(|members| !is_empty(members));
    if !joins {
        tree.derive("common.replication_factor", "1", "target all without memberlist.join_members");
    }
    tree.derive("compactor.delete_request_cancel_period", "0s", "target all");
}

fn is_empty(node: &Node) -> bool {
    node.is_null() || (node.elements().is_empty() && node.text().is_none_or(str::is_empty))
}
