//! The settings that every process reads, and how they are found.

use std::io;
use std::path::Path;

use larch_config::{
    Arguments, Effective, Environment, Input, Node, Origin, Problem, Problems, Reader, Schema, Tree,
    expand_environment, parse_yaml,
};
use larch_limits::{IDLE_LIMITS, IDLE_SWITCHES, LimitsSettings, OperationalSettings, RuntimeConfigSettings};
use larch_membership::MemberlistSettings;
use larch_rpc::IngesterClientSettings;
use larch_runtime::ServerSettings;
use larch_store::{ChunkStoreSettings, IDLE_CHUNK_STORE, IDLE_STORAGE, SchemaSettings, StorageSettings};
use larch_telemetry::TracingSettings;

use crate::blocks::Blocks;
use crate::common::{CommonSettings, derive};
use crate::idle::given_without_effect;
use crate::legacy::{derive_for_all, derive_without_file, map_old_settings};
use crate::loki_flags::LOKI_FLAGS;
use crate::role::Role;
use crate::top::TopSettings;

/// What all roles share.
#[derive(Debug, Clone)]
pub struct SharedSettings {
    pub top: TopSettings,
    pub server: ServerSettings,
    pub common: CommonSettings,
    pub memberlist: MemberlistSettings,
    pub tracing: TracingSettings,
    pub limits: LimitsSettings,
    pub operational: OperationalSettings,
    pub runtime_config: RuntimeConfigSettings,
    pub schema: SchemaSettings,
    pub storage: StorageSettings,
    pub chunk_store: ChunkStoreSettings,
    pub ingester_client: IngesterClientSettings,
    /// Whether a gRPC port is opened: not by the one-process binary that was given nothing to read.
    pub serves_grpc: bool,
    /// Whether all roles run in this process.
    pub runs_all: bool,
}

/// Blocks that belong to single roles. A process of one role meets the others' in a shared file.
const ROLE_BLOCKS: [&str; 12] = [
    "compactor",
    "distributor",
    "frontend",
    "frontend_worker",
    "index_gateway",
    "ingester",
    "pattern_ingester",
    "querier",
    "query_range",
    "query_scheduler",
    "ruler",
    "ruler_storage",
];

/// Everything that loading brings.
pub(crate) struct Loaded {
    pub(crate) shared: SharedSettings,
    pub(crate) effective: Effective,
    /// `limits_config` as written, for tenants' overrides to lie over.
    pub(crate) limits_node: Node,
    /// `operational_config` likewise.
    pub(crate) operational_node: Node,
    /// Stores of the clouds find credentials there.
    pub(crate) environment: Environment,
    pub(crate) warnings: Vec<Problem>,
}

impl SharedSettings {
    fn configure(blocks: &mut Blocks<'_, '_>) -> Self {
        Self {
            top: blocks.section(""),
            server: blocks.section("server"),
            common: blocks.section("common"),
            memberlist: blocks.section("memberlist"),
            tracing: blocks.section("tracing"),
            limits: blocks.section("limits_config"),
            operational: blocks.section("operational_config"),
            runtime_config: blocks.section("runtime_config"),
            schema: blocks.section("schema_config"),
            storage: blocks.section("storage_config"),
            chunk_store: blocks.section("chunk_store_config"),
            ingester_client: blocks.section("ingester_client"),
            serves_grpc: true,
            runs_all: false,
        }
    }
}

/// The keys that a program with these roles knows.
pub(crate) fn schema(roles: &mut [Box<dyn Role>]) -> Schema {
    let mut schema = Schema::default();
    let mut blocks = Blocks::declaring(&mut schema);
    SharedSettings::configure(&mut blocks);
    for role in roles {
        role.configure(&mut blocks);
    }
    for block in ROLE_BLOCKS {
        schema.foreign(block);
    }
    schema
}

/// Reads all sources and all sections.
pub(crate) fn load(
    schema: &Schema,
    arguments: &Arguments,
    environment: &Environment,
    roles: &mut [Box<dyn Role>],
) -> Result<Loaded, Problems> {
    let file = read_file(arguments, environment)?;
    let has_file = file.is_some();
    let input = Input { file, environment, flags: &arguments.settings, irregular_flags: LOKI_FLAGS };
    let mut tree = Tree::merge(schema, input)?;
    map_old_settings(&mut tree, schema);
    let runs_all =
        roles.len() > 1 && tree.get("target").and_then(Node::text).is_none_or(|target| target == "all");
    if !has_file {
        derive_without_file(&mut tree);
    }
    if runs_all {
        derive_for_all(&mut tree);
    }
    let block =
        |tree: &Tree, name: &str| tree.get(name).cloned().unwrap_or_else(|| Node::empty_map(Origin::Default));
    // Before directories are put below a prefix that somebody has set.
    let (storage_node, chunk_store_node) =
        (block(&tree, "storage_config"), block(&tree, "chunk_store_config"));
    derive(&mut tree);
    let serves_grpc = has_file || !runs_all || tree.get("server.grpc_listen_port").is_some();
    let (limits_node, operational_node) = (block(&tree, "limits_config"), block(&tree, "operational_config"));

    let mut reader = Reader::new(schema, &tree);
    let mut blocks = Blocks::reading(&mut reader);
    let shared = SharedSettings { serves_grpc, runs_all, ..SharedSettings::configure(&mut blocks) };
    for role in roles {
        role.configure(&mut blocks);
    }
    let effective = reader.finish()?;
    let (environment, mut warnings) = (environment.clone(), tree.warnings().to_vec());
    warnings.extend(given_without_effect("limits_config", &limits_node, &shared.limits, &IDLE_LIMITS));
    let switches = (&operational_node, &shared.operational);
    warnings.extend(given_without_effect("operational_config", switches.0, switches.1, &IDLE_SWITCHES));
    let stored = (&shared.storage, &shared.chunk_store);
    warnings.extend(given_without_effect("storage_config", &storage_node, stored.0, &IDLE_STORAGE));
    let path = "chunk_store_config";
    warnings.extend(given_without_effect(path, &chunk_store_node, stored.1, &IDLE_CHUNK_STORE));
    Ok(Loaded { shared, effective, limits_node, operational_node, environment, warnings })
}

/// The first of the files in `-config.file` that exists.
fn read_file(arguments: &Arguments, environment: &Environment) -> Result<Option<Node>, Problems> {
    let Some(list) = arguments.value("config.file").filter(|list| !list.is_empty()) else { return Ok(None) };
    for name in list.split(',') {
        let text = match std::fs::read_to_string(Path::new(name)) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            Err(error) => {
                return Err(Problem::new(
                    Origin::WholeFile(name.into()),
                    "",
                    format!("cannot read: {error}"),
                )
                .into());
            }
        };
        let text = if arguments.switch("config.expand-env") {
            expand_environment(name, &text, environment)?
        } else {
            text
        };
        return Ok(Some(parse_yaml(name, &text)?));
    }
    let origin = Origin::Flag("config.file".into());
    Err(Problem::new(origin, "", format!("no such file: {list}")).into())
}
