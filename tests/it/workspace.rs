//! The walls between the crates: who may use whom, and that only the tool knows a terminal.
//!
//! The compiler holds these walls as `Cargo.toml` draws them; here it is held that `Cargo.toml` draws them so.

use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;

use serde_json::Value;

use crate::run::Running;

/// From the lowest crate up: whom of the workspace each may use. The tool may use all that are here but the handlers.
const WALLS: [(&str, &[&str]); 7] = [
    ("claimctl-core", &[]),
    ("claimctl-claim", &["claimctl-core"]),
    ("claimctl-aws", &["claimctl-core", "claimctl-claim"]),
    ("claimctl-queues", &["claimctl-core", "claimctl-claim", "claimctl-aws"]),
    ("claimctl-payloads", &["claimctl-core", "claimctl-claim", "claimctl-aws", "claimctl-queues"]),
    ("claimctl-deploy", &["claimctl-core", "claimctl-claim", "claimctl-aws"]),
    // They see of core what claim hands on.
    ("claimctl-handlers", &["claimctl-claim"]),
];
const TOOL: &str = "claimctl";
/// Programs for tests and benchmarks, and what takes the place of a library: nobody's neighbours.
const ALONE: [&str; 3] = ["loopback", "terraform-provider-aws", NO_ROOTS];
/// An empty one: no handler trusts certificates that it was not given.
const NO_ROOTS: &str = "webpki-roots";
/// What speaks to a terminal.
const OF_THE_TOOL: [&str; 7] =
    ["clap", "clap_complete", "clap_mangen", "comfy-table", "dialoguer", "indicatif", "tracing-subscriber"];

/// What each package depends on to be built, tests included, by its name.
fn packages() -> BTreeMap<String, BTreeSet<String>> {
    let mut metadata = Command::new(env!("CARGO"));
    metadata.args(["metadata", "--format-version=1", "--no-deps", "--offline", "--locked"]);
    let metadata = metadata.current_dir(env!("CARGO_MANIFEST_DIR")).run().exits(0).json();
    let name = |value: &Value| value["name"].as_str().unwrap().to_owned();
    let packages = metadata["packages"].as_array().unwrap().iter();
    packages
        .map(|package| (name(package), package["dependencies"].as_array().unwrap().iter().map(name).collect()))
        .collect()
}

/// The edges that must not be.
fn wrong_edges(packages: &BTreeMap<String, BTreeSet<String>>) -> Vec<String> {
    let walls: BTreeMap<&str, &[&str]> = WALLS.into_iter().collect();
    let mut wrong = Vec::new();
    for (package, uses) in packages {
        for used in uses {
            let neighbour = packages.contains_key(used);
            let allowed = match walls.get(package.as_str()) {
                Some(allowed) => allowed.contains(&used.as_str()),
                None => package == TOOL && walls.contains_key(used.as_str()) && used != "claimctl-handlers",
            };
            if neighbour && !allowed {
                wrong.push(format!("{package} uses {used}: see WALLS"));
            }
            if package != TOOL && OF_THE_TOOL.contains(&used.as_str()) {
                wrong.push(format!("{package} uses {used}: only {TOOL} speaks to a terminal"));
            }
        }
    }
    wrong
}

#[test]
fn no_crate_uses_one_that_is_above_it_and_only_the_tool_speaks_to_a_terminal() {
    assert_eq!(wrong_edges(&packages()), [""; 0]);
}

/// A crate that is new has its place in the table, so that it has walls.
#[test]
fn every_crate_has_its_walls() {
    let mut placed: Vec<_> = WALLS.iter().map(|(name, _)| *name).chain(ALONE).chain([TOOL]).collect();
    placed.sort_unstable();
    assert_eq!(packages().into_keys().collect::<Vec<_>>(), placed);
}

#[test]
fn certificates_that_come_with_a_library_are_trusted_by_nobody() {
    let lock = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.lock")).unwrap();
    let named = format!("name = \"{NO_ROOTS}\"\n");
    let locked: Vec<_> = lock.split("\n\n").filter(|package| package.contains(&named)).collect();
    assert_eq!(locked.len(), 1);
    assert!(!locked[0].contains("source = "), "{}", locked[0]);
}

#[test]
fn an_edge_that_is_wrong_is_named() {
    let mut packages = packages();
    packages.get_mut("claimctl-claim").unwrap().insert("claimctl-queues".to_owned());
    packages.get_mut("claimctl-handlers").unwrap().insert("claimctl-core".to_owned());
    packages.get_mut("claimctl-queues").unwrap().insert("indicatif".to_owned());
    packages.get_mut("claimctl").unwrap().insert("claimctl-handlers".to_owned());
    let wrong = [
        "claimctl uses claimctl-handlers: see WALLS",
        "claimctl-claim uses claimctl-queues: see WALLS",
        "claimctl-handlers uses claimctl-core: see WALLS",
        "claimctl-queues uses indicatif: only claimctl speaks to a terminal",
    ];
    assert_eq!(wrong_edges(&packages), wrong);
}
