//! Keys of which one lies below another: `a` and `a/b`. An object store holds both, a disk has only
//! a file or a folder under one name.

use std::collections::BTreeSet;

use deepclone_common::store::table::{StoreKind, TableStore};
use deepclone_core::failure::Failure;
use deepclone_core::reason::Reason;
use rayon::prelude::*;

use crate::copy_objects::CopyObjects;

/// Refuses a planned key that lies below another one, or that another one lies below, where the
/// target is a disk.
///
/// # Errors
/// TARGET_UNSUITABLE naming both keys.
pub(crate) fn refuse_nested(
    target: &TableStore,
    planned: &CopyObjects,
    live: &BTreeSet<&str>,
) -> Result<(), Failure> {
    if target.kind() != StoreKind::Local {
        return Ok(());
    }
    let Some((file, below)) = nested(planned, live) else { return Ok(()) };
    let message = format!(
        "the target {} cannot hold both {file:?} and {below:?}: on a disk the first one is a file, \
         and the other one needs a folder of its name: rename one of them at the source, or use an \
         object store as the target",
        target.uri
    );
    Err(Failure::new(Reason::TargetUnsuitable, message).with("key", below))
}

/// Keys that one thread looks at at a time.
const KEYS_AT_ONCE: usize = 16_384;

/// Returns a key and one that lies below it, of which one or both are planned. The planned objects
/// are sorted.
fn nested<'a>(planned: &'a CopyObjects, live: &BTreeSet<&'a str>) -> Option<(&'a str, &'a str)> {
    let is_planned = |key: &str| planned.find(key).is_some();
    let either = |key: &str| is_planned(key) || live.contains(key);
    let chunk = |places: std::ops::Range<usize>| {
        below(places.map(|place| planned.get(place).target_path), either)
    };
    let chunks = (0..planned.len()).into_par_iter().step_by(KEYS_AT_ONCE);
    let ranges = chunks.map(|start| start..planned.len().min(start + KEYS_AT_ONCE));
    let found = ranges.map(chunk).find_first(Option::is_some).flatten();
    found.or_else(|| below(live.iter().copied(), is_planned))
}

/// Returns a folder of one of the sorted keys that is a file, and that key.
fn below<'a>(
    keys: impl Iterator<Item = &'a str>,
    is_file: impl Fn(&str) -> bool,
) -> Option<(&'a str, &'a str)> {
    let mut last_folder = "";
    for key in keys {
        // Keys of one folder follow each other, but for those of folders below it.
        let folder = key.rsplit_once('/').map_or("", |(folder, _)| folder);
        if folder == last_folder {
            continue;
        }
        last_folder = folder;
        let mut folders = key.match_indices('/').map(|(end, _)| &key[..end]);
        if let Some(file) = folders.find(|folder| is_file(folder)) {
            return Some((file, key));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::copy_objects::copied;

    #[test]
    fn a_key_below_another_is_found_among_planned_and_live_ones() {
        type Keys = &'static [&'static str];
        type Pair = Option<(&'static str, &'static str)>;
        let cases: [(Keys, Keys, Pair); 8] = [
            (&["a", "a/b"], &[], Some(("a", "a/b"))),
            (&["a", "a/b/c/d"], &[], Some(("a", "a/b/c/d"))),
            (&["p=1/a", "p=1/a/b"], &[], Some(("p=1/a", "p=1/a/b"))),
            (&["a/b"], &["a"], Some(("a", "a/b"))),
            (&["a"], &["a/b"], Some(("a", "a/b"))),
            // Neighbours in the order of the bytes, and what is there already.
            (&["a", "a-b", "a.b", "ab/c"], &["p/a"], None),
            (&["x"], &["a", "a/b"], None),
            (&[], &[], None),
        ];
        for (planned, live, expected) in cases {
            let mut objects = copied(planned);
            objects.sort();
            let live: BTreeSet<&str> = live.iter().copied().collect();
            assert_eq!(nested(&objects, &live), expected, "{planned:?} {live:?}");
        }
    }
}
