//! The block `common`, and what other blocks take from it.

use larch_config::{Node, Origin, Tree};
use larch_ring::RingSettings;
use larch_store::CommonStorage;
use larch_types::{InvalidSetting, NamedFile, OldKey, Section, ensure};
use serde::{Deserialize, Serialize};

/// Settings that stand for the same ones in many blocks.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct CommonSettings {
    /// The directory below which everything is kept that has no directory of its own.
    pub path_prefix: String,
    /// Where segments and rules are kept.
    pub storage: CommonStorage,
    /// Keeps the tokens of the rings over a restart.
    pub persist_tokens: bool,
    /// On how many ingesters every line is.
    pub replication_factor: u32,
    /// The rings of all roles.
    pub ring: RingSettings,
    /// Network interfaces whose address others use to reach this process.
    pub instance_interface_names: Vec<String>,
    /// Address under which others reach this process; empty takes the first fitting one.
    pub instance_addr: String,
    /// HTTP address of the compactor.
    pub compactor_address: String,
    /// gRPC address of the compactor.
    pub compactor_grpc_address: String,
}

impl Default for CommonSettings {
    fn default() -> Self {
        Self {
            path_prefix: String::new(),
            storage: CommonStorage::default(),
            persist_tokens: false,
            replication_factor: 3,
            ring: RingSettings::default(),
            instance_interface_names: Vec::new(),
            instance_addr: String::new(),
            compactor_address: String::new(),
            compactor_grpc_address: String::new(),
        }
    }
}

const RINGS_BY_GOSSIP: &str = "rings are shared through memberlist";
const OWN_CLIENT: &str = "the client of the store decides that itself";

impl Section for CommonSettings {
    const OLD_KEYS: &'static [OldKey] = &[
        OldKey::moved("ring.replication_factor", "common.replication_factor"),
        OldKey::meaningless("ring.kvstore.prefix", RINGS_BY_GOSSIP),
        OldKey::meaningless("ring.kvstore.consul", RINGS_BY_GOSSIP),
        OldKey::meaningless("ring.kvstore.etcd", RINGS_BY_GOSSIP),
        OldKey::meaningless("ring.kvstore.multi", RINGS_BY_GOSSIP),
        OldKey::meaningless("instance_enable_ipv6", "the address decides"),
        OldKey::meaningless("storage.congestion_control", OWN_CLIENT),
        OldKey::meaningless("storage.s3.dynamodb", "there is no index in DynamoDB"),
        OldKey::meaningless("storage.s3.chunk_delimiter", "objects have names of their own"),
        OldKey::meaningless("storage.s3.disable_dualstack", OWN_CLIENT),
        OldKey::meaningless("storage.gcs.chunk_buffer_size", OWN_CLIENT),
        OldKey::meaningless("storage.gcs.enable_opencensus", "there are own metrics and traces"),
        OldKey::meaningless("storage.gcs.enable_http2", OWN_CLIENT),
        OldKey::meaningless("storage.azure.chunk_delimiter", "objects have names of their own"),
        OldKey::meaningless("storage.azure.download_buffer_size", OWN_CLIENT),
        OldKey::meaningless("storage.azure.upload_buffer_size", OWN_CLIENT),
        OldKey::meaningless("storage.azure.upload_buffer_count", OWN_CLIENT),
        OldKey::meaningless("storage.object_store.s3.list_objects_version", OWN_CLIENT),
        OldKey::meaningless("storage.object_store.s3.dualstack_enabled", OWN_CLIENT),
        OldKey::meaningless("storage.object_store.s3.native_aws_auth_enabled", OWN_CLIENT),
        OldKey::meaningless("storage.object_store.s3.send_content_md5", OWN_CLIENT),
        OldKey::meaningless("storage.object_store.s3.trace", OWN_CLIENT),
        OldKey::meaningless("storage.object_store.gcs.chunk_buffer_size", OWN_CLIENT),
        OldKey::meaningless("storage.object_store.azure.chunk_delimiter", "objects have names of their own"),
    ];

    fn check(&self) -> Result<(), InvalidSetting> {
        ensure(self.replication_factor > 0, "replication_factor", "must be above 0")?;
        // More copies than zones anywhere cost more than they save.
        ensure(self.replication_factor <= 9, "replication_factor", "must be at most 9")?;
        ensure(!self.persist_tokens || !self.path_prefix.is_empty(), "persist_tokens", "needs path_prefix")?;
        self.storage.check_at("storage.")?;
        self.ring.check_at("ring.")
    }

    fn files(&self) -> Vec<NamedFile> {
        self.storage.files_at("storage.")
    }
}

/// Directories below `path_prefix`.
const DIRECTORIES: [(&str, &str); 7] = [
    ("ingester.wal.dir", "wal"),
    ("ingester.shutdown_marker_path", ""),
    ("ruler.rule_path", "rules-temp"),
    ("ruler.wal.dir", "ruler-wal"),
    ("compactor.working_directory", "compactor"),
    ("storage_config.tsdb_shipper.cache_location", "tsdb-shipper-cache"),
    ("common.storage.filesystem.chunks_directory", "chunks"),
];

/// Any of these says where objects are kept; only without them they are kept below `path_prefix`.
const STORES: [&str; 6] = [
    "common.storage",
    "storage_config.object_store",
    "storage_config.filesystem",
    "storage_config.aws",
    "storage_config.gcs",
    "storage_config.azure",
];

/// The rings of the roles. All have a store and a heartbeat timeout.
const RINGS: [&str; 5] = [
    "ingester.lifecycler.ring",
    "distributor.ring",
    "ruler.ring",
    "compactor.compactor_ring",
    "index_gateway.ring",
];

