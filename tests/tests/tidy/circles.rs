//! No circle of files: a file that others of its crate use does not use them in turn.
//!
//! File A uses file B when code in A names an item that B defines, by whatever path or re-export.
//! A parent that only declares or re-exports its children does not use them. So a reader may read
//! every crate file by file, each after those that it uses.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use crate::modules::{Files, Modules};
use crate::workspace::{array, cargo_metadata, none, read, shown, sources, text};

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
    let mut broken = Vec::new();
    for target in targets() {
        match Modules::read(&target, &files).map(|modules| edges(&modules)) {
            Ok(edges) => broken.extend(circles(&edges).iter().map(|circle| told(circle, &edges))),
            Err(error) => broken.push(error),
        }
    }
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
