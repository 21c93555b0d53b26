//! No circle of files: a file that others of its crate use does not use them in turn.
//!
//! File A uses file B when code in A names an item that B defines, by whatever path or re-export.
//! A parent that only declares or re-exports its children does not use them. So a reader may read
//! every crate file by file, each after those that it uses.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use crate::modules::{Files, Modules};
use crate::workspace::{array, cargo_metadata, none, read, shown, sources, text};

/// The files that are in a circle still. The list may only become shorter: without a line, the test
/// names every use within that file's circle.
const KNOWN: &[&str] = &[
    "cli/src/args/convert.rs",
    "cli/src/args/location.rs",
    "cli/src/commands/clone.rs",
    "cli/src/commands/history.rs",
    "cli/src/commands/job.rs",
    "cli/src/commands/mod.rs",
    "cli/src/commands/plan.rs",
    "cli/src/commands/session.rs",
    "cli/src/commands/verify.rs",
    "cli/src/commands/worker.rs",
    "common/src/config.rs",
    "common/src/connections/build.rs",
    "common/src/connections/error.rs",
    "common/src/connections/location.rs",
    "common/src/connections/mod.rs",
    "common/src/connections/probe.rs",
    "common/src/connections/settings.rs",
    "coordinator/src/driver/book.rs",
    "coordinator/src/driver/message.rs",
    "coordinator/src/driver/mod.rs",
    "coordinator/src/driver/recall.rs",
    "coordinator/src/driver/take.rs",
    "coordinator/src/rpc/dispatch.rs",
    "coordinator/src/rpc/jobs.rs",
    "coordinator/src/rpc/mod.rs",
    "coordinator/src/rpc/workers.rs",
    "coordinator/src/state/encoding.rs",
    "coordinator/src/state/evidence.rs",
    "coordinator/src/state/history.rs",
    "coordinator/src/state/mod.rs",
    "core/src/machine/action.rs",
    "core/src/machine/deny.rs",
    "core/src/machine/event.rs",
    "core/src/machine/fact.rs",
    "core/src/machine/job.rs",
    "core/src/machine/mod.rs",
    "core/src/machine/tasks.rs",
    "core/src/machine/tries.rs",
    "core/src/machine/view.rs",
    "core/src/machine/worker.rs",
    "core/tests/simulation/contents.rs",
    "core/tests/simulation/efficiency.rs",
    "core/tests/simulation/liar.rs",
    "core/tests/simulation/safety.rs",
    "core/tests/simulation/scenario.rs",
    "core/tests/simulation/store.rs",
    "core/tests/simulation/worker.rs",
    "core/tests/simulation/world.rs",
    "delta/src/actions/fields.rs",
    "delta/src/actions/mod.rs",
    "delta/src/actions/parse.rs",
    "delta/src/changes/cleaned.rs",
    "delta/src/changes/difference.rs",
    "delta/src/changes/filter.rs",
    "delta/src/changes/head.rs",
    "delta/src/changes/identity.rs",
    "delta/src/changes/metadata.rs",
    "delta/src/changes/mod.rs",
    "delta/src/changes/near_names.rs",
    "delta/src/changes/objects.rs",
    "delta/src/changes/plan.rs",
    "delta/src/changes/record.rs",
    "delta/src/changes/since.rs",
    "delta/src/changes/state.rs",
    "delta/src/changes/target_names.rs",
    "delta/src/changes/up_to_date.rs",
    "delta/src/commit/info.rs",
    "delta/src/commit/mod.rs",
    "delta/src/dv.rs",
    "delta/src/features.rs",
    "delta/src/features/support.rs",
    "delta/src/ledger/file.rs",
    "delta/src/ledger/mod.rs",
    "delta/src/log/row.rs",
    "delta/src/log/stats.rs",
    "delta/src/paths.rs",
    "delta/src/predicate/mod.rs",
    "delta/src/predicate/parse.rs",
    "delta/src/publish/checkpoint/columns.rs",
    "delta/src/publish/checkpoint/file.rs",
    "delta/src/publish/checkpoint/mod.rs",
    "delta/src/publish/hint.rs",
    "delta/src/publish/mod.rs",
    "delta/src/publish/settle.rs",
    "delta/src/second_opinion.rs",
    "delta/src/snapshot/disputed.rs",
    "delta/src/snapshot/mod.rs",
    "delta/src/snapshot/time.rs",
    "delta/src/validate/commit.rs",
    "delta/src/validate/mod.rs",
    "delta/src/validate/objects.rs",
    "delta/src/verify/compare.rs",
    "delta/src/verify/deep.rs",
    "delta/src/verify/mod.rs",
    "delta/src/verify/start.rs",
    "tests/src/proxy/mod.rs",
    "tests/src/proxy/pass.rs",
    "worker/src/copy/object.rs",
    "worker/src/copy/present.rs",
];

/// A file that uses another, and where.
type Edges = BTreeMap<(PathBuf, PathBuf), String>;

#[test]
fn no_files_use_each_other_in_a_circle() {
    let files: Files = sources(&["rs"])
        .into_iter()
        .map(|file| {
            let text = read(&file);
            (file, text)
        })
        .collect();
    let known: BTreeSet<String> = KNOWN.iter().map(|&file| file.to_owned()).collect();
    let mut broken = Vec::new();
    let mut found = BTreeSet::new();
    for target in targets() {
        let modules = match Modules::read(&target, &files) {
            Ok(modules) => modules,
            Err(error) => {
                broken.push(error);
                continue;
            }
        };
        let edges = edges(&modules);
        for circle in circles(&edges) {
            let names: BTreeSet<String> = circle.iter().map(|file| shown(file)).collect();
            if !names.is_subset(&known) {
                broken.push(told(&circle, &edges));
            }
            found.extend(names);
        }
    }
    broken.extend(
        known
            .difference(&found)
            .map(|file| format!("{file} is in no circle: remove it from KNOWN")),
    );
    none(&broken);
}

