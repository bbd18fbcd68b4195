//! Who depends on whom: cargo's list against `xtask/layers.toml`.

use std::collections::BTreeSet;
use std::path::Path;

use super::layers::{self, Layer, Layers};
use super::{Offence, line_of_key};
use crate::failure::{Failure, read};
use crate::repository::{Dependency, Kind, Member, workspace};

/// The only package outside the tiers that others may name, and only to test themselves.
const TESTKIT: &str = "larch-testkit";

/// The one service that names the others: it runs them all in one process.
const COMPOSER: &str = "larch";

pub(super) fn check(root: &Path) -> Result<Vec<Offence>, Failure> {
    let members = workspace(root)?.members;
    let (list, mut offences) = layers::load(root)?;
    let services: BTreeSet<&str> =
        members.iter().filter(|m| m.folder.starts_with("services/")).map(|m| m.name.as_str()).collect();
    let names: BTreeSet<&str> = members.iter().map(|member| member.name.as_str()).collect();
    offences.extend(check_list(&list, &names, &services));
    for member in &members {
        let manifest = member.manifest();
        let Some(layer) = list.layers.get(&member.name) else {
            let message = format!(
                "`{}` is not in {}: add it there with its tier and arrows",
                member.name,
                layers::PATH
            );
            offences.push(Offence::new(manifest, 1, message));
            continue;
        };
        let text = read(&root.join(&manifest))?;
        for dependency in &member.dependencies {
            if !names.contains(dependency.name.as_str()) || dependency.name == member.name {
                continue;
            }
            if let Some(message) = refusal(&list, &services, member, layer, dependency) {
                offences.push(Offence::new(&manifest, line_of_key(&text, &dependency.name), message));
            }
        }
    }
    Ok(offences)
}

/// Whether the list itself says what no list may say.
fn check_list(list: &Layers, names: &BTreeSet<&str>, services: &BTreeSet<&str>) -> Vec<Offence> {
    let mut offences = Vec::new();
    for (package, layer) in &list.layers {
        if !names.contains(package.as_str()) {
            offences.push(list.offence(package, format!("there is no package `{package}`: remove it")));
            continue;
        }
        for used in &layer.may_use {
            let problem = match list.layers.get(used) {
                _ if !names.contains(used.as_str()) => "is no package of this workspace",
                None => "has no table of its own here",
                Some(_) if joins_services(services, package, used) => "is another service",
                Some(target) if layer.tier.is_some() && target.tier.is_none() => "stands outside the tiers",
                Some(target) if layer.tier.is_some() && target.tier > layer.tier => "is of a higher tier",
                Some(_) => continue,
            };
            offences
                .push(list.offence(package, format!("`{package}` may not use `{used}`, which {problem}")));
        }
    }
    offences
}

fn joins_services(services: &BTreeSet<&str>, from: &str, to: &str) -> bool {
    from != COMPOSER && services.contains(from) && services.contains(to)
}

/// Why this dependency may not be.
fn refusal(
    list: &Layers,
    services: &BTreeSet<&str>,
    member: &Member,
    layer: &Layer,
    dependency: &Dependency,
) -> Option<String> {
    let name = &dependency.name;
    let from = &member.name;
    if joins_services(services, from, name) {
        return Some(format!("`{from}` names the service `{name}`: services meet only through larch-rpc"));
    }
    if layer.may_use.contains(name) {
        return None;
    }
    if dependency.kind == Kind::Dev && layer.tier.is_some() {
        let target = list.layers.get(name).and_then(|target| target.tier);
        if name == TESTKIT || (target.is_some() && target < layer.tier) {
            return None;
        }
    }
    let kind = dependency.kind.name();
    Some(format!(
        "the {kind} dependency of `{from}` on `{name}` is not in {}: remove it, or add it there if the \
         architecture is to change",
        layers::PATH
    ))
}