/// Settings that stand in `common` once and with the roles under names of their own.
const SAME: [(&str, &str); 12] = [
    ("common.ring.zone_awareness_enabled", "ingester.lifecycler.ring.zone_awareness_enabled"),
    ("common.ring.zone_awareness_enabled", "compactor.compactor_ring.zone_awareness_enabled"),
    ("common.ring.zone_awareness_enabled", "index_gateway.ring.zone_awareness_enabled"),
    ("common.ring.heartbeat_period", "ingester.lifecycler.heartbeat_period"),
    ("common.ring.heartbeat_period", "distributor.ring.heartbeat_period"),
    ("common.ring.num_tokens", "ingester.lifecycler.num_tokens"),
    ("common.ring.instance_availability_zone", "ingester.lifecycler.availability_zone"),
    ("common.ring.instance_availability_zone", "index_gateway.ring.instance_availability_zone"),
    ("common.instance_addr", "ingester.lifecycler.address"),
    ("common.instance_addr", "common.ring.instance_addr"),
    ("common.instance_addr", "frontend.instance_addr"),
    ("common.instance_interface_names", "common.ring.instance_interface_names"),
];

/// Settings of one role that another must know, which may run in another process.
const ACROSS_ROLES: [(&str, &str); 3] = [
    ("querier.multi_tenant_queries_enabled", "frontend.multi_tenant_queries_enabled"),
    ("querier.per_request_limits_enabled", "frontend.per_request_limits_enabled"),
    ("pattern_ingester.enabled", "frontend.pattern_ingester_enabled"),
];

/// Sets what follows from `common`, and from other roles, and no source has set.
pub(crate) fn derive(tree: &mut Tree) {
    if let Some(prefix) = text(tree, "common.path_prefix") {
        derive_directories(tree, prefix.trim_end_matches('/'));
    }
    if let Some(factor) = text(tree, "common.replication_factor") {
        let from = "common.replication_factor";
        tree.derive("ingester.lifecycler.ring.replication_factor", &factor, from);
    }
    for ring in RINGS {
        for key in ["kvstore.store", "heartbeat_timeout"] {
            derive_from(tree, &format!("common.ring.{key}"), &format!("{ring}.{key}"));
        }
    }
    for (from, to) in SAME.into_iter().chain(ACROSS_ROLES) {
        derive_from(tree, from, to);
    }
}

fn derive_directories(tree: &mut Tree, prefix: &str) {
    let stores_elsewhere = STORES.iter().any(|path| tree.is_set(path));
    for (path, name) in DIRECTORIES {
        if path.starts_with("common.storage") && stores_elsewhere {
            continue;
        }
        let directory = if name.is_empty() { prefix.to_owned() } else { format!("{prefix}/{name}") };
        tree.derive(path, &directory, "common.path_prefix");
    }
    if text(tree, "common.persist_tokens").as_deref() == Some("true") {
        let tokens = format!("{prefix}/tokens");
        tree.derive("ingester.lifecycler.tokens_file_path", &tokens, "common.persist_tokens");
    }
}

fn text(tree: &Tree, path: &str) -> Option<String> {
    tree.get(path).and_then(Node::text).filter(|text| !text.is_empty()).map(str::to_owned)
}

fn derive_from(tree: &mut Tree, from: &str, to: &str) {
    let Some(node) = tree.get(from).filter(|node| !node.is_null()) else { return };
    let node = node.clone().with_origin(Origin::Derived(from.into()));
    tree.put_if_absent(to, node);
}

#[cfg(test)]
mod tests {
    use larch_config::{Environment, Input, Schema, parse_yaml};
    use larch_testkit::settings::{defaults, refusal};

    use super::*;

    #[test]
    fn defaults_are_those_of_loki() {
        let text = defaults::<CommonSettings>();
        for line in ["path_prefix: \"\"", "persist_tokens: false", "replication_factor: 3"] {
            assert!(text.lines().any(|found| found == line), "{line} is not in\n{text}");
        }
    }

    /// What a file comes to at a path, once it was derived.
    fn derived(file: &str, path: &str) -> Option<String> {
        let mut schema = Schema::default();
        for block in ["common", "querier", "frontend", "pattern_ingester"] {
            schema.foreign(block);
        }
        let environment = Environment::default();
        let file = Some(parse_yaml("larch.yaml", file).unwrap());
        let input = Input { file, environment: &environment, flags: &[], irregular_flags: &[] };
        let mut tree = Tree::merge(&schema, input).unwrap();
        derive(&mut tree);
        text(&tree, path)
    }

    #[test]
    fn roles_learn_what_others_allow() {
        let path = "frontend.multi_tenant_queries_enabled";
        let allowed = "querier: {multi_tenant_queries_enabled: true}\n";
        assert_eq!(derived(allowed, path).as_deref(), Some("true"));
        let own = format!("{allowed}frontend: {{multi_tenant_queries_enabled: false}}\n");
        assert_eq!(derived(&own, path).as_deref(), Some("false"));
        assert_eq!(derived("querier: {}\n", path), None);
        let patterns = "pattern_ingester: {enabled: true}\n";
        assert_eq!(derived(patterns, "frontend.pattern_ingester_enabled").as_deref(), Some("true"));
    }

    #[test]
    fn refuses_what_cannot_be_meant() {
        for (given, text) in [
            (r#"{"replication_factor": 0}"#, "replication_factor: must be above 0"),
            (r#"{"replication_factor": 10}"#, "replication_factor: must be at most 9"),
            (r#"{"persist_tokens": true}"#, "persist_tokens: needs path_prefix"),
        ] {
            assert_eq!(refusal::<CommonSettings>(given), text, "{given}");
        }
    }
}
