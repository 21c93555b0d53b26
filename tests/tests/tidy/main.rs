//! Holds the shape of the code: sizes of files, functions and lines, the opening of every file,
//! the arrows between our crates, and what the house keeps out of its files.
//!
//! Each rule is one test, and each test names every place that breaks the rule, not only the first.

#![expect(clippy::expect_used, reason = "a broken workspace is a failed test")]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

const FILE_LINES_MAX: usize = 500;
const FUNCTION_LINES_MAX: usize = 70;
const LINE_CHARACTERS_MAX: usize = 100;
const SERVER_MAIN_LINES_MAX: usize = 60;

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
const CORE_DEPENDENCIES: &[&str] = &["serde", "sha2", "thiserror", "uuid"];

/// What the build script's code needs, and no file of ours names.
const ONLY_IN_GENERATED_CODE: &[&str] = &["tonic-prost"];

/// A worker never sees a table log, so nothing that reads one may reach it.
const NEVER_IN_A_WORKER: &[&str] =
    &["deltalake", "deltalake-core", "arrow", "arrow-array", "parquet", "deepclone-delta"];

#[test]
fn files_functions_and_lines_stay_short() {
    let mut broken = Vec::new();
    for file in sources(&["rs", "py"]) {
        let text = read(&file);
        let lines: Vec<&str> = text.lines().collect();
        let name = shown(&file);
        if lines.len() > FILE_LINES_MAX {
            broken.push(format!("{name}: {} lines, at most {FILE_LINES_MAX}", lines.len()));
        }
        for (number, line) in lines.iter().enumerate() {
            let length = line.chars().count();
            if length > LINE_CHARACTERS_MAX {
                broken.push(format!("{name}:{}: {length} characters", number + 1));
            }
        }
        if file.extension().is_some_and(|ending| ending == "rs") {
            broken.extend(
                functions(&lines)
                    .into_iter()
                    .filter(|(_, length)| *length > FUNCTION_LINES_MAX)
                    .map(|(line, length)| format!("{name}:{line}: a function of {length} lines")),
            );
        }
    }
    none(&broken);
}

#[test]
fn every_file_opens_by_saying_what_it_owns() {
    let broken: Vec<String> = sources(&["rs"])
        .iter()
        .filter(|file| !read(file).starts_with("//!"))
        .map(|file| format!("{}: does not open with `//!`", shown(file)))
        .collect();
    none(&broken);
}

#[test]
fn the_mains_of_the_servers_only_parse_and_run() {
    let mut broken = Vec::new();
    for package in ["coordinator", "worker"] {
        let file = root().join(package).join("src/main.rs");
        if let Ok(text) = fs::read_to_string(&file) {
            let lines = text.lines().count();
            if lines > SERVER_MAIN_LINES_MAX {
                broken.push(format!("{}: {lines} lines", shown(&file)));
            }
        }
    }
    none(&broken);
}

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

#[test]
fn the_project_speaks_of_itself_alone() {
    // Spelled in halves so that this file does not break its own rule.
    let words: Vec<String> = [
        ["/wo", "rk/"],
        ["fa", "rm-"],
        ["issue", " #"],
        ["../sha", "red"],
        ["/tmp/", "golden"],
        ["/tmp/", "wt"],
    ]
    .iter()
    .map(|halves| halves.concat())
    .collect();
    let endings =
        ["rs", "py", "md", "toml", "yml", "yaml", "xml", "txt", "sh", "proto", "sql", "run"];
    let mut broken = Vec::new();
    let mut files = sources(&endings);
    files.extend(["Makefile", "Dockerfile", ".ci/run"].map(|name| root().join(name)));
    for file in files.iter().filter(|file| file.is_file()) {
        for (number, line) in read(file).lines().enumerate() {
            let line = line.to_lowercase();
            for word in words.iter().filter(|word| line.contains(word.as_str())) {
                broken.push(format!("{}:{}: speaks of `{word}`", shown(file), number + 1));
            }
        }
    }
    none(&broken);
}

