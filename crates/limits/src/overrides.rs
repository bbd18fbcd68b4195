//! What the files of overrides say: limits and logging of single tenants, over those of all.
//!
//! Whoever reads the files brings each as a tree. Scalars may be typed or text, so that it does not
//! matter how much the reader of the text knew about types.

mod fuzz;
mod merge;
mod reading;

use std::collections::BTreeMap;
use std::sync::Arc;

use larch_types::{Fate, InvalidSetting, Section, TenantId};
use serde_json::{Map, Value as Json};

use crate::{LimitsSettings, OperationalSettings};
pub use fuzz::fuzz_overrides;
use merge::{merge_documents, over};
use reading::{Unread, read};

/// Limits and logging by tenant. A tenant without overrides has those of all.
#[derive(Debug, Clone, PartialEq)]
pub struct Overrides {
    limits: Arc<LimitsSettings>,
    operational: Arc<OperationalSettings>,
    tenant_limits: BTreeMap<TenantId, Arc<LimitsSettings>>,
    tenant_operational: BTreeMap<TenantId, Arc<OperationalSettings>>,
}

/// A part of the files that has no effect, by its dotted path, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ignored {
    pub path: String,
    pub reason: String,
}

impl Overrides {
    /// Nobody has overrides.
    pub fn none(limits: LimitsSettings, operational: OperationalSettings) -> Self {
        Self {
            limits: Arc::new(limits),
            operational: Arc::new(operational),
            tenant_limits: BTreeMap::new(),
            tenant_operational: BTreeMap::new(),
        }
    }

    /// Reads documents, each over the one before. Names that are no limits are stepped over and given
    /// back; anything else that is wrong, even with one tenant, refuses all, named by its dotted path.
    pub fn read(
        limits: LimitsSettings,
        operational: OperationalSettings,
        documents: &[Json],
    ) -> Result<(Self, Vec<Ignored>), InvalidSetting> {
        let mut overrides = Self::none(limits, operational);
        let mut ignored = Vec::new();
        for (name, content) in merge_documents(documents)? {
            match name.as_str() {
                "overrides" => overrides.read_limits(&content, &mut ignored)?,
                "configs" => overrides.read_operational(&content, &mut ignored)?,
                "multi_kv_config" => {
                    let reason = "the members of a ring are shared through memberlist".to_owned();
                    ignored.push(Ignored { path: name, reason });
                }
                _ => {
                    let reason =
                        "unknown key; there can be overrides, configs and multi_kv_config".to_owned();
                    return Err(InvalidSetting { key: name, reason });
                }
            }
        }
        Ok((overrides, ignored))
    }

    pub fn limits(&self, tenant: &TenantId) -> &Arc<LimitsSettings> {
        self.tenant_limits.get(tenant).unwrap_or(&self.limits)
    }

    pub fn operational(&self, tenant: &TenantId) -> &Arc<OperationalSettings> {
        self.tenant_operational.get(tenant).unwrap_or(&self.operational)
    }

    /// The limits of a tenant without overrides.
    pub fn default_limits(&self) -> &Arc<LimitsSettings> {
        &self.limits
    }

    /// The tenants whose limits are overridden.
    pub fn tenants(&self) -> impl Iterator<Item = (&TenantId, &Arc<LimitsSettings>)> {
        self.tenant_limits.iter()
    }

    fn read_limits(&mut self, content: &Json, ignored: &mut Vec<Ignored>) -> Result<(), InvalidSetting> {
        let base = Base::of(&*self.limits, &SECRET_LIMITS);
        for Given { tenant, path, given } in tenants_of("overrides", content, ignored)? {
            let mut limits: LimitsSettings = base.with(given, &path, ignored)?;
            let own = |name: &str| given.get(name).is_some_and(|value| !value.is_null());
            if !own("ruler_alertmanager_config") {
                limits.ruler_alertmanager_config = self.limits.ruler_alertmanager_config.clone();
            }
            if !own("ruler_remote_write_config") {
                limits.ruler_remote_write_config = self.limits.ruler_remote_write_config.clone();
            }
            check_at(&limits, &path)?;
            self.tenant_limits.insert(tenant, Arc::new(limits));
        }
        Ok(())
    }

