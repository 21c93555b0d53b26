//! One word, one meaning: no two types that a file shows to others have the same name.
//!
//! The rule holds for the source of our packages, over all of them. Tests and test harnesses may
//! name a fake as they like.

use std::collections::BTreeMap;

use syn::{Item, Visibility};

use crate::modules::{attributes, is_test};
use crate::workspace::{none, read, root, shown, sources};

#[test]
fn no_two_visible_types_share_a_name() {
    let mut places: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let tests = root().join("tests");
    for file in sources(&["rs"]) {
        let in_source = file.components().any(|folder| folder.as_os_str() == "src");
        if in_source && !file.starts_with(&tests) {
            let parsed = syn::parse_file(&read(&file)).expect("a source file is Rust");
            for (name, line) in types(&parsed.items) {
                places.entry(name).or_default().push(format!("{}:{line}", shown(&file)));
            }
        }
    }
    let broken: Vec<String> = places
        .iter()
        .filter(|(_, places)| places.len() > 1)
        .map(|(name, places)| format!("{name}: {}", places.join(", ")))
        .collect();
    none(&broken);
}

/// The types that others see, with their lines; those of inline modules too.
fn types(items: &[Item]) -> Vec<(String, usize)> {
    let mut found = Vec::new();
    for item in items.iter().filter(|item| !is_test(attributes(item))) {
        let (visibility, name) = match item {
            Item::Enum(item) => (&item.vis, &item.ident),
            Item::Struct(item) => (&item.vis, &item.ident),
            Item::Trait(item) => (&item.vis, &item.ident),
            Item::Type(item) => (&item.vis, &item.ident),
            Item::Union(item) => (&item.vis, &item.ident),
            Item::Mod(inner) => {
                found.extend(types(inner.content.as_ref().map_or(&[], |(_, items)| items)));
                continue;
            }
            _ => continue,
        };
        if !matches!(visibility, Visibility::Inherited) {
            found.push((name.to_string(), name.span().start().line));
        }
    }
    found
}

#[test]
fn private_types_and_those_of_tests_are_not_counted() {
    let text = "pub struct A; struct B; pub(super) enum C {} mod d { pub(crate) trait E {} }
        #[cfg(test)] mod tests { pub struct F; }
        #[cfg(test)] pub struct G;";
    let names: Vec<String> = types(&syn::parse_file(text).expect("Rust").items)
        .into_iter()
        .map(|(name, _)| name)
        .collect();
    assert_eq!(names, ["A", "C", "E"]);
}
