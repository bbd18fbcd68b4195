//! One tree of settings over another, as a tenant's overrides lie over the limits of all.

use serde_json::Value as Json;

use crate::node::{Entry, Node, Value};

/// What `top` sets wins. A block of settings is merged key by key; a list, a value, and a mapping with
/// keys of the user's choice replace what was there. `shape` is the serialized default, which tells
/// blocks from free mappings.
pub fn overlay(base: &Node, top: &Node, shape: &Json) -> Node {
    let (Value::Map(below), Value::Map(above), Json::Object(fields)) = (&base.value, &top.value, shape)
    else {
        return top.clone();
    };
    if fields.is_empty() {
        return top.clone();
    }
    let mut merged: Vec<Entry> = below.clone();
    for entry in above {
        let field = fields.get(&entry.key).unwrap_or(&Json::Null);
        match merged.iter_mut().find(|old| old.key == entry.key) {
            Some(old) => {
                let node = overlay(&old.node, &entry.node, field);
                *old = Entry { key: entry.key.clone(), origin: entry.origin.clone(), node };
            }
            None => merged.push(entry.clone()),
        }
    }
    Node { value: Value::Map(merged), origin: top.origin.clone() }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::parse_yaml;

    #[test]
    fn blocks_merge_and_the_rest_is_replaced() {
        let base = parse_yaml("base", "{a: 1, block: {x: 1, y: 2}, free: {k: 1}, list: [1, 2]}").unwrap();
        let top = parse_yaml("top", "{block: {y: 3}, free: {m: 2}, list: [3], new: 4}").unwrap();
        let shape = json!({"a": 0, "block": {"x": 0, "y": 0}, "free": {}, "list": []});
        let merged = overlay(&base, &top, &shape);
        assert_eq!(
            merged.to_json(),
            json!({"a": 1, "block": {"x": 1, "y": 3}, "free": {"m": 2}, "list": [3], "new": 4})
        );
        assert_eq!(merged.child("a").unwrap().origin().to_string(), "base:1");
    }
}
