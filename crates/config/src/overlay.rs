//! One tree of settings over another, as a tenant's overrides lie over the limits of all.

use serde_json::Value as Json;

use crate::node::{Entry, Node, Value};

/// What `top` sets wins. A block of settings is merged key by key; a list, a value, and a mapping with
/// keys of the user's choice replace what was there; a key without a value leaves it. `shape` is the
/// serialized default, which tells blocks from free mappings.
pub fn overlay(base: &Node, top: &Node, shape: &Json) -> Node {
    let fields = shape.as_object().filter(|fields| !fields.is_empty());
    let Some(fields) = fields else { return replaced(base, top) };
    merged(base, top, |old, new, key| overlay(old, new, fields.get(key).unwrap_or(&Json::Null)))
}

/// Merges mappings so many levels deep, whatever their keys are, and replaces what is below.
pub fn overlay_levels(base: &Node, top: &Node, levels: usize) -> Node {
    if levels == 0 {
        return replaced(base, top);
    }
    merged(base, top, |old, new, _| overlay_levels(old, new, levels - 1))
}

fn replaced(base: &Node, top: &Node) -> Node {
    if top.is_null() { base.clone() } else { top.clone() }
}

/// Two mappings in one; what both have is left to `both`.
fn merged(base: &Node, top: &Node, both: impl Fn(&Node, &Node, &str) -> Node) -> Node {
    let (Value::Map(old), Value::Map(new)) = (&base.value, &top.value) else { return replaced(base, top) };
    let mut entries: Vec<Entry> = old.clone();
    for entry in new {
        match entries.iter_mut().find(|old| old.key == entry.key) {
            Some(old) => old.node = both(&old.node, &entry.node, &entry.key),
            None => entries.push(entry.clone()),
        }
    }
    Node { value: Value::Map(entries), origin: top.origin.clone() }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::parse_yaml;

    #[test]
    fn blocks_merge_and_the_rest_is_replaced() {
        let base = parse_yaml("base", "{a: 1, block: {x: 1, y: 2}, free: {k: 1}, list: [1, 2]}").unwrap();
        let top = parse_yaml("top", "{a: ~, block: {y: 3}, free: {m: 2}, list: [3], new: 4}").unwrap();
        let shape = json!({"a": 0, "block": {"x": 0, "y": 0}, "free": {}, "list": []});
        let merged = overlay(&base, &top, &shape);
        assert_eq!(
            merged.to_json(),
            json!({"a": 1, "block": {"x": 1, "y": 3}, "free": {"m": 2}, "list": [3], "new": 4})
        );
        assert_eq!(merged.child("a").unwrap().origin().to_string(), "base:1");
    }

    #[test]
    fn levels_merge_whatever_their_keys_are() {
        let base = parse_yaml("base", "{t: {a: {x: 1, y: {k: 1}}}}").unwrap();
        let top = parse_yaml("top", "{t: {a: {y: {m: 2}}, b: {x: 3}}}").unwrap();
        let merged = overlay_levels(&base, &top, 3);
        assert_eq!(merged.to_json(), json!({"t": {"a": {"x": 1, "y": {"m": 2}}, "b": {"x": 3}}}));
        assert_eq!(overlay_levels(&base, &top, 0), top);
    }
}
