//! `xtask/layers.toml`: which Larch crates each package may name.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use toml::{Table, Value};

use super::{Offence, line_of_key};
use crate::failure::{Failure, read};

pub(super) const PATH: &str = "xtask/layers.toml";

pub(super) struct Layers {
    pub(super) layers: BTreeMap<String, Layer>,
    text: String,
}

#[derive(Default)]
pub(super) struct Layer {
    /// None for packages that stand outside the tiers.
    pub(super) tier: Option<i64>,
    pub(super) may_use: BTreeSet<String>,
}

impl Layers {
    /// An offence at the table of one package.
    pub(super) fn offence(&self, package: &str, message: String) -> Offence {
        Offence::new(PATH, line_of_key(&self.text, package), message)
    }
}

/// The list, and what is not readable in it.
pub(super) fn load(root: &Path) -> Result<(Layers, Vec<Offence>), Failure> {
    let text = read(&root.join(PATH))?;
    let table: Table = text.parse().map_err(|e| Failure::because(format!("read {PATH}"), e))?;
    let mut list = Layers { layers: BTreeMap::new(), text };
    let mut offences = Vec::new();
    for (package, value) in &table {
        let layer = match layer(value) {
            Ok(layer) => layer,
            Err(problem) => {
                offences.push(list.offence(package, format!("`{package}`: {problem}")));
                Layer::default()
            }
        };
        list.layers.insert(package.clone(), layer);
    }
    Ok((list, offences))
}

fn layer(value: &Value) -> Result<Layer, String> {
    let table = value.as_table().ok_or("write a table with `tier` and `may_use`")?;
    let mut layer = Layer::default();
    for (key, value) in table {
        match key.as_str() {
            "tier" => layer.tier = Some(value.as_integer().ok_or("`tier` is a number")?),
            "may_use" => {
                for name in value.as_array().ok_or("`may_use` is a list")? {
                    let name = name.as_str().ok_or("`may_use` lists names of crates")?;
                    layer.may_use.insert(name.to_owned());
                }
            }
            other => return Err(format!("`{other}` is neither `tier` nor `may_use`")),
        }
    }
    if !table.contains_key("may_use") {
        return Err("`may_use` is missing".to_owned());
    }
    Ok(layer)
}