#[test]
fn what_the_page_on_compatibility_claims_is_shown_by_tests() {
    let page = root().join("docs/compatibility.md");
    let files = sources(&["rs"]);
    let mut broken = Vec::new();
    let mut headings = 0;
    for (number, line) in read(&page).lines().enumerate() {
        let at = format!("{}:{}", shown(&page), number + 1);
        let claims: Vec<_> = line
            .split('`')
            .filter_map(|word| word.split_once("::"))
            .filter(|(file, _)| file.ends_with(".rs"))
            .collect();
        headings += usize::from(line.ends_with("| shown by |"));
        let is_row = line.starts_with('|') && !line.ends_with("| shown by |");
        if is_row && !line.starts_with("| ---") && claims.is_empty() {
            broken.push(format!("{at}: a row without a test"));
        }
        for (file, test) in claims {
            let ending = format!("/{file}");
            let found: Vec<_> =
                files.iter().filter(|path| path.to_string_lossy().ends_with(&ending)).collect();
            match found.as_slice() {
                [path] if has_test(&read(path), test) => {}
                [path] => broken.push(format!("{at}: no test {test} in {}", shown(path))),
                _ => broken.push(format!("{at}: {} files end in {file}", found.len())),
            }
        }
    }
    assert!(headings > 0, "no table in {}", shown(&page));
    none(&broken);
}

/// True when the file has a function of that name under an attribute of tests.
fn has_test(text: &str, name: &str) -> bool {
    let lines: Vec<&str> = text.lines().map(str::trim_start).collect();
    let opening = format!("fn {name}(");
    lines.iter().enumerate().any(|(at, line)| {
        let is_it = line.strip_prefix("async ").unwrap_or(line).starts_with(&opening);
        let mut above = lines[..at].iter().rev().take_while(|line| line.starts_with("#["));
        is_it && above.any(|line| line.starts_with("#[test]") || line.starts_with("#[tokio::test"))
    })
}

#[test]
fn the_length_of_a_function_is_counted_to_its_closing_brace() {
    let text = "fn a() {\n    b();\n}\n\nimpl C {\n    async fn d(\n        e: u8,\n    ) -> u8 {\n\
                \n    }\n    fn f() {}\n}\ntrait G {\n    fn h(&self);\n}\n";
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(functions(&lines), vec![(1, 3), (6, 5)]);
}

/// The functions of a formatted file: the line each starts at, counted from 1, and its length.
fn functions(lines: &[&str]) -> Vec<(usize, usize)> {
    let mut found = Vec::new();
    for (start, line) in lines.iter().enumerate() {
        if !opens_function(line) {
            continue;
        }
        let closing = format!("{}}}", &line[..line.len() - line.trim_start().len()]);
        let ended = lines[start..].iter().position(|line| {
            *line == closing || line.ends_with("; }") || line.ends_with("{}") || line.ends_with(';')
        });
        // A body is only ever closed by a brace alone; the other endings belong to one-liners.
        let body = lines[start..].iter().position(|line| line.ends_with('{'));
        if let (Some(ended), Some(body)) = (ended, body)
            && body < ended.max(1)
            && let Some(end) = lines[start..].iter().position(|line| *line == closing)
        {
            found.push((start + 1, end + 1));
        }
    }
    found
}

fn opens_function(line: &str) -> bool {
    let mut rest = line.trim_start();
    if let Some(after) = rest.strip_prefix("pub") {
        rest = after
            .strip_prefix('(')
            .and_then(|inner| inner.split_once(") "))
            .map_or_else(|| after.trim_start(), |(_, after_visibility)| after_visibility);
    }
    for qualifier in ["const ", "async ", "unsafe "] {
        rest = rest.strip_prefix(qualifier).unwrap_or(rest);
    }
    rest.starts_with("fn ")
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("tests/ lies in the workspace")
}

/// Every file of ours with one of these endings, sorted; nothing built, fetched or hidden.
fn sources(endings: &[&str]) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut next = vec![root().to_path_buf()];
    while let Some(folder) = next.pop() {
        for entry in fs::read_dir(&folder).expect("a folder of the workspace is readable") {
            let path = entry.expect("an entry is readable").path();
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            if name.starts_with('.') || name == "target" || name == "node_modules" {
                continue;
            }
            if path.is_dir() {
                next.push(path);
            } else if endings.iter().any(|ending| name.ends_with(&format!(".{ending}"))) {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}

/// What our members say they depend on, without resolving anything.
fn cargo_metadata() -> Value {
    let told = cargo(&["metadata", "--format-version", "1", "--no-deps"]);
    serde_json::from_str(&told).expect("cargo metadata is JSON")
}

fn cargo(arguments: &[&str]) -> String {
    let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned());
    let output = Command::new(cargo)
        .args(arguments)
        .args(["--offline", "--locked"])
        .current_dir(root())
        .output()
        .expect("cargo runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("cargo speaks UTF-8")
}

fn array(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

fn read(file: &Path) -> String {
    fs::read_to_string(file).expect("a source file is readable text")
}

fn shown(file: &Path) -> String {
    file.strip_prefix(root()).unwrap_or(file).display().to_string()
}

#[track_caller]
fn none(broken: &[String]) {
    assert!(broken.is_empty(), "\n{}", broken.join("\n"));
}
