//! docs/api.md and what is served are the same.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use super::*;

const METHODS: [&str; 4] = ["GET", "POST", "PUT", "DELETE"];

/// Asking it by a method that it has would end the process.
const STOPS: &str = "/ingester/shutdown";

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the repository").to_owned()
}

/// The methods of each path that a table of the page has: rows of which the first two cells are code.
fn documented() -> BTreeMap<String, BTreeSet<String>> {
    let page = std::fs::read_to_string(root().join("docs/api.md")).expect("the page");
    let mut paths = BTreeMap::new();
    for line in page.lines() {
        let code = |cell: &str| cell.trim().strip_prefix('`')?.strip_suffix('`').map(str::to_owned);
        let mut cells = line.split('|').skip(1).map(code);
        let (Some(Some(methods)), Some(Some(path))) = (cells.next(), cells.next()) else { continue };
        if path.starts_with('/') {
            let methods = methods.split(", ").map(str::to_owned).collect();
            assert!(paths.insert(path.clone(), methods).is_none(), "{path} is there twice");
        }
    }
    paths
}

#[test]
fn what_is_documented_is_served() {
    let house = House::start(SETTINGS);
    let paths = documented();
    assert!(paths.len() > 40, "{paths:#?}");
    for (path, methods) in paths {
        for method in METHODS {
            let is_served = methods.contains(method);
            if is_served && path == STOPS {
                continue;
            }
            let answer =
                house.larch.ask(method, &path.replace("{name}", "app"), &[("x-scope-orgid", "acme")], "");
            let is_refused = answer.status == 405;
            let is_unknown = answer.status == 404 && answer.body.starts_with("404 page");
            assert!(!is_unknown && is_refused != is_served, "{method} {path}: {answer:?}");
        }
    }
    house.larch.stop();
}

/// Paths as they stand in the sources, where they are given to a router.
fn routed() -> BTreeSet<String> {
    let mut paths = BTreeSet::new();
    let mut folders: Vec<PathBuf> = vec![root().join("services"), root().join("crates")];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            if path.is_dir() && !path.ends_with("tests") && !path.ends_with("testkit") {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs")
                && !path.ends_with("tests.rs")
            {
                let text = std::fs::read_to_string(&path).expect("a source");
                for marker in [".route(", "Endpoint::", " Ring\""] {
                    paths.extend(text.match_indices(marker).filter_map(|(place, _)| literal(&text, place)));
                }
            }
        }
    }
    paths
}

/// The path in the first literal behind `.route(`, or in the one that begins the line of any other marker.
fn literal(text: &str, place: usize) -> Option<String> {
    let behind = match text[place..].strip_prefix(".route(") {
        Some(behind) => behind,
        None => text[..place].rsplit('\n').next()?.trim_start().strip_prefix('(')?,
    };
    let path = behind.trim_start().strip_prefix('"')?.split('"').next()?;
    path.starts_with('/').then(|| path.to_owned())
}

#[test]
fn what_is_served_is_documented() {
    let documented: BTreeSet<String> = documented().into_keys().collect();
    let mut routed = routed();
    // Of gRPC, which the page names elsewhere.
    assert!(routed.remove("/logproto.Pusher/Push"));
    // It takes no method at all.
    assert!(routed.remove("/ingester/prepare_partition_downscale"));
    assert_eq!(routed, documented);
}
