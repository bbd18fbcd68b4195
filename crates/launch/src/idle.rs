//! Settings that are accepted and change nothing. Whoever sets one to something is told so once.

use larch_config::{Node, Origin, Problem};
use larch_limits::IdleKey;
use serde::Serialize;
use serde_json::Value;

/// Of `ingester_client`.
pub(crate) const IDLE_OF_CLIENT: [IdleKey; 1] =
    [("pool_config", "a connection is made when it is needed, and made again when it fails")];

/// What is set although it changes nothing, each as a sentence for the log. A key may lie deeper: `a.b`.
pub fn without_effect<S: Serialize + Default>(block: &str, settings: &S, idle: &[IdleKey]) -> Vec<String> {
    let sentence = |(key, why): &IdleKey| format!("{block}.{key} has no effect: {why}");
    set_to_something(settings, idle).map(sentence).collect()
}

/// The same of what a file gives, with its place there. What is not in the node was not given by it.
pub(crate) fn given_without_effect<S: Serialize + Default>(
    path: &str,
    given: &Node,
    settings: &S,
    idle: &[IdleKey],
) -> Vec<Problem> {
    let mut problems = Vec::new();
    for (key, why) in set_to_something(settings, idle) {
        let found = key.split('.').try_fold(given, |node, name| node.child(name));
        // What follows from another key was not asked for.
        if let Some(node) = found.filter(|node| !matches!(node.origin(), Origin::Derived(_))) {
            let (origin, path) = (node.origin().clone(), format!("{path}.{key}"));
            problems.push(Problem::new(origin, path, format!("has no effect: {why}")));
        }
    }
    problems
}

/// Whatever is not as it is by default was set by somebody.
fn set_to_something<'i, S: Serialize + Default>(
    settings: &S,
    idle: &'i [IdleKey],
) -> impl Iterator<Item = &'i IdleKey> {
    let (now, default) = (tree(settings), tree(&S::default()));
    idle.iter().filter(move |(key, _)| {
        let pointer = pointer(key);
        now.pointer(&pointer) != default.pointer(&pointer)
    })
}

fn pointer(key: &str) -> String {
    format!("/{}", key.replace('.', "/"))
}

/// Settings are maps of plain values, which always become a tree.
fn tree<S: Serialize>(settings: &S) -> Value {
    serde_json::to_value(settings).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use larch_limits::{IDLE_LIMITS, IDLE_SWITCHES, LimitsSettings, OperationalSettings};
    use larch_rpc::IngesterClientSettings;
    use larch_store::{ChunkStoreSettings, IDLE_CHUNK_STORE, IDLE_STORAGE, StorageSettings};

    use super::*;

    #[test]
    fn all_of_them_are_there() {
        for (settings, idle) in [
            (tree(&LimitsSettings::default()), &IDLE_LIMITS[..]),
            (tree(&OperationalSettings::default()), &IDLE_SWITCHES),
            (tree(&StorageSettings::default()), &IDLE_STORAGE),
            (tree(&ChunkStoreSettings::default()), &IDLE_CHUNK_STORE),
            (tree(&IngesterClientSettings::default()), &IDLE_OF_CLIENT),
        ] {
            for (key, _) in idle {
                assert!(settings.pointer(&pointer(key)).is_some(), "{key}");
            }
        }
    }

    #[test]
    fn only_what_is_set_is_told() {
        let mut limits = LimitsSettings::default();
        assert_eq!(without_effect("limits_config", &limits, &IDLE_LIMITS), Vec::<String>::new());
        limits.cardinality_limit = 7;
        assert_eq!(
            without_effect("limits_config", &limits, &IDLE_LIMITS),
            ["limits_config.cardinality_limit has no effect: max_query_series and memory bound what a \
                 query may find"]
        );
    }
}
