//! What a tenant's rules make of the labels of a pushed stream: names put right, labels renamed, and labels
//! kept out that are denied by name or have too many values.
//!
//! Values are counted on each distributor by itself, so the bound is one of the distributor.

use std::collections::{HashMap, HashSet};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use larch_limits::{DeniedAction, LabelRules};
use larch_logql::normalized_name;
use larch_telemetry::{Counter, Family};
use larch_types::{Monotonic, TenantId};
use xxhash_rust::xxh3::xxh3_64;

use crate::labels::SERVICE_NAME;

/// The rules of one tenant at one moment.
#[derive(Clone, Copy)]
pub(crate) struct LabelFixes<'f> {
    pub(crate) tenant: &'f TenantId,
    pub(crate) rules: &'f LabelRules,
    pub(crate) values: &'f LabelValues,
    pub(crate) now: Monotonic,
}

/// Labels that a stream does not have.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Denied {
    /// What becomes metadata of its rows.
    pub(crate) moved: Vec<(String, String)>,
    /// The label for which the stream is refused.
    pub(crate) refused: Option<String>,
}

impl LabelFixes<'_> {
    /// Changes names. A label that had its new name all along stays, and the one that was to get it goes.
    pub(crate) fn rename(&self, pairs: &mut Vec<(String, String)>) {
        let rules = self.rules;
        if !rules.normalize_names && !rules.lowercase_names && rules.rename.is_empty() {
            return;
        }
        let mut kept: Vec<(String, String)> = Vec::with_capacity(pairs.len());
        let mut renamed = Vec::new();
        for (name, value) in pairs.drain(..) {
            let new = self.new_name(&name);
            if new == name { kept.push((name, value)) } else { renamed.push((new, value)) }
        }
        for (name, value) in renamed {
            if !kept.iter().any(|(known, _)| *known == name) {
                kept.push((name, value));
            }
        }
        *pairs = kept;
    }

    fn new_name(&self, name: &str) -> String {
        let rules = self.rules;
        let mut new = name.to_owned();
        if rules.normalize_names && !is_name(name) {
            // A name of nothing but other characters stays, and is refused as it always was.
            new = normalized_name(name).map_or(new, Into::into);
        }
        if rules.lowercase_names {
            new.make_ascii_lowercase();
        }
        rules.rename.get(&new).cloned().unwrap_or(new)
    }

    /// Takes denied labels out.
    pub(crate) fn deny(&self, pairs: &mut Vec<(String, String)>) -> Denied {
        let mut denied = Denied::default();
        pairs.retain_mut(|(name, value)| {
            if value.is_empty() || !self.is_denied(name, value) {
                return true;
            }
            self.values.denials.with([self.tenant.as_str()]).inc();
            match self.rules.denied_action {
                DeniedAction::StructuredMetadata => {
                    denied.moved.push((std::mem::take(name), std::mem::take(value)));
                }
                DeniedAction::Drop => {}
                // The text that names the stream still has the label.
                DeniedAction::Refuse => {
                    denied.refused.get_or_insert_with(|| name.clone());
                    return true;
                }
            }
            false
        });
        denied
    }

    fn is_denied(&self, name: &str, value: &str) -> bool {
        // Labels between double underscores are Larch's own, and without a service nobody finds a stream.
        if name == SERVICE_NAME || name.starts_with("__") {
            return false;
        }
        if self.rules.denied.iter().any(|denied| denied == name) {
            return true;
        }
        let most = self.rules.most_values(name);
        most > 0 && self.values.exceeds(self, name, value, most as usize)
    }
}

fn is_name(name: &str) -> bool {
    let is_word = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    !name.is_empty() && name.bytes().all(is_word) && !name.as_bytes()[0].is_ascii_digit()
}

/// The values that labels have had, of all tenants that bound them.
pub(crate) struct LabelValues {
    tenants: Mutex<HashMap<TenantId, Window>>,
    denials: Family<Counter, 1>,
}

#[derive(Debug)]
struct Window {
    began: Monotonic,
    by_name: HashMap<Box<str>, Values>,
}

#[derive(Debug)]
enum Values {
    /// Hashes of them.
    Few(HashSet<u64>),
    TooMany,
}

/// Tenants and labels beyond these are not bounded until windows end; both are far more than there should
/// be.
const MAX_TENANTS: usize = 10_000;
const MAX_NAMES: usize = 1_000;

impl LabelValues {
    /// `denials` counts labels that were taken out, by tenant.
    pub(crate) fn new(denials: Family<Counter, 1>) -> Self {
        Self { tenants: Mutex::default(), denials }
    }

    /// Whether the label has more values than it may have, this one included.
    fn exceeds(&self, fixes: &LabelFixes<'_>, name: &str, value: &str, most: usize) -> bool {
        let LabelFixes { tenant, rules, now, .. } = *fixes;
        let length = rules.values_window.to_std();
        let mut tenants = self.tenants.lock().unwrap_or_else(PoisonError::into_inner);
        if tenants.len() >= MAX_TENANTS && !tenants.contains_key(tenant) {
            tenants.retain(|_, window| now.since(window.began) < Duration::from_hours(1));
            if tenants.len() >= MAX_TENANTS {
                return false;
            }
        }
        let new = || Window { began: now, by_name: HashMap::new() };
        let window = tenants.entry(tenant.clone()).or_insert_with(new);
        if now.since(window.began) >= length {
            *window = new();
        }
        if !window.by_name.contains_key(name) {
            if window.by_name.len() >= MAX_NAMES {
                return false;
            }
            window.by_name.insert(name.into(), Values::Few(HashSet::new()));
        }
        let Some(values) = window.by_name.get_mut(name) else { return false };
        let Values::Few(few) = values else { return true };
        few.insert(xxh3_64(value.as_bytes()));
        let exceeded = few.len() > most;
        if exceeded {
            *values = Values::TooMany;
        }
        exceeded
    }
}