    fn read_operational(&mut self, content: &Json, ignored: &mut Vec<Ignored>) -> Result<(), InvalidSetting> {
        let base = Base::of(&*self.operational, &[]);
        for Given { tenant, path, given } in tenants_of("configs", content, ignored)? {
            let operational: OperationalSettings = base.with(given, &path, ignored)?;
            check_at(&operational, &path)?;
            self.tenant_operational.insert(tenant, Arc::new(operational));
        }
        Ok(())
    }
}

/// Limits that hold secrets. These do not survive being printed, so that a tenant's own stand alone
/// instead of over those of all, and a tenant without any gets a copy.
const SECRET_LIMITS: [&str; 2] = ["ruler_alertmanager_config", "ruler_remote_write_config"];

/// Settings that tenants start from, as trees.
struct Base {
    settings: Json,
    /// The defaults of the type, which tell blocks of settings from mappings with keys of the user's
    /// choice.
    shape: Json,
}

impl Base {
    fn of<S: Section>(settings: &S, secret: &[&str]) -> Self {
        let mut base = Self { settings: tree(settings), shape: tree(&S::default()) };
        for name in secret {
            if let Some(place) = base.settings.get_mut(*name) {
                *place = base.shape[*name].clone();
            }
        }
        base
    }

    fn with<S: Section>(
        &self,
        given: &Map<String, Json>,
        path: &str,
        ignored: &mut Vec<Ignored>,
    ) -> Result<S, InvalidSetting> {
        let mut given = Json::Object(given.clone());
        for old in S::OLD_KEYS {
            if take(&mut given, old.path) {
                let reason = match old.fate {
                    Fate::Meaningless(why) => why.to_owned(),
                    Fate::MovedTo(target) => format!("set {target} for all tenants"),
                };
                ignored.push(Ignored { path: format!("{path}.{}", old.path), reason });
            }
        }
        let mut merged = self.settings.clone();
        over(&mut merged, &given, &self.shape);
        match read::<S>(&merged, path) {
            Ok((settings, unknown)) => {
                for path in unknown {
                    ignored.push(Ignored { path, reason: "unknown limit".to_owned() });
                }
                Ok(settings)
            }
            Err(Unread { path, reason }) => Err(InvalidSetting { key: path, reason }),
        }
    }
}

/// Sections always serialize: their keys are text.
fn tree<S: Section>(section: &S) -> Json {
    serde_json::to_value(section).unwrap_or_default()
}

/// Takes out what is at a dotted path, and tells whether something was there.
fn take(tree: &mut Json, path: &str) -> bool {
    let (block, name) = path.rsplit_once('.').unwrap_or(("", path));
    let mut place = Some(tree);
    for key in block.split('.').filter(|key| !key.is_empty()) {
        place = place.and_then(|tree| tree.get_mut(key));
    }
    place.and_then(Json::as_object_mut).is_some_and(|fields| fields.shift_remove(name).is_some())
}

fn check_at<S: Section>(settings: &S, path: &str) -> Result<(), InvalidSetting> {
    settings
        .check()
        .map_err(|invalid| InvalidSetting { key: format!("{path}.{}", invalid.key), reason: invalid.reason })
}

/// What a document sets for a tenant, and where.
struct Given<'a> {
    tenant: TenantId,
    path: String,
    given: &'a Map<String, Json>,
}

fn tenants_of<'a>(
    block: &str,
    content: &'a Json,
    ignored: &mut Vec<Ignored>,
) -> Result<Vec<Given<'a>>, InvalidSetting> {
    let invalid = |key: String, reason: &str| Err(InvalidSetting { key, reason: reason.to_owned() });
    let tenants = match content {
        Json::Null => return Ok(Vec::new()),
        Json::Object(tenants) => tenants,
        _ => return invalid(block.to_owned(), "expected a mapping of tenants"),
    };
    let mut found = Vec::new();
    for (name, given) in tenants {
        let path = format!("{block}.{name}");
        // What stands behind a colon in a request's header is dropped, so that no request means it.
        let Some(tenant) = name.parse::<TenantId>().ok().filter(|tenant| tenant.as_str() == name) else {
            let reason = "no request can come from a tenant of this name".to_owned();
            ignored.push(Ignored { path, reason });
            continue;
        };
        match given {
            Json::Null => {}
            Json::Object(given) => found.push(Given { tenant, path, given }),
            _ => return invalid(path, "expected a mapping of limits"),
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests;
