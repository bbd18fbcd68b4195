//! The text of overrides files: limits and logging of single tenants, over those of all.

use larch_config::{Node, Problem, Problems, overlay, overlay_levels, parse_yaml, read_node};
use larch_limits::{IDLE_LIMITS, IDLE_SWITCHES, LimitsSettings, OperationalSettings, Overrides};
use larch_types::{Section, TenantId};
use serde::Serialize;
use serde_json::Value as Json;

use crate::idle::given_without_effect;

/// What tenants' overrides lie over: the limits of all, as read and as written.
#[derive(Debug, Clone)]
pub(crate) struct Base {
    pub(crate) limits: LimitsSettings,
    pub(crate) operational: OperationalSettings,
    /// `limits_config` as the sources have it. Secrets survive in it, which they do not in print.
    pub(crate) limits_node: Node,
    pub(crate) operational_node: Node,
}

/// What the files say, and what in them has no effect.
#[derive(Debug)]
pub(crate) struct Document {
    pub(crate) overrides: Overrides,
    pub(crate) ignored: Vec<Problem>,
    /// What tenants have set that changes nothing.
    pub(crate) idle: Vec<Problem>,
}

/// Reads files by name and text, each over the one before. One invalid tenant refuses all: half a file
/// is not what anybody meant.
pub(crate) fn read_documents(base: &Base, files: &[(String, String)]) -> Result<Document, Problems> {
    let overrides = Overrides::none(base.limits.clone(), base.operational.clone());
    let mut document = Document { overrides, ignored: Vec::new(), idle: Vec::new() };
    let limits_shape = shape::<LimitsSettings>();
    let operational_shape = shape::<OperationalSettings>();
    let merged = merged_files(files)?;
    for entry in merged.iter().flat_map(Node::entries) {
        match entry {
            ("overrides", tenants) => {
                for (tenant, node) in tenants_of("overrides", tenants, &mut document.ignored)? {
                    let under = (&base.limits_node, &limits_shape);
                    let limits = read_tenant("overrides", &tenant, node, under, &mut document.ignored)?;
                    let path = format!("overrides.{tenant}");
                    document.idle.extend(given_without_effect(&path, node, &limits, &IDLE_LIMITS));
                    document.overrides.set_limits(tenant, limits);
                }
            }
            ("configs", tenants) => {
                for (tenant, node) in tenants_of("configs", tenants, &mut document.ignored)? {
                    let under = (&base.operational_node, &operational_shape);
                    let operational: OperationalSettings =
                        read_tenant("configs", &tenant, node, under, &mut document.ignored)?;
                    let path = format!("configs.{tenant}");
                    document.idle.extend(given_without_effect(&path, node, &operational, &IDLE_SWITCHES));
                    document.overrides.set_operational(tenant, operational);
                }
            }
            ("multi_kv_config", node) => {
                let text = "ignored: the members of a ring are shared through memberlist";
                document.ignored.push(Problem::new(node.origin().clone(), "multi_kv_config", text));
            }
            (name, node) => {
                let text = "unknown key; there can be overrides, configs and multi_kv_config";
                return Err(Problem::new(node.origin().clone(), name, text).into());
            }
        }
    }
    Ok(document)
}

/// Blocks, tenants and limits are merged by name; what a limit holds is replaced.
const LEVELS: usize = 3;

/// The files as one tree: of a limit that several of them set, the last one's value holds.
fn merged_files(files: &[(String, String)]) -> Result<Option<Node>, Problems> {
    let mut merged: Option<Node> = None;
    for (name, text) in files {
        let node = parse_yaml(name, text)?;
        expect_mapping(&node, "", "a mapping with the keys overrides and configs")?;
        merged = Some(match merged {
            Some(below) => overlay_levels(&below, &node, LEVELS),
            None => node,
        });
    }
    Ok(merged)
}

/// Sections always serialize: their keys are text.
fn shape<S: Section + Serialize>() -> Json {
    serde_json::to_value(S::default()).unwrap_or_default()
}

/// The tenants of a block. Those that no request can name are left out with a warning.
fn tenants_of<'n>(
    block: &str,
    tenants: &'n Node,
    ignored: &mut Vec<Problem>,
) -> Result<Vec<(TenantId, &'n Node)>, Problems> {
    expect_mapping(tenants, block, "a mapping of tenants")?;
    let mut found = Vec::new();
    for (name, node) in tenants.entries().filter(|(_, node)| !node.is_null()) {
        // What stands behind a colon in a request's header is dropped, so that no request means it.
        match name.parse::<TenantId>() {
            Ok(tenant) if tenant.as_str() == name => found.push((tenant, node)),
            _ => {
                let text = "ignored: no request can come from a tenant of this name";
                ignored.push(Problem::new(node.origin().clone(), format!("{block}.{name}"), text));
            }
        }
    }
    Ok(found)
}

fn expect_mapping(node: &Node, path: &str, expected: &str) -> Result<(), Problem> {
    if node.is_mapping() || node.is_null() {
        return Ok(());
    }
    let text = format!("expected {expected}, found {}", node.describe());
    Err(Problem::new(node.origin().clone(), path, text))
}

fn read_tenant<S: Section>(
    block: &str,
    tenant: &TenantId,
    given: &Node,
    (base, shape): (&Node, &Json),
    ignored: &mut Vec<Problem>,
) -> Result<S, Problems> {
    let path = format!("{block}.{tenant}");
    let mut given = given.clone();
    for old in S::OLD_KEYS {
        if let Some(node) = given.take_below(old.path) {
            let text = "ignored: has no meaning for a single tenant";
            ignored.push(Problem::new(node.origin().clone(), format!("{path}.{}", old.path), text));
        }
    }
    let (settings, unknown) = read_node::<S>(&overlay(base, &given, shape), &path)?;
    for problem in unknown {
        let text = format!("ignored: {}", problem.text);
        ignored.push(Problem { text, ..problem });
    }
    match settings.check() {
        Ok(()) => Ok(settings),
        Err(invalid) => {
            let origin = given.child(&invalid.key).unwrap_or(&given).origin().clone();
            Err(Problem::new(origin, format!("{path}.{}", invalid.key), invalid.reason).into())
        }
    }
}
