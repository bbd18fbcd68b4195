//! One tree over another: documents over documents, and a tenant's settings over those of all.

use larch_types::InvalidSetting;
use serde_json::{Map, Value as Json};

/// Documents from left to right. Mappings are merged key by key at every depth, all else is replaced; an
/// empty document or key changes nothing.
pub(super) fn merge_documents(documents: &[Json]) -> Result<Map<String, Json>, InvalidSetting> {
    let mut merged = Map::new();
    for document in documents {
        match document {
            Json::Null => {}
            Json::Object(fields) => merge(&mut merged, fields),
            _ => {
                let reason = "expected a mapping with the keys overrides and configs".to_owned();
                return Err(InvalidSetting { key: "overrides".to_owned(), reason });
            }
        }
    }
    Ok(merged)
}

fn merge(below: &mut Map<String, Json>, above: &Map<String, Json>) {
    for (name, value) in above {
        match (below.get_mut(name), value) {
            (Some(_), Json::Null) => {}
            (Some(Json::Object(below)), Json::Object(above)) => merge(below, above),
            _ => {
                below.insert(name.clone(), value.clone());
            }
        }
    }
}

/// Settings over settings: a block is merged key by key, and a list, a value, and a mapping with keys of
/// the user's choice replace what was there. `shape` is the default: a mapping there is a block unless
/// it is empty.
pub(super) fn over(below: &mut Json, above: &Json, shape: &Json) {
    match (below, above, shape) {
        (_, Json::Null, _) => {}
        (Json::Object(below), Json::Object(above), Json::Object(fields)) if !fields.is_empty() => {
            for (name, value) in above {
                let shape = fields.get(name).unwrap_or(&Json::Null);
                over(below.entry(name).or_insert(Json::Null), value, shape);
            }
        }
        (below, above, _) => *below = above.clone(),
    }
}