#[cfg(test)]
mod tests {
    use larch_telemetry::{Registry, Spec};
    use larch_types::Span;

    use super::*;

    fn values() -> LabelValues {
        let spec = Spec { name: "denials_total", help: "Labels taken out.", labels: ["tenant"] };
        LabelValues::new(Registry::default().counter(spec))
    }

    fn pairs(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    #[track_caller]
    fn check_names(rules: &LabelRules, before: &[(&str, &str)], after: &[(&str, &str)]) {
        let tenant: TenantId = "t".parse().unwrap();
        let fixes = LabelFixes {
            tenant: &tenant,
            rules,
            values: &values(),
            now: Monotonic::from_start(Duration::ZERO),
        };
        let mut labels = pairs(before);
        fixes.rename(&mut labels);
        assert_eq!(labels, pairs(after));
    }

    #[test]
    fn names_are_put_right() {
        let before = [("app.kubernetes.io/name", "n"), ("Env", "p"), ("..", "x"), ("_ok", "y")];
        check_names(&LabelRules::default(), &before, &before);
        let normal = LabelRules { normalize_names: true, ..LabelRules::default() };
        let after = [("Env", "p"), ("..", "x"), ("_ok", "y"), ("app_kubernetes_io_name", "n")];
        check_names(&normal, &before, &after);
        let all = LabelRules {
            lowercase_names: true,
            rename: [("app_kubernetes_io_name".to_owned(), "app".to_owned())].into(),
            ..normal
        };
        check_names(&all, &before, &[("..", "x"), ("_ok", "y"), ("app", "n"), ("env", "p")]);
        check_names(&all, &[("ENV", "new"), ("env", "old")], &[("env", "old")]);
        check_names(&all, &[("app", "own"), ("app.kubernetes.io.name", "n")], &[("app", "own")]);
    }

    #[test]
    fn labels_are_denied_by_name_and_by_number_of_values() {
        let rules = LabelRules {
            denied: vec!["pod".to_owned(), SERVICE_NAME.to_owned(), "__name__".to_owned()],
            max_values: 2,
            max_values_of: [("free".to_owned(), 0)].into(),
            values_window: Span::from_secs(60),
            ..LabelRules::default()
        };
        let (tenant, other): (TenantId, TenantId) = ("t".parse().unwrap(), "u".parse().unwrap());
        let values = values();
        let deny = |tenant: &TenantId, seconds, labels: &[(&str, &str)]| {
            let now = Monotonic::from_start(Duration::from_secs(seconds));
            let mut kept = pairs(labels);
            let denied = LabelFixes { tenant, rules: &rules, values: &values, now }.deny(&mut kept);
            assert_eq!(denied.refused, None);
            (kept, denied.moved)
        };
        let own = [("service_name", "s"), ("__name__", "n"), ("pod", "p"), ("app", "")];
        let (kept, moved) = deny(&tenant, 0, &own);
        assert_eq!(kept, pairs(&[("service_name", "s"), ("__name__", "n"), ("app", "")]));
        assert_eq!(moved, pairs(&[("pod", "p")]));
        for (seconds, value, is_kept) in [
            (0, "1", true),
            (0, "2", true),
            (1, "1", true),
            (2, "3", false),
            (3, "1", false),
            (59, "2", false),
            (60, "3", true),
            (60, "4", true),
            (60, "5", false),
        ] {
            let (kept, _) = deny(&tenant, seconds, &[("id", value)]);
            assert_eq!(!kept.is_empty(), is_kept, "{value} at {seconds}");
            assert_eq!(deny(&tenant, seconds, &[("free", value)]).0.len(), 1);
        }
        assert_eq!(deny(&other, 60, &[("id", "5")]).0.len(), 1, "each tenant has its own");
    }

    #[test]
    fn what_becomes_of_denied_labels() {
        let tenant: TenantId = "t".parse().unwrap();
        let values = values();
        for (action, kept, refused) in [
            (DeniedAction::Drop, &[("app", "a")][..], None),
            (DeniedAction::Refuse, &[("pod", "p"), ("app", "a")], Some("pod".to_owned())),
        ] {
            let denied = vec!["pod".to_owned()];
            let rules = LabelRules { denied, denied_action: action, ..LabelRules::default() };
            let now = Monotonic::from_start(Duration::ZERO);
            let fixes = LabelFixes { tenant: &tenant, rules: &rules, values: &values, now };
            let mut labels = pairs(&[("pod", "p"), ("app", "a")]);
            assert_eq!(fixes.deny(&mut labels), Denied { moved: Vec::new(), refused });
            assert_eq!(labels, pairs(kept));
        }
        assert_eq!(values.denials.with(["t"]).get(), 2);
    }
}
