//! The arrows between our packages, and what they may depend on outside.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use crate::workspace::{array, cargo, cargo_metadata, none, read, root, shown, sources, text};

/// What each of our packages may depend on, of ours. A package that is missing here is an error.
const ARROWS: &[(&str, &[&str])] = &[
    ("deepclone-core", &[]),
    ("deepclone-common", &["deepclone-core"]),
    ("deepclone-proto", &["deepclone-core"]),
    ("deepclone-delta", &["deepclone-core", "deepclone-common"]),
    ("deepclone-worker", &["deepclone-core", "deepclone-proto", "deepclone-common"]),
    (
        "deepclone-coordinator",
        &["deepclone-core", "deepclone-proto", "deepclone-delta", "deepclone-common"],
    ),
    ("deepclone", ALL_BELOW_CLI),
    ("deepclone-tests", ALL),
    ("deepclone-benches", ALL),
    // What a client outside of this workspace would need.
    ("deepclone-example-client", &["deepclone-proto"]),
];
const ALL_BELOW_CLI: &[&str] = &[
    "deepclone-core",
    "deepclone-proto",
    "deepclone-delta",
    "deepclone-common",
    "deepclone-coordinator",
    "deepclone-worker",
];
const ALL: &[&str] = &[
    "deepclone-core",
    "deepclone-proto",
    "deepclone-delta",
    "deepclone-common",
    "deepclone-coordinator",
    "deepclone-worker",
    "deepclone",
    "deepclone-tests",
];

/// Everything that the pure crate may depend on outside its tests.
const CORE_DEPENDENCIES: &[&str] = &["croner", "jiff", "serde", "sha2", "thiserror", "uuid"];

/// What the build script's code needs, and no file of ours names.
const ONLY_IN_GENERATED_CODE: &[&str] = &["tonic-prost"];

/// A worker never sees a table log, so nothing that reads one may reach it.
const NEVER_IN_A_WORKER: &[&str] =
    &["deltalake", "deltalake-core", "arrow", "arrow-array", "parquet", "deepclone-delta"];

#[test]
fn our_packages_depend_only_along_the_allowed_arrows() {
    let metadata = cargo_metadata();
    let allowed: BTreeMap<&str, &[&str]> = ARROWS.iter().copied().collect();
    let mut broken = Vec::new();
    for package in array(&metadata["packages"]) {
        let name = text(&package["name"]);
        let Some(arrows) = allowed.get(name) else {
            broken.push(format!("{name}: not in the table of arrows"));
            continue;
        };
        for dependency in array(&package["dependencies"]) {
            let on = text(&dependency["name"]);
            let ours = dependency["path"].is_string();
            if ours && on != name && !arrows.contains(&on) {
                broken.push(format!("{name} must not depend on {on}"));
            }
        }
    }
    none(&broken);
}

#[test]
fn every_dependency_is_used() {
    let metadata = cargo_metadata();
    let mut broken = Vec::new();
    let mut named = BTreeSet::new();
    for package in array(&metadata["packages"]) {
        let name = text(&package["name"]);
        let folder = Path::new(text(&package["manifest_path"])).parent().expect("a folder");
        let code: String = sources(&["rs"])
            .iter()
            .filter(|file| file.starts_with(folder))
            .flat_map(|file| read(file).lines().map(str::to_owned).collect::<Vec<_>>())
            .filter(|line| !line.trim_start().starts_with("//"))
            .collect();
        for dependency in array(&package["dependencies"]) {
            let on = dependency["rename"].as_str().unwrap_or(text(&dependency["name"]));
            named.insert(on.to_owned());
            let library = on.replace('-', "_");
            let used = ["::", " as "].iter().any(|end| code.contains(&format!("{library}{end}")));
            if !used && !ONLY_IN_GENERATED_CODE.contains(&on) {
                broken.push(format!("{name} does not use {on}"));
            }
        }
    }
    let versions = read(&root().join("Cargo.toml"));
    broken.extend(
        versions
            .lines()
            .skip_while(|line| *line != "[workspace.dependencies]")
            .skip(1)
            .take_while(|line| !line.starts_with('['))
            .filter_map(|line| line.split_once(" = "))
            .filter(|(on, _)| !named.contains(*on))
            .map(|(on, _)| format!("no member names {on} of the version table")),
    );
    none(&broken);
}

#[test]
fn the_pure_crate_has_exactly_its_dependencies() {
    let metadata = cargo_metadata();
    let core = array(&metadata["packages"])
        .iter()
        .find(|package| package["name"] == "deepclone-core")
        .expect("deepclone-core is a member");
    let found: BTreeSet<&str> = array(&core["dependencies"])
        .iter()
        .filter(|dependency| dependency["kind"] != "dev")
        .map(|dependency| text(&dependency["name"]))
        .collect();
    assert_eq!(found, CORE_DEPENDENCIES.iter().copied().collect::<BTreeSet<_>>());
}

#[test]
fn nothing_that_reads_a_log_reaches_a_worker() {
    let tree = cargo(&["tree", "-p", "deepclone-worker", "-e", "normal", "--prefix", "none"]);
    let names: BTreeSet<&str> =
        tree.lines().filter_map(|line| line.split_whitespace().next()).collect();
    assert!(names.contains("deepclone-core"), "cargo tree told nothing:\n{tree}");
    let broken: Vec<String> = NEVER_IN_A_WORKER
        .iter()
        .filter(|name| names.contains(*name))
        .map(|name| format!("the worker depends on {name}"))
        .collect();
    none(&broken);
}

#[test]
fn the_second_opinion_stays_behind_one_file() {
    let mut broken = Vec::new();
    for library in ["deltalake", "object_store_013"] {
        let users: Vec<String> = sources(&["rs"])
            .iter()
            .filter(|file| !file.starts_with(root().join("tests")))
            .filter(|file| {
                read(file).lines().any(|line| {
                    !line.trim_start().starts_with("//") && line.contains(&format!("{library}::"))
                })
            })
            .map(|file| shown(file))
            .collect();
        if users.len() > 1 {
            broken.push(format!("{library} is used in {}", users.join(", ")));
        }
    }
    none(&broken);
}

#[test]
fn dependencies_come_from_the_public_registry() {
    let lock = read(&root().join("Cargo.lock"));
    let broken: Vec<&str> = lock
        .lines()
        .filter(|line| line.starts_with("source = "))
        .filter(|line| {
            *line != "source = \"registry+https://github.com/rust-lang/crates.io-index\""
        })
        .collect();
    assert!(broken.is_empty(), "{broken:?}");
}