/// The root files of every library, binary and test of ours.
fn targets() -> Vec<PathBuf> {
    let metadata = cargo_metadata();
    array(&metadata["packages"])
        .iter()
        .flat_map(|package| array(&package["targets"]))
        .map(|target| PathBuf::from(text(&target["src_path"])))
        .collect()
}

fn edges(modules: &Modules) -> Edges {
    let mut edges = Edges::new();
    for (module, used) in modules.used() {
        let from = modules.file(module);
        if let Some(to) = modules.definer(module, &used.segments)
            && to != from
        {
            edges.entry((from.to_path_buf(), to.to_path_buf())).or_insert_with(|| {
                let (line, path) = (used.line, used.segments.join("::"));
                format!("{}:{line} names `{path}` of {}", shown(from), shown(to))
            });
        }
    }
    edges
}

/// The groups of files that use each other, be it over further files.
fn circles(edges: &Edges) -> Vec<BTreeSet<PathBuf>> {
    let mut next: BTreeMap<&Path, Vec<&Path>> = BTreeMap::new();
    for (from, to) in edges.keys() {
        next.entry(from).or_default().push(to);
    }
    let reached: BTreeMap<&Path, BTreeSet<&Path>> = next
        .keys()
        .map(|from| {
            let mut seen = BTreeSet::new();
            let mut waiting = vec![*from];
            while let Some(file) = waiting.pop() {
                for &to in next.get(file).map_or(&[][..], Vec::as_slice) {
                    if seen.insert(to) {
                        waiting.push(to);
                    }
                }
            }
            (*from, seen)
        })
        .collect();
    let reaches = |from: &Path, to: &Path| reached.get(from).is_some_and(|seen| seen.contains(to));
    let groups: BTreeSet<BTreeSet<PathBuf>> = reached
        .iter()
        .filter(|(file, seen)| seen.contains(*file))
        .map(|(file, seen)| {
            seen.iter().filter(|to| reaches(to, file)).map(|to| to.to_path_buf()).collect()
        })
        .collect();
    groups.into_iter().collect()
}

/// One circle and every edge within it.
fn told(circle: &BTreeSet<PathBuf>, edges: &Edges) -> String {
    let within =
        edges.iter().filter(|((from, to), _)| circle.contains(from) && circle.contains(to));
    let mut lines = vec![format!("{} files use each other:", circle.len())];
    lines.extend(within.map(|(_, evidence)| format!("  {evidence}")));
    lines.join("\n")
}

/// The circles of a crate of these files; `/lib.rs` is its root.
#[track_caller]
fn check(files: &[(&str, &str)], expected: &[&[&str]]) {
    let texts: Files =
        files.iter().map(|(name, text)| (Path::new("/").join(name), (*text).to_owned())).collect();
    let modules = Modules::read(Path::new("/lib.rs"), &texts).expect("a crate");
    assert_eq!(modules.files().len(), files.len());
    let expected: Vec<BTreeSet<PathBuf>> = expected
        .iter()
        .map(|circle| circle.iter().map(|name| Path::new("/").join(name)).collect())
        .collect();
    assert_eq!(circles(&edges(&modules)), expected);
}

#[test]
fn files_that_name_each_other_are_a_circle() {
    check(
        &[
            ("lib.rs", "mod a; mod b; mod c;"),
            ("a.rs", "use crate::b::B; pub struct A(B);"),
            ("b.rs", "pub struct B; fn f() { vec![super::c::value()]; }"),
            ("c/mod.rs", "mod d; pub fn value() -> d::D { d::D }"),
            ("c/d.rs", "use crate::a; pub struct D; fn f(_: &a::A) {}"),
        ],
        &[&["a.rs", "b.rs", "c/mod.rs", "c/d.rs"]],
    );
}

#[test]
fn a_child_that_uses_what_its_parent_defines_is_a_circle_if_the_parent_uses_it() {
    let child = ("a/b.rs", "use super::A; pub fn b(a: A) {}");
    check(
        &[("lib.rs", "mod a;"), ("a/mod.rs", "mod b; pub struct A; fn f() { b::b(A) }"), child],
        &[&["a/mod.rs", "a/b.rs"]],
    );
    check(&[("lib.rs", "mod a;"), ("a/mod.rs", "mod b; pub use b::b; pub struct A;"), child], &[]);
}

#[test]
fn a_re_export_leads_to_the_file_that_defines() {
    check(
        &[
            ("lib.rs", "mod a; mod end;"),
            ("a/mod.rs", "mod one; mod two; pub use one::*; pub use two::two as renamed;"),
            ("a/one.rs", "use super::renamed; pub enum One { V } fn f() { renamed(); }"),
            ("a/two.rs", "pub fn two() { crate::a::One::V; }"),
            ("end.rs", "pub fn end() { crate::a::renamed(); }"),
        ],
        &[&["a/one.rs", "a/two.rs"]],
    );
}

#[test]
fn tests_may_use_everything() {
    check(
        &[
            ("lib.rs", "mod a; mod b;"),
            ("a.rs", "pub struct A; #[cfg(test)] mod tests { use crate::b::B; }"),
            ("b.rs", "use crate::a::A; pub struct B(A);"),
        ],
        &[],
    );
}
